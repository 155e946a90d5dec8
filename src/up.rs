//! `coracle up`: a cluster in this process, with samples or manifests deployed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use coracle_oci::{PushOptions, Reference};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::api::{Api, ListParams};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster::{Cluster, ClusterArgs, REGISTRY_NAME};
use crate::files::read_wasm;
use crate::manifest::{self, Manifest};
use crate::progress::Steps;
use crate::status;

/// What is deployed must be ready in this time, or `up` says what it waits for and goes on in the foreground.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// How often readiness is looked at: in process, a look costs microseconds.
const READY_POLL: Duration = Duration::from_millis(50);

/// Pods looked at for what keeps them from starting: one that is stuck is seldom alone.
const TROUBLE_PODS: u32 = 20;
/// A Service of ready pods must answer in this time; its URL is printed all the same.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Flags of `coracle up`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Samples or manifests to deploy: directories, or YAML files. A file NAME.wasm beside the YAML is pushed to the
    /// built-in registry when a manifest names the image registry.coracle.internal/NAME:TAG.
    paths: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs the cluster until Ctrl-C.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // Before anything is started: a signal in the middle of a start must stop it cleanly as well.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let manifests = read_manifests(&args.paths)?;

    let steps = Steps::new();
    steps.say("starting the cluster");
    let mut cluster = Cluster::start(&args.cluster).await?;
    let outcome = tokio::select! {
        deployed = deploy_and_report(&cluster, &args.paths, &manifests, &steps) => deployed,
        _ = interrupt.recv() => { cluster.stop().await; return Ok(ExitCode::SUCCESS) }
        _ = terminate.recv() => { cluster.stop().await; return Ok(ExitCode::SUCCESS) }
    };
    steps.finish();
    if let Err(error) = outcome {
        cluster.stop().await;
        return Err(error);
    }
    let failure = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        error = cluster.failed() => Some(error),
    };
    cluster.stop().await;
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn read_manifests(paths: &[PathBuf]) -> anyhow::Result<Vec<Manifest>> {
    let read: Vec<Vec<Manifest>> = paths.iter().map(|p| manifest::read(p)).collect::<anyhow::Result<_>>()?;
    Ok(read.into_iter().flatten().collect())
}

async fn deploy_and_report(
    cluster: &Cluster,
    paths: &[PathBuf],
    manifests: &[Manifest],
    steps: &Steps,
) -> anyhow::Result<()> {
    push_modules(cluster, paths, manifests, steps).await?;
    for manifest in manifests {
        steps.say(format!("applying {}", manifest.title()));
        manifest.apply(&cluster.client).await?;
    }
    let waiting = wait_until_ready(&cluster.client, manifests, steps).await?;
    steps.finish();
    if let Some(waiting) = waiting {
        note!("not ready after {} s: {waiting} (kubectl describe tells why)", READY_TIMEOUT.as_secs());
    }
    report(cluster, manifests).await
}

/// Waits until something accepts connections at the address of a URL; endpoints follow readiness by some milliseconds.
async fn wait_until_it_answers(url: &str) {
    let Some((_, address)) = url.split_once("://") else { return };
    let deadline = tokio::time::Instant::now() + ANSWER_TIMEOUT;
    while !answers(address).await && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(READY_POLL).await;
    }
}

/// Whether a connection to `address` is accepted and not closed at once, as one to a Service without endpoints is.
async fn answers(address: &str) -> bool {
    let Ok(stream) = TcpStream::connect(address).await else { return false };
    // Nobody speaks first in what Services are mostly made of, so silence is consent.
    match tokio::time::timeout(READY_POLL, stream.readable()).await {
        Err(_) => true,
        Ok(Err(_)) => false,
        Ok(Ok(())) => {
            let mut byte = [0];
            stream.try_read(&mut byte).is_ok_and(|n| n > 0)
        }
    }
}

