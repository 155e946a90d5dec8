//! Starting one container: its image, its environment, its directories, its log, its sandbox.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use coracle_wasi_host::{Container as Handle, ContainerConfig, Preopen, StartError, StdinPipe};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use tokio_util::sync::CancellationToken;

use super::{
    context::Prepared,
    env::{EnvError, EnvSources, Environment, environment, expand_words},
    live::{LivePod, log_path},
    resources::limits,
    service_env::service_variables,
    stop::{HookPlace, run_hook},
};
use crate::{
    events::Subject,
    images::{ImageFailure, ImageRequest, Keyring, ReadyImage},
    logs::LogSink,
    network::port_number,
    shared::Shared,
    volumes::{Downward, EtcFiles, Objects, View, ViewError, ViewRequest},
};

/// The port an HTTP component listens on if its container names none.
const HTTP_PORT: u16 = 8080;
/// Runs of a container whose logs are kept besides the one that begins: the one before it (kubelet's
/// `maxPerPodContainer`).
const OLD_RUNS_KEPT: i32 = 1;

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
    /// For events.
    pub subject: Subject,
    /// The number of the run.
    pub run: i32,
    /// The pod is ending: whatever takes long is given up.
    pub cancel: CancellationToken,
}

/// What a container is started with.
struct Inputs {
    image: ReadyImage,
    env: Environment,
}

/// A container that has been started.
pub struct Started {
    /// Its handle.
    pub handle: Handle,
    /// Its ID.
    pub id: String,
    /// Its log.
    pub sink: Arc<LogSink>,
    /// The image's full name.
    pub image: String,
    /// The image's repo digest.
    pub image_id: String,
    /// Where it may leave its last words.
    pub termination_file: Option<PathBuf>,
}

/// A run that ended with its postStart hook.
pub struct FailedHook {
    /// The run.
    pub run: Started,
    /// Its end.
    pub exit: coracle_wasi_host::Exit,
    /// When it began.
    pub since: jiff::Timestamp,
}

impl std::fmt::Debug for FailedHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailedHook").field("id", &self.run.id).field("exit", &self.exit).finish_non_exhaustive()
    }
}

/// Why a container was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// its image can't be had or run
    #[error("{0}")]
    Image(#[from] ImageFailure),
    /// its environment can't be made
    #[error("{0}")]
    Env(#[from] EnvError),
    /// its volumes can't be shown to it, or its files can't be made
    #[error("{0}")]
    View(#[from] ViewError),
    /// the pod ended first
    #[error("the pod is ending")]
    Cancelled,
    /// its postStart hook failed, and it was killed for that
    #[error("PostStartHook failed")]
    Hook(Box<FailedHook>),
    /// its sandbox can't be made; this counts as a run that ended at once
    #[error("failed to start container {id:?}: {source}")]
    Run {
        /// The run's ID.
        id: String,
        /// What the sandbox said.
        #[source]
        source: StartError,
    },
}

impl StartFailure {
    /// `state.waiting.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            StartFailure::Image(failure) => failure.reason(),
            StartFailure::Env(_) | StartFailure::View(ViewError::Mount(_)) => "CreateContainerConfigError",
            StartFailure::View(ViewError::Files(_)) => "CreateContainerError",
            StartFailure::Run { .. } => "RunContainerError",
            StartFailure::Cancelled => "ContainerCreating",
            StartFailure::Hook(_) => "PostStartHookError",
        }
    }
}

impl Attempt {
    /// Starts the container.
    pub async fn run(self) -> Result<Started, StartFailure> {
        let shared = &self.shared;
        let inputs = self.cancel.run_until_cancelled(Box::pin(self.inputs())).await;
        let Inputs { image, env } = inputs.ok_or(StartFailure::Cancelled)??;
        let sink = self.open_log();
        let View { preopens, termination_file } = self.view(&image, &env.own).await?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let config = self.config(&image, env, preopens, &sink);
        shared.events.normal(&self.subject, "Created", format!("Created container: {}", self.container.name));
        let started = self.prepared.context.start(config).await;
        let handle = started.map_err(|source| StartFailure::Run { id: id.clone(), source })?;
        shared.events.normal(&self.subject, "Started", format!("Started container {}", self.container.name));
        let reference = &image.image.reference;
        self.live.set_running(&self.container.name, reference, self.run, handle.clone(), Arc::clone(&sink));
        let since = jiff::Timestamp::now();
        let hook = self.post_start(&handle).await;
        let (image_id, image) = (image.image.repo_digest(), image.image.reference.clone());
        let run = Started { handle, id, sink, image, image_id, termination_file };
        match hook {
            Ok(()) => Ok(run),
            Err(exit) => {
                let sink = Arc::clone(&run.sink);
                let _ = tokio::task::spawn_blocking(move || sink.close()).await;
                Err(StartFailure::Hook(Box::new(FailedHook { run, exit, since })))
            }
        }
    }

