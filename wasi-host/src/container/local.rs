//! A container of this process: what its instances share, how it is watched and stopped.

use std::{
    fs::File,
    mem,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, watch};
use wasmtime_wasi_config::WasiConfigVariables;

use super::{
    ContainerConfig, Exec, ExecError, StartError, Usage,
    job::{Job, run},
};
use crate::{
    Exit, Output, Signal,
    cpu::CpuMeter,
    descriptors::DescriptorBudget,
    keyvalue::Buckets,
    limits,
    memory::MemoryBudget,
    pod::Pod,
    sandbox,
    server::Listener,
    stopping::{Ending, ask},
};

/// What a container gets open, if its process can't open it.
#[derive(Default)]
pub(crate) struct Held {
    /// Where its server listens.
    pub(crate) listener: Option<Listener>,
    /// Its directories, in the order of its configuration.
    pub(crate) directories: Option<Arc<[File]>>,
    /// The volumes of its buckets, in the order of its configuration.
    pub(crate) volumes: Option<Vec<File>>,
}

/// What the instances of one container share.
pub(crate) struct Surroundings {
    pub(crate) pod: Arc<Pod>,
    pub(crate) spec: ContainerConfig,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) cpu: Arc<CpuMeter>,
    pub(crate) descriptors: Arc<DescriptorBudget>,
    pub(crate) config: Arc<WasiConfigVariables>,
    pub(crate) buckets: Arc<Buckets>,
    /// Its directories, if they are not opened by their paths.
    pub(crate) directories: Option<Arc<[File]>>,
    /// Places for commands beside the container's own program.
    execs: Arc<Semaphore>,
}

/// A running container of this process.
#[derive(Clone)]
pub(crate) struct Local {
    surroundings: Arc<Surroundings>,
    address: Option<SocketAddr>,
    stop: Arc<watch::Sender<Option<Ending>>>,
    ready: watch::Receiver<bool>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Local {
    pub(crate) fn start(pod: Arc<Pod>, mut spec: ContainerConfig, held: Held) -> Result<Local, StartError> {
        let memory = MemoryBudget::new(spec.memory_limit_bytes, Some(pod.memory.clone()));
        let cpu = CpuMeter::new(spec.cpu_limit_millis, Arc::clone(&pod.cpu), spec.cpu_shares);
        let execs = Arc::new(Semaphore::new(limits::EXECS_PER_CONTAINER));
        let descriptors = pod.engine.container_descriptors();
        let Held { listener, directories, volumes } = held;
        let config = Arc::new(mem::take(&mut spec.config).into_iter().collect());
        let buckets = Buckets::new(mem::take(&mut spec.buckets), volumes, Arc::clone(&descriptors));
        let surroundings = Surroundings { pod, spec, memory, cpu, descriptors, config, buckets, directories, execs };
        Local::launch(surroundings, listener)
    }

    fn launch(surroundings: Surroundings, listener: Option<Listener>) -> Result<Local, StartError> {
        let surroundings = Arc::new(surroundings);
        let pod = &surroundings.pod;
        sandbox::check(&surroundings)?;
        let threads = pod.engine.threads(surroundings.spec.program.kind()).clone();
        let _threads = threads.enter();
        let job = Job::prepare(&surroundings, listener)?;
        let address = job.address();
        let (stop, stopped) = watch::channel(None);
        // A server listens already; a command takes its first turn when a thread is free.
        let (set_ready, ready) = watch::channel(true);
        let (set_exit, exit) = watch::channel(None);
        let container = Local { surroundings: surroundings.clone(), address, stop: Arc::new(stop), ready, exit };
        threads.spawn(async move {
            let exit = run(job, &surroundings, stopped).await;
            set_ready.send_replace(false);
            set_exit.send_replace(Some(exit));
        });
        Ok(container)
    }

    pub(crate) fn exec(&self, exec: Exec) -> Result<Local, ExecError> {
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
        let directories = own.directories.clone();
        let (config, buckets) = (Arc::clone(&own.config), Arc::clone(&own.buckets));
        let surroundings = Surroundings { pod, spec, memory, cpu, descriptors, config, buckets, directories, execs };
        let command = Local::launch(surroundings, None)?;
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

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    pub(crate) fn spec(&self) -> &ContainerConfig {
        &self.surroundings.spec
    }

    pub(crate) async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(exit)) => exit.clone(),
            _ => Exit::host_panic("the container's task ended without a word".into()),
        }
    }

    pub(crate) fn set_limits(&self, memory_bytes: Option<u64>, cpu_millis: Option<u32>) {
        self.surroundings.memory.set_limit(memory_bytes);
        self.surroundings.cpu.set_limit(cpu_millis);
    }

    pub(crate) fn set_cpu_shares(&self, shares: u32) {
        self.surroundings.cpu.set_shares(shares);
    }

    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    pub(crate) async fn stop(&self, grace: Duration) -> Exit {
        if let Some(stdin) = &self.surroundings.spec.stdin {
            stdin.close();
        }
        ask(&self.stop, Ending { at: Instant::now() + grace, signal: None });
        self.wait().await
    }

    pub(crate) fn interrupt(&self, signal: Signal) {
        ask(&self.stop, Ending { at: Instant::now(), signal: Some(signal) });
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage { memory_bytes: self.surroundings.memory.used_bytes(), cpu_time: self.surroundings.cpu.used() }
    }
}

/// Writes what the host has to say about a guest where the guest's own words go.
pub(crate) fn tell(output: &dyn Output, message: &str) {
    for chunk in format!("{message}\n").as_bytes().chunks(limits::OUTPUT_CHUNK_LIMIT_BYTES) {
        output.write(crate::Stream::Stderr, chunk);
    }
}