/// Pushes `NAME.wasm` beside the manifests for every image `registry.coracle.internal/NAME:TAG`.
async fn push_modules(
    cluster: &Cluster,
    paths: &[PathBuf],
    manifests: &[Manifest],
    steps: &Steps,
) -> anyhow::Result<()> {
    let images: BTreeSet<&str> = manifests.iter().flat_map(Manifest::images).collect();
    let options = PushOptions { registries: cluster.registries.clone(), ..PushOptions::default() };
    for image in images {
        let reference: Reference = image.parse().with_context(|| format!("image {image:?}"))?;
        if reference.registry() != REGISTRY_NAME {
            continue;
        }
        let name = reference.repository().rsplit('/').next().unwrap_or_default();
        let Some(file) = find_module(paths, name) else {
            note!("note: no {name}.wasm beside the manifests, so {image} must be in the registry already");
            continue;
        };
        steps.say(format!("pushing {} as {image}", file.display()));
        let wasm = read_wasm(&file)?;
        coracle_oci::push(wasm, &reference, &options).await.with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn find_module(paths: &[PathBuf], name: &str) -> Option<PathBuf> {
    let directories = paths.iter().map(|p| if p.is_dir() { p.as_path() } else { p.parent().unwrap_or(Path::new(".")) });
    let candidates = directories.flat_map(|d| [d.join(format!("{name}.wasm")), d.join(format!("{name}.wat"))]);
    candidates.into_iter().find(|c| c.is_file())
}

/// Waits for Deployments, Jobs and Pods of the manifests; returns what is still missing when time is up.
async fn wait_until_ready(
    client: &kube::Client,
    manifests: &[Manifest],
    steps: &Steps,
) -> anyhow::Result<Option<String>> {
    let deadline = tokio::time::Instant::now() + READY_TIMEOUT;
    let mut pending: Vec<&Manifest> = manifests.iter().collect();
    while let Some(manifest) = pending.first() {
        match missing(client, manifest).await? {
            None => {
                pending.remove(0);
            }
            Some(what) if tokio::time::Instant::now() > deadline => return Ok(Some(what)),
            Some(what) => {
                let trouble = trouble(client, manifest).await?;
                steps.say(format!("waiting for {what}{trouble}"));
                tokio::time::sleep(READY_POLL).await;
            }
        }
    }
    Ok(None)
}

/// What keeps the pods of an object from starting, as ` (pod NAME: REASON)`; empty while nothing is known to.
async fn trouble(client: &kube::Client, manifest: &Manifest) -> anyhow::Result<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), manifest.namespace());
    let pods = pods.list(&ListParams::default().limit(TROUBLE_PODS)).await?.items;
    let title = manifest.title();
    let (_, name) = title.split_once(' ').unwrap_or_default();
    let found = pods.iter().find_map(|pod| status::stuck(pod, name));
    Ok(found.map(|why| format!(" ({why})")).unwrap_or_default())
}

/// What an object lacks to be ready, for the kinds that can be; `None` when it lacks nothing.
async fn missing(client: &kube::Client, manifest: &Manifest) -> anyhow::Result<Option<String>> {
    let title = manifest.title();
    let (kind, name) = title.split_once(' ').unwrap_or_default();
    let namespace = manifest.namespace();
    match kind {
        "Deployment" => {
            let deployment: Deployment = Api::namespaced(client.clone(), namespace).get(name).await?;
            let wanted = deployment.spec.and_then(|s| s.replicas).unwrap_or(1);
            let status = deployment.status.unwrap_or_default();
            let current = status.observed_generation >= deployment.metadata.generation;
            let ready = if current { status.updated_replicas.min(status.ready_replicas).unwrap_or(0) } else { 0 };
            Ok((ready < wanted).then(|| format!("{title}: {ready} of {wanted} replicas ready")))
        }
        "Job" => {
            let job: Job = Api::namespaced(client.clone(), namespace).get(name).await?;
            let conditions = job.status.and_then(|s| s.conditions).unwrap_or_default();
            let ended =
                conditions.iter().any(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True");
            Ok((!ended).then(|| format!("{title} to complete")))
        }
        "Pod" => {
            let pod: Pod = Api::namespaced(client.clone(), namespace).get(name).await?;
            let done = status::is_ready(&pod) || matches!(status::phase(&pod), "Succeeded" | "Failed");
            Ok((!done).then(|| title.clone()))
        }
        _ => Ok(None),
    }
}

/// The node, the pods, what answers where, and the line for kubectl.
async fn report(cluster: &Cluster, manifests: &[Manifest]) -> anyhow::Result<()> {
    let client = &cluster.client;
    let nodes: Vec<Node> = Api::all(client.clone()).list(&ListParams::default()).await?.items;
    let pods: Vec<Pod> = Api::all(client.clone()).list(&ListParams::default().limit(20)).await?.items;
    say!("{}", status::nodes(&nodes));
    if !pods.is_empty() {
        say!("{}", status::pods(&pods));
    }
    for url in urls(client, &nodes, manifests).await? {
        wait_until_it_answers(&url).await;
        say!("url: {url}");
    }
    say!("registry: {}", cluster.registry);
    say!("api: https://{}", cluster.api_address);
    say!("\nexport KUBECONFIG={}", cluster.kubeconfig.display());
    Ok(())
}

/// Where the Services of the manifests answer: by node port where they have one, else by their own address.
async fn urls(client: &kube::Client, nodes: &[Node], manifests: &[Manifest]) -> anyhow::Result<Vec<String>> {
    let node = nodes.first().map(status::internal_ip).unwrap_or_default();
    let mut urls = Vec::new();
    for manifest in manifests.iter().filter(|m| m.object["kind"] == "Service") {
        let name = manifest.object["metadata"]["name"].as_str().unwrap_or_default();
        let service: Service = Api::namespaced(client.clone(), manifest.namespace()).get(name).await?;
        let Some(spec) = service.spec else { bail!("Service {name} has no spec") };
        let address = spec.cluster_ip.unwrap_or_default();
        for port in spec.ports.unwrap_or_default() {
            let scheme = if port.name.as_deref().is_none_or(|n| n.starts_with("http")) { "http" } else { "tcp" };
            urls.push(match port.node_port {
                Some(node_port) => format!("{scheme}://{node}:{node_port}"),
                None => format!("{scheme}://{address}:{}", port.port),
            });
        }
    }
    Ok(urls)
}
