//! A container in the process of its pod, as the embedder has it.

use std::{net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    entry::Entry,
    link::Link,
    memory_file,
    message::{self, Id, ToChild},
    pumps,
};
use crate::{
    Engine, Exec, ExecError, Exit, Output, Preopen, Program, ProgramKind, Signal, StartError, StdinPipe, Usage,
    container::count_end, limits,
};

/// A run beside a container has no CPU shares of its own: it counts with the container.
const NO_SHARES: u32 = 0;

/// A handle on a container in a child.
#[derive(Clone)]
pub(crate) struct Remote {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    link: Arc<Link>,
    id: Id,
    entry: Arc<Entry>,
    plan: Kept,
    execs: Arc<Semaphore>,
    ready: watch::Receiver<bool>,
    exit: watch::Receiver<Option<Exit>>,
}

/// What a container is, on this side.
pub(super) struct Plan {
    /// The pipe that its output comes from, and where it goes.
    pub(super) output: (OwnedFd, Arc<dyn Output>),
    /// The pipe that its stdin goes to, and where it comes from.
    pub(super) stdin: Option<(OwnedFd, StdinPipe)>,
    /// What may be run anew. None: it is itself such a run.
    pub(super) program: Option<Program>,
    pub(super) terminal: bool,
    pub(super) preopens: Vec<Preopen>,
    pub(super) address: Option<SocketAddr>,
}

/// What is kept of it.
struct Kept {
    stdin: Option<StdinPipe>,
    program: Option<Program>,
    terminal: bool,
    preopens: Vec<Preopen>,
    address: Option<SocketAddr>,
}

impl Remote {
    /// The handle on a container that the child has been told to start, with all that goes on for it here.
    pub(super) fn new(engine: &Engine, link: Arc<Link>, id: Id, entry: Arc<Entry>, plan: Plan) -> Remote {
        let Plan { output: (pipe, sink), stdin, program, terminal, preopens, address } = plan;
        // Writing a log may take as long as that takes, where guests of this process write theirs.
        let output = engine.threads(ProgramKind::Command).spawn(pumps::carry_output(pipe, sink));
        let (pipe, own_stdin) = stdin.unzip();
        let feeding = pipe
            .zip(own_stdin.clone())
            .map(|(pipe, stdin)| link.runtime().spawn(async move { drop(pumps::carry_stdin(stdin, pipe).await) }));
        let (set_ready, ready) = watch::channel(true);
        let (set_exit, exit) = watch::channel(None);
        let ending = Ending { engine: engine.clone(), link: Arc::clone(&link), id, entry: Arc::clone(&entry) };
        link.runtime().spawn(async move {
            let exit = ending.wait(output).await;
            feeding.iter().for_each(JoinHandle::abort);
            set_ready.send_replace(false);
            set_exit.send_replace(Some(exit));
        });
        let plan = Kept { stdin: own_stdin, program, terminal, preopens, address };
        let execs = Arc::new(Semaphore::new(limits::EXECS_PER_CONTAINER));
        Remote { shared: Arc::new(Shared { engine: engine.clone(), link, id, entry, plan, execs, ready, exit }) }
    }

    pub(crate) fn exec(&self, exec: Exec) -> Result<Remote, ExecError> {
        let own = &self.shared;
        if own.plan.program.as_ref().and_then(Program::as_command).is_none() {
            return Err(ExecError::NoCommand);
        }
        let place = own.execs.clone().try_acquire_owned().map_err(|_| ExecError::TooMany)?;
        if own.exit.borrow().is_some() || own.link.is_over() {
            return Err(ExecError::Ended);
        }
        let failed = |error: std::io::Error| StartError::Isolated(error.to_string());
        let (output, childs_output) = pumps::output_pipe().map_err(failed)?;
        let pipe = exec.stdin.as_ref().map(|_| pumps::stdin_pipe()).transpose().map_err(failed)?;
        let (childs_stdin, stdin) = pipe.unzip();
        let Exec { args, stdin: given, terminal, output: sink } = exec;
        let what = message::Exec { of: own.id, args, terminal, has_stdin: given.is_some() };
        let what = memory_file::write_value(&what).map_err(failed)?;
        let (id, entry, _) = own.link.register(NO_SHARES);
        own.link.order(ToChild::Exec(id), [what, childs_output].into_iter().chain(childs_stdin).collect());
        let plan = Plan {
            output: (output, sink),
            stdin: stdin.zip(given),
            program: None,
            terminal,
            preopens: own.plan.preopens.clone(),
            address: None,
        };
        let command = Remote::new(&own.engine, Arc::clone(&own.link), id, entry, plan);
        command.hold_until_its_end(place);
        Ok(command)
    }

    fn hold_until_its_end(&self, place: OwnedSemaphorePermit) {
        let command = self.clone();
        self.shared.link.runtime().spawn(async move {
            let _place = place;
            command.wait().await;
        });
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.shared.plan.address
    }

    pub(crate) async fn wait(&self) -> Exit {
        let mut exit = self.shared.exit.clone();
        match exit.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(exit)) => exit.clone(),
            _ => Exit::host_panic("the container's task ended without a word".into()),
        }
    }

    pub(crate) fn set_limits(&self, memory_bytes: Option<u64>, cpu_millis: Option<u32>) {
        let id = self.shared.id;
        self.shared.link.order(ToChild::SetLimits { id, memory_bytes, cpu_millis }, Vec::new());
    }

    /// They count among the containers of its pod, and in what the kernel gives the pod's process.
    pub(crate) fn set_cpu_shares(&self, shares: u32) {
        self.shared.link.share(self.shared.id, &self.shared.entry, shares);
    }

    pub(crate) fn stdin(&self) -> Option<&StdinPipe> {
        self.shared.plan.stdin.as_ref()
    }

    pub(crate) fn has_terminal(&self) -> bool {
        self.shared.plan.terminal
    }

    pub(crate) fn preopens(&self) -> &[Preopen] {
        &self.shared.plan.preopens
    }

    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.shared.ready.clone()
    }

    /// A child that does not stop its container in time is killed, and its other containers with it.
    pub(crate) async fn stop(&self, grace: Duration) -> Exit {
        if let Some(stdin) = self.stdin() {
            stdin.close();
        }
        self.shared.link.order(ToChild::Stop(self.shared.id, grace), Vec::new());
        match timeout(grace.saturating_add(limits::ISOLATED_STOP_MARGIN), self.wait()).await {
            Ok(exit) => exit,
            Err(_) => {
                self.shared.link.kill();
                self.wait().await
            }
        }
    }

    pub(crate) fn interrupt(&self, signal: Signal) {
        self.shared.link.order(ToChild::Interrupt(self.shared.id, signal), Vec::new());
    }

    pub(crate) fn usage(&self) -> Usage {
        self.shared.entry.usage()
    }
}

/// What waits for the end of a container. It holds the link: a container that nobody has a handle on runs on.
struct Ending {
    engine: Engine,
    link: Arc<Link>,
    id: Id,
    entry: Arc<Entry>,
}

impl Ending {
    /// The end comes after the last of the output.
    async fn wait(self, output: JoinHandle<std::io::Result<()>>) -> Exit {
        let metrics = self.engine.metrics();
        metrics.containers_running.inc();
        let exit = self.link.end_of(&self.entry).await;
        if !matches!(output.await, Ok(Ok(()))) {
            tracing::warn!("the output of a pod's process makes no sense; it is killed");
            self.link.kill();
        }
        self.link.forget(self.id);
        metrics.containers_running.dec();
        count_end(metrics, &exit);
        exit
    }
}
