//! What a container does from its start to its end.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;

use super::{StartError, Surroundings};
use crate::{
    Exit, ExitReason, Metrics, Program, command,
    program::Linked,
    server::{Handles, Listener, Server},
    stopping::StopSignal,
};

/// What a container does, with what had to be acquired for it.
pub(super) enum Job {
    Serve(Server, Listener),
    Run(Program),
}

impl Job {
    /// Acquires what the container needs before it counts as started.
    pub(super) fn prepare(surroundings: &Arc<Surroundings>, listener: Option<Listener>) -> Result<Job, StartError> {
        let program = &surroundings.spec.program;
        match program.linked() {
            Linked::Http(pre) => Job::serve(Handles::P2(pre.clone()), surroundings, listener),
            Linked::HttpP3(pre) => Job::serve(Handles::P3(pre.clone()), surroundings, listener),
            Linked::Command(_) | Linked::CommandP3(_) | Linked::CoreCommand(_) => Ok(Job::Run(program.clone())),
        }
    }

    fn serve(
        handles: Handles,
        surroundings: &Arc<Surroundings>,
        listener: Option<Listener>,
    ) -> Result<Job, StartError> {
        let address = SocketAddr::new(surroundings.pod.config.address, surroundings.spec.http_port);
        let bind = || Listener::bind(address).map_err(|source| StartError::Bind { address, source });
        let listener = listener.map_or_else(bind, Ok)?;
        Ok(Job::Serve(Server::new(handles, surroundings.clone()), listener))
    }

    /// Where it listens, if it does.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Job::Serve(_, listener) => Some(listener.address()),
            Job::Run(_) => None,
        }
    }
}

/// Runs the job to its end, whatever that is.
pub(super) async fn run(job: Job, surroundings: &Arc<Surroundings>, stop: StopSignal) -> Exit {
    let metrics = surroundings.pod.engine.metrics();
    metrics.containers_running.inc();
    let work = async {
        match job {
            Job::Serve(server, listener) => server.run(listener, stop).await,
            Job::Run(program) => command::run(&program, surroundings, stop).await,
        }
    };
    let exit = match Box::pin(AssertUnwindSafe(work).catch_unwind()).await {
        Ok(exit) => exit,
        Err(panic) => Exit::host_panic(panic_message(&*panic)),
    };
    metrics.containers_running.dec();
    count_end(metrics, &exit);
    let (pod, container) = (&surroundings.pod.config.name, &surroundings.spec.name);
    tracing::debug!(pod, container, code = exit.code, reason = ?exit.reason, "container ended");
    exit
}

/// Counts what ended a container.
pub(crate) fn count_end(metrics: &Metrics, exit: &Exit) {
    match exit.reason {
        ExitReason::OutOfMemory => drop(metrics.out_of_memory.inc()),
        ExitReason::HostPanic => drop(metrics.host_panics.inc()),
        ExitReason::Trap => drop(metrics.traps.inc()),
        _ => {}
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let said =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("host code failed: {}", said.unwrap_or_else(|| "no message".into()))
}