    async fn inputs(&self) -> Result<Inputs, StartFailure> {
        let keyring = self.keyring().await;
        let request = ImageRequest {
            image: self.container.image.as_deref().unwrap_or_default(),
            policy: self.container.image_pull_policy.as_deref(),
            keyring: &keyring,
            subject: &self.subject,
        };
        let image = self.shared.images.ensure(&request).await?;
        let env = self.environment(&image).await?;
        Ok(Inputs { image, env })
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
        Err(handle.stop(std::time::Duration::ZERO).await)
    }

    fn spec(&self) -> Option<&PodSpec> {
        self.pod.spec.as_ref()
    }

    /// The credentials of the pod's pull secrets. One that is missing is told and left out, as kubelet does: the image
    /// may be public.
    async fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::default();
        for reference in self.spec().iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten()) {
            let problem = match self.shared.client.secret(&self.live.namespace, &reference.name).await {
                Ok(Some(secret)) => keyring.add(&secret).err().map(|error| error.to_string()),
                Ok(None) => Some(format!("secret {:?} not found", reference.name)),
                Err(error) => Some(error.to_string()),
            };
            if let Some(problem) = problem {
                let message = format!(
                    "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed: {problem}",
                    reference.name
                );
                self.shared.events.warning(&self.subject, "FailedToRetrieveImagePullSecret", message);
            }
        }
        keyring
    }

    async fn environment(&self, image: &ReadyImage) -> Result<Environment, EnvError> {
        let links = self.spec().and_then(|spec| spec.enable_service_links).unwrap_or(true);
        let sources = EnvSources {
            about: Downward {
                pod: &self.pod,
                pod_ip: self.prepared.address,
                host_ip: self.shared.address,
                allocatable: &self.shared.allocatable,
            },
            hostname: &self.prepared.hostname,
            services: service_variables(&self.shared.services, &self.live.namespace, links),
            image: &image.image.config.env,
            objects: &self.shared.client,
            volumes: &self.prepared.volumes,
        };
        let env = environment(&self.container, &sources).await?;
        for skipped in &env.skipped {
            self.shared.events.warning(&self.subject, "InvalidEnvironmentVariableNames", skipped);
        }
        Ok(env)
    }

    fn open_log(&self) -> Arc<LogSink> {
        let path = log_path(&self.live.dir, &self.container.name, self.run);
        let old = self.run - OLD_RUNS_KEPT - 1;
        if old >= 0 {
            remove_log(&log_path(&self.live.dir, &self.container.name, old));
        }
        LogSink::new(path, self.shared.log_limits, Arc::clone(&self.shared.logs))
    }

    /// The directories the container is given.
    async fn view(&self, image: &ReadyImage, env: &[(String, String)]) -> Result<View, ViewError> {
        let none = PodSpec::default();
        let request = ViewRequest {
            container: &self.container,
            volumes: &self.prepared.volumes,
            env,
            rootfs: image.image.rootfs.as_deref(),
            is_command: !image.program.kind().serves(),
            dir: &self.live.dir.join(&self.container.name),
            etc_dir: &self.live.dir.join("etc"),
            etc: EtcFiles {
                spec: self.spec().unwrap_or(&none),
                namespace: &self.live.namespace,
                hostname: &self.prepared.hostname,
                address: self.prepared.address,
                cluster_domain: &self.shared.cluster_domain,
            },
        };
        request.make().await
    }

    fn config(
        &self,
        image: &ReadyImage,
        env: Environment,
        preopens: Vec<Preopen>,
        sink: &Arc<LogSink>,
    ) -> ContainerConfig {
        let container = &self.container;
        let limits = limits(container.resources.as_ref());
        let working_dir = container.working_dir.clone().filter(|dir| !dir.is_empty());
        let image_dir = Some(image.image.config.working_dir.clone()).filter(|dir| !dir.is_empty());
        ContainerConfig {
            name: format!("{}/{}/{}", self.live.namespace, self.live.name, container.name),
            program: image.program.clone(),
            args: arguments(container, &image.image, &env.own),
            env: env.all(),
            working_dir: working_dir.or(image_dir),
            preopens,
            stdin: container.stdin.unwrap_or(false).then(StdinPipe::new),
            terminal: container.tty.unwrap_or(false),
            output: sink.output(),
            memory_limit_bytes: limits.memory_bytes,
            cpu_limit_millis: limits.cpu_millis,
            http_port: http_port(container),
        }
    }
}

