//! One running container: what it is given, how it is watched and stopped.

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::sync::{Semaphore, watch};

use crate::{
    Exit, ExitReason, Output, Program, StdinPipe, command,
    cpu::CpuMeter,
    limits,
    memory::MemoryBudget,
    pod::Pod,
    program::Linked,
    sandbox,
    server::{Handles, Listener, Server},
};

/// A directory of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preopen {
    /// The directory on the host.
    pub host_path: PathBuf,
    /// Where the guest finds it.
    pub guest_path: String,
    /// Whether the guest may only read it.
    pub read_only: bool,
}

/// What a container is given. What is not here, the guest does not have.
#[derive(Clone)]
pub struct ContainerConfig {
    /// The container's name, for logs.
    pub name: String,
    /// The program to run.
    pub program: Program,
    /// The argument vector, with the program's own name first.
    pub args: Vec<String>,
    /// The environment, in order.
    pub env: Vec<(String, String)>,
    /// The initial working directory a component is told; it should lie in one of `preopens`.
    pub working_dir: Option<String>,
    /// The directories the guest may open.
    pub preopens: Vec<Preopen>,
    /// Where its stdin comes from. None: it is empty, and at its end from the beginning. A stop closes it: that is how
    /// a command, which WASI gives no signal, hears of it.
    pub stdin: Option<StdinPipe>,
    /// Whether stdin and stdout tell the guest that they are a terminal (`wasi:cli/terminal-*`).
    pub terminal: bool,
    /// Where its stdout and stderr go.
    pub output: Arc<dyn Output>,
    /// The most linear memory its instances may hold together. None: only the pod's limit and the engine's
    /// ceiling for one memory.
    pub memory_limit_bytes: Option<u64>,
    /// Thousandths of one CPU it may use; beyond, it waits. None: no limit.
    pub cpu_limit_millis: Option<u32>,
    /// The port an HTTP component listens on, at the pod's address; 0 lets the kernel choose. Commands ignore it.
    pub http_port: u16,
}

/// Why a container could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// cannot listen on the pod's address
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address of the pod and the port of the container.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// cannot open a directory for the guest
    #[error("cannot open {path} for the guest's {guest_path}: {message}", path = path.display())]
    Preopen {
        /// The directory on the host.
        path: PathBuf,
        /// Where the guest would have found it.
        guest_path: String,
        /// What went wrong.
        message: String,
    },
}

/// What a container uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Linear memory its instances hold now.
    pub memory_bytes: u64,
    /// Time its guests have spent on a CPU since the container started.
    pub cpu_time: Duration,
}

/// What the instances of one container share.
pub(crate) struct Surroundings {
    pub(crate) pod: Arc<Pod>,
    pub(crate) spec: ContainerConfig,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) cpu: Arc<CpuMeter>,
    /// Places for commands beside the container's own program.
    execs: Arc<Semaphore>,
}

/// What another run of a container's program is given of its own; all else is the container's.
pub struct Exec {
    /// The argument vector, with a program name first.
    pub args: Vec<String>,
    /// Where its stdin comes from; see [`ContainerConfig::stdin`].
    pub stdin: Option<StdinPipe>,
    /// Whether it is told that it has a terminal.
    pub terminal: bool,
    /// Where its stdout and stderr go.
    pub output: Arc<dyn Output>,
}

/// Why a container's program can't be run beside it.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// the program has nothing that could be run with arguments
    #[error(
        "the container has no command to run: its program is an HTTP component (wasi:http) that does not export wasi:cli/run"
    )]
    NoCommand,
    /// the container is over
    #[error("the container is not running")]
    Ended,
    /// too many run already
    #[error("{} commands run in this container already; at most so many may", limits::EXECS_PER_CONTAINER)]
    TooMany,
    /// it can't be started
    #[error(transparent)]
    Start(#[from] StartError),
}

/// When a container that was asked to stop is interrupted. None: nobody asked.
pub(crate) type StopSignal = watch::Receiver<Option<Instant>>;

