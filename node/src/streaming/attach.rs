//! `attach`: a client at the streams of a container that runs.

use std::sync::Arc;

use coracle_wasi_host::{Container, Output as _, Stream};
use k8s_openapi::api::core::v1::Pod;

use super::{
    input::Input,
    options::Streams,
    pipe::{OutputPipe, Shape},
    remote::Job,
    status::Outcome,
    terminal::Terminal,
};
use crate::logs::{LogSink, Tap};

/// A container to attach to.
pub struct Attachment {
    /// The container.
    pub container: Container,
    /// Its terminal, if it has one that can be typed at.
    pub terminal: Option<Arc<Terminal>>,
    /// Where it prints.
    pub sink: Arc<LogSink>,
    /// What a client may do to it.
    pub manners: Manners,
}

/// What clients may do to a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manners {
    /// `stdinOnce`: the first client's end is the end of its stdin.
    pub once: bool,
    /// It is there for the one who attaches: Ctrl-C ends it.
    pub signals: bool,
}

impl Attachment {
    /// Attaches; what the container printed before stays in its log.
    pub fn start(self, streams: Streams) -> Result<Job, String> {
        let shape = match (self.container.has_terminal(), streams.tty) {
            (true, _) => Shape::Terminal,
            (false, true) => Shape::One,
            (false, false) => Shape::Two,
        };
        let output = OutputPipe::new(shape);
        let input = self.input(streams, &output)?;
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

    fn input(&self, streams: Streams, output: &OutputPipe) -> Result<Input, String> {
        if !streams.stdin {
            return Ok(Input::Nowhere);
        }
        let Manners { once, signals } = self.manners;
        match (&self.terminal, self.container.stdin()) {
            // As with containerd, one may come back to a terminal, `stdinOnce` or not: kubectl says how.
            (Some(terminal), _) => Ok(Input::Terminal { terminal: Arc::clone(terminal), once: false, signals }),
            (None, Some(pipe)) => Ok(Input::Guest { pipe: pipe.clone(), once }),
            (None, None) if !streams.stdout && !streams.stderr => {
                Err("error attaching to container: container stdin is not open".to_owned())
            }
            (None, None) => {
                output.write(Stream::Stderr, b"container stdin is not open\n");
                Ok(Input::Nowhere)
            }
        }
    }
}

/// What the pod says of this container. A program without a handler for SIGINT ignores it as the first process of a
/// container on Linux, so Ctrl-C ends only what is there for its visitor (`kubectl run -it`, `kubectl debug -it`), who
/// could not get rid of it otherwise.
pub fn manners(pod: &Pod, container: &str) -> Manners {
    let Some(spec) = &pod.spec else { return Manners::default() };
    if let Some(visited) = spec.ephemeral_containers.iter().flatten().find(|it| it.name == container) {
        return Manners { once: visited.stdin_once == Some(true), signals: true };
    }
    let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let once = all.any(|it| it.name == container && it.stdin_once == Some(true));
    Manners { once, signals: once }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_there_for_its_visitor_is_ended_by_a_key() {
        let pod = json!({"spec": {
            "initContainers": [{"name": "init", "stdin": true, "stdinOnce": true}],
            "containers": [{"name": "main", "stdin": true, "tty": true}],
            "ephemeralContainers": [{"name": "debugger", "stdin": true, "tty": true}],
        }});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let of = |name| manners(&pod, name);
        assert_eq!(of("init"), Manners { once: true, signals: true });
        assert_eq!(of("main"), Manners { once: false, signals: false });
        assert_eq!(of("debugger"), Manners { once: false, signals: true });
    }
}