/// The port an HTTP component listens on: the container's first.
pub fn http_port(container: &Container) -> u16 {
    let first = container.ports.iter().flatten().find_map(|port| port_number(port.container_port));
    first.unwrap_or(HTTP_PORT)
}

/// `command` and `args` over the image's entrypoint and arguments: a command alone drops the image's arguments too.
/// A program without any has at least a name.
fn arguments(container: &Container, image: &coracle_oci::Image, env: &[(String, String)]) -> Vec<String> {
    let command = container.command.as_deref().filter(|words| !words.is_empty());
    let args = container.args.as_deref().filter(|words| !words.is_empty());
    let mut words = expand_words(command.unwrap_or_default(), env);
    if command.is_none() {
        words.extend(image.config.entrypoint.iter().cloned());
        if words.is_empty() {
            words.push(program_name(&image.reference));
        }
    }
    match args {
        Some(args) => words.extend(expand_words(args, env)),
        None if command.is_none() => words.extend(image.config.cmd.iter().cloned()),
        None => {}
    }
    words
}

/// The last part of the image's name, without tag and digest.
fn program_name(reference: &str) -> String {
    let bare = reference.split('@').next().unwrap_or(reference);
    let last = bare.rsplit('/').next().unwrap_or(bare);
    last.split(':').next().unwrap_or(last).to_owned()
}

/// Removes the log of a run that is no longer kept, with its older pieces.
fn remove_log(path: &Path) {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return };
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let piece = file.to_str().and_then(|file| file.strip_prefix(name));
        if piece.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(container: serde_json::Value, entrypoint: &[&str], cmd: &[&str]) -> Vec<String> {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let image = coracle_oci::Image {
            reference: "127.0.0.1:5000/team/app:1".into(),
            digest: String::new(),
            manifest_digest: String::new(),
            config_digest: String::new(),
            size_bytes: 0,
            format: coracle_oci::Format::WasmConfigV0,
            config: coracle_oci::ImageConfig { entrypoint: list(entrypoint), cmd: list(cmd), ..Default::default() },
            layers: Vec::new(),
            annotations: Default::default(),
            module: None,
            rootfs: None,
        };
        let mut container = container;
        container["name"] = "c".into();
        arguments(&serde_json::from_value(container).unwrap(), &image, &[("A".into(), "1".into())])
    }

    #[test]
    fn commands_and_arguments_combine_as_in_kubernetes() {
        assert_eq!(words(json!({}), &["e"], &["c"]), ["e", "c"]);
        assert_eq!(words(json!({"args": ["$(A)"]}), &["e"], &["c"]), ["e", "1"]);
        assert_eq!(words(json!({"command": ["x"]}), &["e"], &["c"]), ["x"]);
        assert_eq!(words(json!({"command": ["x"], "args": ["y"]}), &["e"], &["c"]), ["x", "y"]);
        assert_eq!(words(json!({"args": ["y"]}), &[], &[]), ["app", "y"]);
    }

    #[test]
    fn an_http_component_listens_on_the_first_port() {
        let port = |ports| http_port(&serde_json::from_value(json!({"name": "c", "ports": ports})).unwrap());
        assert_eq!(port(json!([])), 8080);
        assert_eq!(port(json!([{"containerPort": 80}, {"containerPort": 81}])), 80);
    }

    #[test]
    fn an_old_log_goes_with_its_pieces_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["1.log", "1.log.1", "11.log", "2.log"] {
            std::fs::write(dir.path().join(name), b"").unwrap();
        }
        remove_log(&dir.path().join("1.log"));
        let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["11.log", "2.log"]);
    }
}
