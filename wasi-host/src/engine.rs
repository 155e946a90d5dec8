//! The engine: compiler settings, the instance pool, the threads guests run on, and the clock that lets no
//! guest hold one of them.

mod settings;

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::runtime::{Handle, Runtime};
use wasmtime::{EngineWeak, component};

pub(crate) use self::settings::Wasi;
use crate::{
    CompileError, Metrics,
    cpu::RunQueue,
    descriptors::DescriptorBudget,
    limits,
    program::{Program, ProgramKind},
    sandbox::{self, CoreSandbox, Sandbox},
};

/// How the engine is set up. Everything that shares an engine shares its pool and its threads.
#[derive(Clone)]
pub struct EngineConfig {
    /// Program instances that may exist at once: running commands, and requests in flight.
    pub max_instances: u32,
    /// The ceiling of one linear memory. A container's own limit may be lower, never higher.
    pub max_memory_bytes: u64,
    /// File descriptors that guests may hold at once: what the process may open, less what its host needs itself.
    pub max_descriptors: usize,
    /// How long nothing may be asked on a connection to a server before it is closed.
    pub http_idle_timeout: Duration,
    /// How often guests are looked at: the granularity of interruption and CPU accounting.
    pub epoch_tick: Duration,
    /// Whether programs may use WASI 0.3. Without it they are refused when they are compiled. They have a pool of their own,
    /// of an eighth of `max_instances` or [`limits::P3_POOL_MIN`], which is reserved when the first of them comes.
    pub wasi_p3: bool,
    /// The key that seals compiled programs; whoever has it may have code loaded by this engine.
    pub cache_key: [u8; 32],
}

impl Default for EngineConfig {
    /// The defaults of [`limits`], and a key of zeros: set one of your own before a compiled program is stored.
    fn default() -> EngineConfig {
        EngineConfig {
            max_instances: limits::DEFAULT_MAX_INSTANCES,
            max_memory_bytes: limits::DEFAULT_MAX_MEMORY_BYTES,
            max_descriptors: limits::DEFAULT_MAX_DESCRIPTORS,
            http_idle_timeout: limits::HTTP_IDLE_TIMEOUT,
            epoch_tick: limits::DEFAULT_EPOCH_TICK,
            wasi_p3: true,
            cache_key: [0; 32],
        }
    }
}

/// Why the engine cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// this machine or configuration cannot run the engine
    #[error("this machine or configuration cannot run the engine: {0}")]
    Unsupported(String),
    /// the threads that run guests could not be started
    #[error("the threads that run guests could not be started: {0}")]
    Threads(#[source] std::io::Error),
}

/// The engine that compiles and runs programs. Clones share one engine; the last one stops its threads.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    before3: Side,
    /// Made when the first program of WASI 0.3 is compiled or loaded.
    p3: OnceLock<Result<Side, EngineError>>,
    modules: wasmtime::Linker<CoreSandbox>,
    config: EngineConfig,
    metrics: Metrics,
    descriptors: Arc<DescriptorBudget>,
    threads: Threads,
}

/// An engine of wasmtime, and what components find in it.
pub(crate) struct Side {
    pub(crate) wasi: Wasi,
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) components: component::Linker<Sandbox>,
}

impl Side {
    fn start(config: &EngineConfig, wasi: Wasi) -> Result<Side, EngineError> {
        let wasm = settings::wasm_engine(config, wasi)?;
        let components = sandbox::component_linker(&wasm, wasi).map_err(unsupported)?;
        start_ticker(wasm.weak(), config.epoch_tick).map_err(EngineError::Threads)?;
        Ok(Side { wasi, wasm, components })
    }
}

fn unsupported(error: wasmtime::Error) -> EngineError {
    EngineError::Unsupported(format!("{error:#}"))
}

/// Guests have threads of their own: one that never waits then competes with the rest of the process under the
/// kernel's scheduler, as an equal, and not in one queue with it. For the same reason servers, which should
/// answer at once, are kept apart from commands, which may compute for ever.
struct Threads {
    servers: Option<Runtime>,
    commands: Option<Runtime>,
    /// Whose turn it is on the ones and on the others.
    turns: [Arc<RunQueue>; 2],
}