/// A running container. Clones are handles on the same one; dropping them all stops nothing.
#[derive(Clone)]
pub struct Container {
    surroundings: Arc<Surroundings>,
    address: Option<SocketAddr>,
    stop: Arc<watch::Sender<Option<Instant>>>,
    ready: watch::Receiver<bool>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Container {
    pub(crate) fn start(pod: Arc<Pod>, mut spec: ContainerConfig) -> Result<Container, StartError> {
        name_host(&pod, &mut spec.env);
        let memory = MemoryBudget::new(spec.memory_limit_bytes, Some(pod.memory.clone()));
        let cpu = CpuMeter::new(spec.cpu_limit_millis);
        let execs = Arc::new(Semaphore::new(limits::EXECS_PER_CONTAINER));
        Container::launch(Surroundings { pod, spec, memory, cpu, execs })
    }

    fn launch(surroundings: Surroundings) -> Result<Container, StartError> {
        let surroundings = Arc::new(surroundings);
        let pod = &surroundings.pod;
        sandbox::check(&surroundings)?;
        let threads = pod.engine.threads(surroundings.spec.program.kind()).clone();
        let _threads = threads.enter();
        let job = Job::prepare(&surroundings)?;
        let address = job.address();
        let (stop, stopped) = watch::channel(None);
        // A server listens already; a command takes its first turn when a thread is free.
        let (set_ready, ready) = watch::channel(true);
        let (set_exit, exit) = watch::channel(None);
        let container = Container { surroundings: surroundings.clone(), address, stop: Arc::new(stop), ready, exit };
        threads.spawn(async move {
            let exit = run(job, &surroundings, stopped).await;
            set_ready.send_replace(false);
            set_exit.send_replace(Some(exit));
        });
        Ok(container)
    }

    /// Runs the container's program anew beside it, as a command with other arguments: same files, environment,
    /// network and budgets. It ends with the container at the latest.
    ///
    /// # Errors
    /// When the program is no command, the container is over, or too many of these run already.
    pub fn exec(&self, exec: Exec) -> Result<Container, ExecError> {
        let own = &self.surroundings;
        let program = own.spec.program.as_command().ok_or(ExecError::NoCommand)?;
        let place = own.execs.clone().try_acquire_owned().map_err(|_| ExecError::TooMany)?;
        if self.exit.borrow().is_some() {
            return Err(ExecError::Ended);
        }
        let Exec { args, stdin, terminal, output } = exec;
        let spec = ContainerConfig { program, args, stdin, terminal, output, ..own.spec.clone() };
        let memory = MemoryBudget::new(None, Some(own.memory.clone()));
        let (pod, cpu, execs) = (own.pod.clone(), own.cpu.clone(), Arc::new(Semaphore::new(0)));
        let command = Container::launch(Surroundings { pod, spec, memory, cpu, execs })?;
        let (container, ending) = (self.clone(), command.clone());
        own.pod.engine.threads(command.surroundings.spec.program.kind()).spawn(async move {
            let _place = place;
            tokio::select! {
                _ = ending.wait() => {}
                _ = container.wait() => drop(ending.stop(Duration::ZERO).await),
            }
        });
        Ok(command)
    }

    /// The address an HTTP component listens on. None for commands.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Waits for the container's end. Any number of callers may wait, before and after it.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(exit)) => exit.clone(),
            _ => Exit::host_panic("the container's task ended without a word".into()),
        }
    }

    /// Other limits from now on, as [`ContainerConfig`] has them. Memory that is held beyond a new limit stays; the next
    /// growth ends the container.
    pub fn set_limits(&self, memory_bytes: Option<u64>, cpu_millis: Option<u32>) {
        self.surroundings.memory.set_limit(memory_bytes);
        self.surroundings.cpu.set_limit(cpu_millis);
    }

    /// Its stdin, if it has one that can be written.
    #[must_use]
    pub fn stdin(&self) -> Option<&StdinPipe> {
        self.surroundings.spec.stdin.as_ref()
    }

    /// The directories it was given.
    #[must_use]
    pub fn preopens(&self) -> &[Preopen] {
        &self.surroundings.spec.preopens
    }

    /// Whether it takes work: an HTTP component listens, a command has started. False again after its end.
    #[must_use]
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    /// Asks the container to end and waits until it has. An HTTP server stops accepting and answers the requests
    /// it has; a command, which WASI gives no signal, reads end-of-file from its stdin and may end by itself. What
    /// still runs after `grace` is interrupted at the next tick. A second call may shorten the grace of the first, never lengthen it.
    pub async fn stop(&self, grace: Duration) -> Exit {
        let until = Instant::now() + grace;
        if let Some(stdin) = &self.surroundings.spec.stdin {
            stdin.close();
        }
        self.stop.send_if_modified(|deadline| {
            let shortens = deadline.is_none_or(|deadline| until < deadline);
            if shortens {
                *deadline = Some(until);
            }
            shortens
        });
        self.wait().await
    }

    /// What the container uses now. Cheap: it reads two counters.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage { memory_bytes: self.surroundings.memory.used_bytes(), cpu_time: self.surroundings.cpu.used() }
    }
}

