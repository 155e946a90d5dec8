//! `exec`: the container's program started anew with other arguments, or one of the node's own commands.

use std::{sync::Arc, time::Duration};

use coracle_wasi_host::{Container, Exec, StdinPipe};
use futures::FutureExt;

use super::{
    input::Input,
    options::Streams,
    pipe::{OutputPipe, Shape},
    remote::Job,
    status::Outcome,
    tar,
    terminal::{Screen, Terminal},
};

/// Starts a command in a container. `pod` is the UID of the container's.
pub fn start(container: &Container, pod: &Arc<str>, command: Vec<String>, streams: Streams) -> Result<Job, String> {
    if let Some(own) = tar::OwnCommand::of(&command) {
        return own.start(container, pod, streams.stdin);
    }
    let output = OutputPipe::new(if streams.tty { Shape::Terminal } else { Shape::Two });
    let stdin = streams.stdin.then(StdinPipe::new);
    let exec = Exec {
        args: command.clone(),
        stdin: stdin.clone(),
        terminal: streams.tty,
        output: Arc::clone(&output) as Arc<dyn coracle_wasi_host::Output>,
    };
    let started = container.exec(exec).map_err(|error| format!("error executing command in container: {error}"))?;
    let terminal = Terminal::of(&started, Arc::clone(&output) as Arc<dyn Screen>);
    let running = Running(started);
    let end = {
        let output = Arc::clone(&output);
        async move {
            let exit = running.0.wait().await;
            output.close();
            match exit.code {
                0 => Outcome::Success,
                code => Outcome::ExitCode { code, command },
            }
        }
    };
    let input = match (terminal, stdin) {
        (Some(terminal), _) => Input::Terminal { terminal, once: true, signals: true },
        (None, Some(pipe)) => Input::Guest { pipe, once: true },
        (None, None) => Input::Nowhere,
    };
    Ok(Job { input, output, end: Box::pin(end) })
}

/// A command that ends with its client.
struct Running(Container);

impl Drop for Running {
    fn drop(&mut self) {
        // The first look at the future gives the order; nobody waits for it to be carried out.
        let _ = self.0.stop(Duration::ZERO).now_or_never();
    }
}