impl Threads {
    fn start() -> std::io::Result<Threads> {
        let count = thread_count();
        Ok(Threads {
            servers: Some(guest_threads("server", count)?),
            commands: Some(guest_threads("command", count)?),
            turns: [0, 1].map(|index| Arc::new(RunQueue::new(count, index))),
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last clone of an engine may go on one of these very threads, where waiting for them is not possible.
        for runtime in [self.servers.take(), self.commands.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    /// Makes the engine: reserves its pool of instances and starts its threads. Takes some 20 ms, most of them to
    /// lay a guard page behind each of the pool's stacks; a caller in a hurry does it on a thread beside other work.
    ///
    /// If the address space does not hold the whole pool, a smaller one is reserved, and at last none:
    /// programs then run as well but start several times more slowly. The log says so.
    pub fn new(config: EngineConfig) -> Result<Engine, EngineError> {
        let before3 = Side::start(&config, Wasi::Before3)?;
        let shared = Shared {
            modules: sandbox::module_linker(&before3.wasm).map_err(unsupported)?,
            before3,
            p3: OnceLock::new(),
            metrics: Metrics::default(),
            descriptors: DescriptorBudget::new(config.max_descriptors, None),
            threads: Threads::start().map_err(EngineError::Threads)?,
            config,
        };
        Ok(Engine { shared: Arc::new(shared) })
    }

    /// Validates, compiles and links `wasm` (binary or text). Takes seconds of CPU for large programs: call it
    /// from a thread that may block.
    pub fn compile(&self, wasm: &[u8]) -> Result<Program, CompileError> {
        Program::compile(self, wasm)
    }

    /// What this engine has counted; register it where metrics are collected.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// The side for modules, and for components that know nothing of WASI 0.3.
    pub(crate) fn before3(&self) -> &Side {
        &self.shared.before3
    }

    /// The side for components that use WASI 0.3. It takes some milliseconds when it is asked for the first time.
    pub(crate) fn p3(&self) -> Result<&Side, &EngineError> {
        self.shared.p3.get_or_init(|| Side::start(&self.shared.config, Wasi::P3)).as_ref()
    }

    pub(crate) fn modules(&self) -> &wasmtime::Linker<CoreSandbox> {
        &self.shared.modules
    }

    /// The descriptors of one container.
    pub(crate) fn container_descriptors(&self) -> Arc<DescriptorBudget> {
        DescriptorBudget::new(limits::DESCRIPTORS_PER_CONTAINER, Some(Arc::clone(&self.shared.descriptors)))
    }

    /// Whether programs may use WASI 0.3.
    pub(crate) fn has_wasi_p3(&self) -> bool {
        self.shared.config.wasi_p3
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    pub(crate) fn cache_key(&self) -> &[u8; 32] {
        &self.shared.config.cache_key
    }

    /// Whose turn it is on the threads for programs of this kind.
    pub(crate) fn turns(&self, kind: ProgramKind) -> Arc<RunQueue> {
        Arc::clone(&self.shared.threads.turns[usize::from(!kind.serves())])
    }

    /// The threads for programs of this kind.
    pub(crate) fn threads(&self, kind: ProgramKind) -> &Handle {
        let threads = &self.shared.threads;
        let runtime = if kind.serves() { &threads.servers } else { &threads.commands };
        runtime.as_ref().expect("runtimes are there until the engine is dropped").handle()
    }
}

fn thread_count() -> usize {
    let cpus = std::thread::available_parallelism().map_or(limits::GUEST_THREADS_MIN, NonZeroUsize::get);
    cpus.max(limits::GUEST_THREADS_MIN)
}

fn guest_threads(name: &str, count: usize) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(count)
        .event_interval(limits::GUEST_EVENT_INTERVAL)
        .thread_name(format!("guest-{name}"))
        .enable_all()
        .build()
}

/// Advances the epoch until the engine is gone.
fn start_ticker(engine: EngineWeak, tick: Duration) -> std::io::Result<()> {
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(tick);
        }
    };
    std::thread::Builder::new().name("guest-epoch".into()).spawn(ticker).map(drop)
}
