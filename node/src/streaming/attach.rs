//! `attach`: a client at the streams of a container that runs.

use std::sync::Arc;

use coracle_wasi_host::{Container, Output as _, Stream};
use k8s_openapi::api::core::v1::Pod;

use super::{
    options::Streams,
    pipe::OutputPipe,
    remote::{Input, Job},
    status::Outcome,
};
use crate::logs::{LogSink, Tap};

/// A container to attach to.
pub struct Attachment {
    /// The container.
    pub container: Container,
    /// Where it prints.
    pub sink: Arc<LogSink>,
    /// Whether the first client's end is the end of its stdin.
    pub stdin_once: bool,
}

impl Attachment {
    /// Attaches; what the container printed before stays in its log.
    pub fn start(self, streams: Streams) -> Result<Job, String> {
        let output = OutputPipe::new(streams.tty);
        let input = match self.container.stdin().filter(|_| streams.stdin) {
            Some(pipe) => Input::Guest { pipe: pipe.clone(), once: self.stdin_once },
            None if streams.stdin && !streams.stdout && !streams.stderr => {
                return Err("error attaching to container: container stdin is not open".to_owned());
            }
            None => {
                if streams.stdin {
                    output.write(Stream::Stderr, b"container stdin is not open\n");
                }
                Input::Nowhere
            }
        };
        self.sink.tap(Arc::downgrade(&output) as std::sync::Weak<dyn Tap>);
        // The log is closed a moment after the container: what it printed last comes first.
        let pipe = Arc::clone(&output);
        let end = async move {
            pipe.closed().await;
            if pipe.is_overrun() {
                return Outcome::Failed("error attaching to container: the client reads too slowly".to_owned());
            }
            Outcome::Success
        };
        Ok(Job { input, output, end: Box::pin(end) })
    }
}

/// Whether the pod says `stdinOnce` of this container.
pub fn stdin_once(pod: &Pod, container: &str) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let once = |name: &str, once: Option<bool>| name == container && once == Some(true);
    let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    all.any(|it| once(&it.name, it.stdin_once))
        || spec.ephemeral_containers.iter().flatten().any(|it| once(&it.name, it.stdin_once))
}
