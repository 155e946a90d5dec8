//! Starting one container: its image, its environment, its directories, its log, its sandbox.

mod annotation;
mod command;
mod declared;
mod failure;
mod inputs;
mod log;
mod reuse;

use std::{path::PathBuf, sync::Arc};

use coracle_oci::Files;
use coracle_wasi_host::{Container as Handle, ContainerConfig, InstanceReuse, StdinPipe};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use tokio_util::sync::CancellationToken;

use self::{
    command::{arguments, http_port, working_dir},
    declared::only_declared,
    inputs::Inputs,
    reuse::instance_reuse,
};
use super::{
    context::Prepared,
    env::Environment,
    live::LivePod,
    resources::limits,
    stop::{HookPlace, Stopping, grace_period, pre_stop, run_hook},
};
use crate::{
    events::Subject,
    images::ReadyImage,
    logs::LogSink,
    shared::Shared,
    volumes::{EtcFiles, View, ViewError, ViewRequest},
};

pub use failure::{FailedHook, StartFailure};

/// What is needed to start a container.
pub struct Attempt {
    /// What all pods share.
    pub shared: Arc<Shared>,
    /// The pod.
    pub pod: Arc<Pod>,
    /// The pod as others see it.
    pub live: Arc<LivePod>,
    /// The pod's context.
    pub prepared: Arc<Prepared>,
    /// The container.
    pub container: Container,
    /// The image that it ran before.
    pub ran: Option<String>,
    /// For events.
    pub subject: Subject,
    /// The number of the run.
    pub run: i32,
    /// The pod is ending: whatever takes long is given up.
    pub cancel: CancellationToken,
}

/// A container that has been started.
pub struct Started {
    /// Its handle.
    pub handle: Handle,
    /// Its ID.
    pub id: String,
    /// When it began; its postStart hook may have taken its time since.
    pub since: jiff::Timestamp,
    /// Its log.
    pub sink: Arc<LogSink>,
    /// The image's full name.
    pub image: String,
    /// The image's repo digest.
    pub image_id: String,
    /// Where it may leave its last words.
    pub termination_file: Option<PathBuf>,
    /// Its image's files, for as long as it runs.
    pub image_files: Option<Files>,
}

impl Attempt {
    /// Starts the container.
    pub async fn run(self) -> Result<Started, StartFailure> {
        let shared = &self.shared;
        let annotations = self.pod.metadata.annotations.as_ref();
        let (reuse, only_declared) = (instance_reuse(annotations)?, only_declared(annotations)?);
        let inputs = self.cancel.run_until_cancelled(Box::pin(self.inputs(only_declared))).await;
        let Inputs { image, env } = inputs.ok_or(StartFailure::Cancelled)??;
        let sink = self.open_log();
        let View { preopens, buckets, termination_file } = self.view(&image, &env.own, only_declared).await?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let config = ContainerConfig { preopens, buckets, reuse, ..self.config(&image, env, &sink) };
        shared.events.normal(&self.subject, "Created", format!("Created container: {}", self.container.name));
        let started = self.prepared.context.start(config).await;
        let handle = started.map_err(|source| StartFailure::Run { id: id.clone(), source })?;
        shared.events.normal(&self.subject, "Started", format!("Started container {}", self.container.name));
        let reference = &image.image.reference;
        self.live.set_running(&self.container.name, reference, self.run, handle.clone(), Arc::clone(&sink));
        let since = jiff::Timestamp::now();
        let hook = self.post_start(&handle).await;
        let (image_id, image_files) = (image.image.repo_digest(), image.files);
        let image = image.image.reference.clone();
        let run = Started { handle, id, since, sink, image, image_id, termination_file, image_files };
        match hook {
            Ok(()) => Ok(run),
            Err(exit) => {
                let sink = Arc::clone(&run.sink);
                let _ = tokio::task::spawn_blocking(move || sink.close()).await;
                Err(StartFailure::Hook(Box::new(FailedHook { run, exit })))
            }
        }
    }