/// What a container does, with what had to be acquired for it.
enum Job {
    Serve(Server, Listener),
    Run(Program),
}

impl Job {
    fn prepare(surroundings: &Arc<Surroundings>) -> Result<Job, StartError> {
        let program = &surroundings.spec.program;
        match program.linked() {
            Linked::Http(pre) => Job::serve(Handles::P2(pre.clone()), surroundings),
            Linked::HttpP3(pre) => Job::serve(Handles::P3(pre.clone()), surroundings),
            Linked::Command(_) | Linked::CommandP3(_) | Linked::CoreCommand(_) => Ok(Job::Run(program.clone())),
        }
    }

    fn serve(handles: Handles, surroundings: &Arc<Surroundings>) -> Result<Job, StartError> {
        let address = SocketAddr::new(surroundings.pod.config.address, surroundings.spec.http_port);
        let listener = Listener::bind(address).map_err(|source| StartError::Bind { address, source })?;
        Ok(Job::Serve(Server::new(handles, surroundings.clone()), listener))
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Job::Serve(_, listener) => Some(listener.address()),
            Job::Run(_) => None,
        }
    }
}

/// Runs the job to its end, whatever that is.
async fn run(job: Job, surroundings: &Arc<Surroundings>, stop: StopSignal) -> Exit {
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
    match exit.reason {
        ExitReason::OutOfMemory => drop(metrics.out_of_memory.inc()),
        ExitReason::HostPanic => drop(metrics.host_panics.inc()),
        ExitReason::Trap => drop(metrics.traps.inc()),
        _ => {}
    }
    let (pod, container) = (&surroundings.pod.config.name, &surroundings.spec.name);
    tracing::debug!(pod, container, code = exit.code, reason = ?exit.reason, "container ended");
    exit
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let said =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("host code failed: {}", said.unwrap_or_else(|| "no message".into()))
}

/// Every container has `HOSTNAME`, as container runtimes have it, unless its own environment sets it.
fn name_host(pod: &Pod, env: &mut Vec<(String, String)>) {
    if !env.iter().any(|(name, _)| name == "HOSTNAME") {
        env.insert(0, ("HOSTNAME".into(), pod.config.hostname.clone()));
    }
}

/// Completes when the grace of a stop is over; never, if nobody asks.
pub(crate) async fn interrupted(mut stop: StopSignal) {
    loop {
        let deadline = *stop.borrow_and_update();
        let over = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => return,
            changed = stop.changed() => if changed.is_err() {
                // No handle is left that could ask; whoever asked before is still to be obeyed.
                match deadline {
                    Some(deadline) => return tokio::time::sleep_until(deadline.into()).await,
                    None => return std::future::pending().await,
                }
            },
        }
    }
}

/// Writes what the host has to say about a guest where the guest's own words go.
pub(crate) fn tell(output: &dyn Output, message: &str) {
    for chunk in format!("{message}\n").as_bytes().chunks(limits::OUTPUT_CHUNK_LIMIT_BYTES) {
        output.write(crate::Stream::Stderr, chunk);
    }
}
