//! One running container: what it is given, how it is watched and stopped.

mod config;
mod error;
mod job;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, watch};

use crate::{
    Exit, Output, Signal, StdinPipe,
    cpu::CpuMeter,
    descriptors::DescriptorBudget,
    limits,
    memory::MemoryBudget,
    pod::Pod,
    sandbox,
    stopping::{Ending, ask},
};
use job::{Job, run};

pub use config::{ContainerConfig, Exec, Preopen};
pub use error::{ExecError, StartError};
pub(crate) use job::panic_message;

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
    pub(crate) descriptors: Arc<DescriptorBudget>,
    /// Places for commands beside the container's own program.
    execs: Arc<Semaphore>,
}

/// A running container. Clones are handles on the same one; dropping them all stops nothing.
#[derive(Clone)]
pub struct Container {
    surroundings: Arc<Surroundings>,
    address: Option<SocketAddr>,
    stop: Arc<watch::Sender<Option<Ending>>>,
    ready: watch::Receiver<bool>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Container {
    pub(crate) fn start(pod: Arc<Pod>, mut spec: ContainerConfig) -> Result<Container, StartError> {
        name_host(&pod, &mut spec.env);
        let memory = MemoryBudget::new(spec.memory_limit_bytes, Some(pod.memory.clone()));
        let cpu = CpuMeter::new(spec.cpu_limit_millis);
        let execs = Arc::new(Semaphore::new(limits::EXECS_PER_CONTAINER));
        let descriptors = pod.engine.container_descriptors();
        Container::launch(Surroundings { pod, spec, memory, cpu, descriptors, execs })
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
        let descriptors = Arc::clone(&own.descriptors);
        let command = Container::launch(Surroundings { pod, spec, memory, cpu, descriptors, execs })?;
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

    /// Whether it was told that it has a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        self.surroundings.spec.terminal
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
        if let Some(stdin) = &self.surroundings.spec.stdin {
            stdin.close();
        }
        ask(&self.stop, Ending { at: Instant::now() + grace, signal: None });
        self.wait().await
    }

    /// Ends the container as a terminal's signal ends a program without a handler for it: at the next tick. An HTTP
    /// server answers nothing more either, but if it is idle it ends as at any stop.
    pub fn interrupt(&self, signal: Signal) {
        ask(&self.stop, Ending { at: Instant::now(), signal: Some(signal) });
    }

    /// What the container uses now. Cheap: it reads two counters.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage { memory_bytes: self.surroundings.memory.used_bytes(), cpu_time: self.surroundings.cpu.used() }
    }
}

/// Every container has `HOSTNAME`, as container runtimes have it, unless its own environment sets it.
fn name_host(pod: &Pod, env: &mut Vec<(String, String)>) {
    if !env.iter().any(|(name, _)| name == "HOSTNAME") {
        env.insert(0, ("HOSTNAME".into(), pod.config.hostname.clone()));
    }
}

/// Writes what the host has to say about a guest where the guest's own words go.
pub(crate) fn tell(output: &dyn Output, message: &str) {
    for chunk in format!("{message}\n").as_bytes().chunks(limits::OUTPUT_CHUNK_LIMIT_BYTES) {
        output.write(crate::Stream::Stderr, chunk);
    }
}
