//! API create to Ready, with the image cached, and resident memory per pod.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use coracle_oci::{PushOptions, Reference};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use super::memory::{mib, resident_bytes};
use super::statistics::Sample;
use crate::cluster::{Cluster, ClusterArgs, REGISTRY_NAME};
use crate::pull::scratch;
use crate::status::is_ready;

/// One pod must be Ready in this time, or something is broken rather than slow.
const POD_TIMEOUT: Duration = Duration::from_secs(30);
/// All replicas together.
const REPLICAS_TIMEOUT: Duration = Duration::from_secs(300);
/// How often the Deployment's status is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Memory is read when it has settled.
const SETTLE: Duration = Duration::from_secs(2);

/// Flags of `coracle bench pods`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The program of every pod.
    #[arg(long, value_name = "FILE", default_value = "samples/hello/hello.wasm")]
    wasm: PathBuf,
    /// Pods created one after the other.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sequential: u32,
    /// Replicas of a Deployment created at once; 0 leaves this part out.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    replicas: u32,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let wasm = std::fs::read(&args.wasm).with_context(|| format!("cannot read {}", args.wasm.display()))?;
    let directory = scratch()?;
    let cluster = Cluster::start(&ClusterArgs::for_bench(directory.path())).await?;
    let measured = measure(&cluster, wasm, &args).await;
    cluster.stop().await;
    measured
}

async fn measure(cluster: &Cluster, wasm: Vec<u8>, args: &Args) -> anyhow::Result<()> {
    let image = format!("{REGISTRY_NAME}/bench:1");
    let reference: Reference = image.parse()?;
    let options = PushOptions { registries: cluster.registries.clone(), ..PushOptions::default() };
    coracle_oci::push(wasm, &reference, &options).await?;
    let pods: Api<Pod> = Api::default_namespaced(cluster.client.clone());
    // The first pod pulls and compiles; what is measured has the image cached.
    create_to_ready(&pods, "warm-up", &image).await?;
    let mut sample = Sample::default();
    for index in 0..args.sequential {
        let name = format!("pod-{index}");
        sample.push(create_to_ready(&pods, &name, &image).await?);
        pods.delete(&name, &DeleteParams::default().grace_period(0)).await?;
    }
    println!("API create to Ready, one after the other: {}", sample.summary());
    if args.replicas > 0 {
        replicas(cluster, &image, args.replicas).await?;
    }
    Ok(())
}

/// From sending the request to seeing `Ready` on a watch.
async fn create_to_ready(pods: &Api<Pod>, name: &str, image: &str) -> anyhow::Result<Duration> {
    let revision = pods.list_metadata(&ListParams::default().limit(1)).await?.metadata.resource_version;
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut watch = pods.watch(&params, &revision.unwrap_or_default()).await?.boxed();
    let pod: Pod = serde_json::from_value(pod(name, image))?;
    let begun = Instant::now();
    pods.create(&PostParams::default(), &pod).await?;
    let ready = async {
        while let Some(event) = watch.try_next().await? {
            match event {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) if is_ready(&pod) => return Ok(begun.elapsed()),
                WatchEvent::Error(status) => bail!("the watch failed: {}", status.message),
                _ => {}
            }
        }
        bail!("the watch ended before pod {name} was Ready")
    };
    tokio::time::timeout(POD_TIMEOUT, ready).await.with_context(|| format!("pod {name} did not become Ready"))?
}

/// All replicas of one Deployment Ready, and what they weigh.
async fn replicas(cluster: &Cluster, image: &str, replicas: u32) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::default_namespaced(cluster.client.clone());
    tokio::time::sleep(SETTLE).await;
    let before = resident_bytes()?;
    let deployment: Deployment = serde_json::from_value(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "bench" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "bench" } },
            "template": { "metadata": { "labels": { "app": "bench" } }, "spec": pod_spec(image) },
        },
    }))?;
    let begun = Instant::now();
    deployments.create(&PostParams::default(), &deployment).await?;
    loop {
        let status = deployments.get_status("bench").await?.status.unwrap_or_default();
        let ready = status.ready_replicas.unwrap_or(0);
        if u32::try_from(ready).is_ok_and(|ready| ready >= replicas) {
            break;
        }
        if begun.elapsed() > REPLICAS_TIMEOUT {
            bail!("{ready} of {replicas} replicas are Ready after {} s", REPLICAS_TIMEOUT.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{replicas} replicas Ready: {seconds:.2} s ({:.0} pods/s)", f64::from(replicas) / seconds);
    tokio::time::sleep(SETTLE).await;
    let after = resident_bytes()?;
    let per_pod = after.saturating_sub(before) / u64::from(replicas) / 1024;
    println!("resident: {} before, {} with {replicas} pods: {per_pod} KiB per pod", mib(before), mib(after));
    Ok(())
}

fn pod(name: &str, image: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": pod_spec(image) })
}

fn pod_spec(image: &str) -> Value {
    json!({ "containers": [{
        "name": "main", "image": image, "imagePullPolicy": "IfNotPresent",
        "ports": [{ "containerPort": 8080 }],
    }] })
}