    /// Runs the hook that belongs to the start; the container is killed if it fails, as in Kubernetes, and its end told.
    async fn post_start(&self, handle: &Handle) -> Result<(), coracle_wasi_host::Exit> {
        let Some(hook) = self.container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref()) else {
            return Ok(());
        };
        let place = HookPlace {
            prober: &self.shared.prober,
            container: &self.container,
            handle,
            address: self.prepared.address,
        };
        let run = run_hook(hook, &place);
        let failed = tokio::select! {
            result = run => result.err(),
            _ = handle.wait() => None,
            () = self.cancel.cancelled() => None,
        };
        let Some(message) = failed else { return Ok(()) };
        tracing::info!(container = self.container.name, message, "PostStart hook failed");
        // What a server answered stays out of the event, as in Kubernetes: it may be secret.
        self.shared.events.warning(&self.subject, "FailedPostStartHook", "PostStartHook failed");
        self.shared.events.normal(&self.subject, "Killing", "FailedPostStartHook");
        Err(self.stop(handle).await)
    }

    /// Stops the container as at any other time, with its preStop hook; at once if the pod ends.
    async fn stop(&self, handle: &Handle) -> coracle_wasi_host::Exit {
        let what = Stopping {
            container: self.container.clone(),
            handle: handle.clone(),
            address: self.prepared.address,
            grace: grace_period(&self.pod),
            hook: true,
            subject: Arc::clone(&self.subject),
        };
        // Boxed: every start has room for it, and few need it.
        let hook = Box::pin(pre_stop(Arc::clone(&self.shared), what));
        let stopping = async move { handle.stop(hook.await.unwrap_or_default()).await };
        match self.cancel.run_until_cancelled(stopping).await {
            Some(exit) => exit,
            None => handle.stop(std::time::Duration::ZERO).await,
        }
    }

    fn spec(&self) -> Option<&PodSpec> {
        self.pod.spec.as_ref()
    }

    /// The directories the container is given.
    async fn view(&self, image: &ReadyImage, env: &[(String, String)], only_declared: bool) -> Result<View, ViewError> {
        let none = PodSpec::default();
        let request = ViewRequest {
            container: &self.container,
            volumes: &self.prepared.volumes,
            env,
            rootfs: image.image.rootfs.as_deref(),
            is_command: !image.program.kind().serves(),
            only_declared,
            dir: &self.live.dir.join(&self.container.name),
            etc_dir: &self.live.dir.join("etc"),
            etc: EtcFiles {
                spec: self.spec().unwrap_or(&none),
                namespace: &self.live.namespace,
                hostname: &self.prepared.hostname,
                domain: self.prepared.domain.as_deref(),
                called: &self.prepared.called,
                address: self.prepared.address,
                cluster_domain: &self.shared.cluster_domain,
            },
        };
        request.make().await
    }

    /// All but what the container's volumes and the pod's annotations give.
    fn config(&self, image: &ReadyImage, env: Environment, sink: &Arc<LogSink>) -> ContainerConfig {
        let container = &self.container;
        let limits = limits(container.resources.as_ref());
        let working_dir = working_dir(container, &image.image.config.working_dir);
        ContainerConfig {
            name: format!("{}/{}/{}", self.live.namespace, self.live.name, container.name),
            program: image.program.clone(),
            args: arguments(container, &image.image, &env.own),
            config: env.own[..env.declared].to_vec(),
            env: env.all(),
            working_dir: working_dir.map(str::to_owned),
            preopens: Vec::new(),
            buckets: Vec::new(),
            stdin: container.stdin.unwrap_or(false).then(StdinPipe::new),
            terminal: container.tty.unwrap_or(false),
            output: sink.output(),
            memory_limit_bytes: limits.memory_bytes,
            cpu_limit_millis: limits.cpu_millis,
            cpu_shares: limits.cpu_shares,
            http_port: http_port(container),
            reuse: InstanceReuse::default(),
        }
    }
}
