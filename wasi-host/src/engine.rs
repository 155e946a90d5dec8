//! The engine: compiler settings, the instance pool, the threads guests run on, and the clock that lets no
//! guest hold one of them.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::runtime::{Handle, Runtime};
use wasmtime::{
    Config, Enabled, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails, component,
};

use crate::{
    CompileError, Metrics, limits,
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
    /// How often guests are looked at: the granularity of interruption and CPU accounting.
    pub epoch_tick: Duration,
    /// Whether programs may use WASI 0.3. Without it they are refused when they are compiled.
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
    wasm: wasmtime::Engine,
    components: component::Linker<Sandbox>,
    modules: wasmtime::Linker<CoreSandbox>,
    config: EngineConfig,
    metrics: Metrics,
    threads: Threads,
}

/// Guests have threads of their own: one that never waits then competes with the rest of the process under the
/// kernel's scheduler, as an equal, and not in one queue with it. For the same reason servers, which should
/// answer at once, are kept apart from commands, which may compute for ever.
struct Threads {
    servers: Option<Runtime>,
    commands: Option<Runtime>,
}

impl Threads {
    fn start() -> std::io::Result<Threads> {
        Ok(Threads { servers: Some(guest_threads("server")?), commands: Some(guest_threads("command")?) })
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
        let wasm = wasm_engine(&config)?;
        let unsupported = |error: wasmtime::Error| EngineError::Unsupported(format!("{error:#}"));
        let shared = Shared {
            components: sandbox::component_linker(&wasm, config.wasi_p3).map_err(unsupported)?,
            modules: sandbox::module_linker(&wasm).map_err(unsupported)?,
            metrics: Metrics::default(),
            threads: Threads::start().map_err(EngineError::Threads)?,
            wasm,
            config,
        };
        start_ticker(shared.wasm.weak(), shared.config.epoch_tick).map_err(EngineError::Threads)?;
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

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.shared.wasm
    }

    pub(crate) fn components(&self) -> &component::Linker<Sandbox> {
        &self.shared.components
    }

    pub(crate) fn modules(&self) -> &wasmtime::Linker<CoreSandbox> {
        &self.shared.modules
    }

    /// Whether programs may use WASI 0.3.
    pub(crate) fn has_wasi_p3(&self) -> bool {
        self.shared.config.wasi_p3
    }

    pub(crate) fn cache_key(&self) -> &[u8; 32] {
        &self.shared.config.cache_key
    }

    /// The threads for programs of this kind.
    pub(crate) fn threads(&self, kind: ProgramKind) -> &Handle {
        let threads = &self.shared.threads;
        let runtime = if kind.serves() { &threads.servers } else { &threads.commands };
        runtime.as_ref().expect("runtimes are there until the engine is dropped").handle()
    }
}

fn guest_threads(name: &str) -> std::io::Result<Runtime> {
    let cpus = std::thread::available_parallelism().map_or(limits::GUEST_THREADS_MIN, NonZeroUsize::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cpus.max(limits::GUEST_THREADS_MIN))
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

/// The engine with the largest pool that can be reserved, or without one.
fn wasm_engine(config: &EngineConfig) -> Result<wasmtime::Engine, EngineError> {
    for shrink in [1, 4, 16] {
        let mut settings = compiler_settings(config);
        let instances = (config.max_instances / shrink).max(1);
        settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config, instances)));
        match wasmtime::Engine::new(&settings) {
            Ok(engine) => return Ok(engine),
            Err(error) => tracing::warn!(instances, "cannot reserve the instance pool: {error:#}"),
        }
    }
    tracing::warn!("running without an instance pool: programs start more slowly");
    let mut settings = compiler_settings(config);
    settings.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    wasmtime::Engine::new(&settings).map_err(|error| EngineError::Unsupported(format!("{error:#}")))
}

fn compiler_settings(config: &EngineConfig) -> Config {
    let mut settings = Config::new();
    settings
        .epoch_interruption(true)
        .parallel_compilation(true)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(limits::BACKTRACE_FRAMES))
        .max_wasm_stack(limits::WASM_STACK_BYTES)
        .async_stack_size(limits::FIBER_STACK_BYTES)
        // What WASI 0.3 is built on; without it stores are a little lighter.
        .concurrency_support(config.wasi_p3)
        .wasm_component_model_async(config.wasi_p3)
        // A shared memory belongs to no store, so no limiter would see it grow.
        .shared_memory(false);
    settings
}

fn pool(config: &EngineConfig, instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(limits::CORE_INSTANCES_PER_INSTANCE))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .total_gc_heaps(instances.min(1000))
        .max_core_instances_per_component(limits::CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(limits::MEMORIES_PER_INSTANCE)
        .max_tables_per_component(limits::TABLES_PER_INSTANCE)
        .max_memories_per_module(limits::MEMORIES_PER_INSTANCE)
        .max_tables_per_module(limits::TABLES_PER_INSTANCE)
        .max_core_instance_size(limits::INSTANCE_METADATA_BYTES)
        .max_component_instance_size(limits::INSTANCE_METADATA_BYTES)
        .table_elements(limits::TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(config.max_memory_bytes).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(limits::KEEP_RESIDENT_BYTES)
        .table_keep_resident(limits::KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(limits::KEEP_RESIDENT_BYTES)
        .max_unused_warm_slots(limits::WARM_SLOTS)
        .pagemap_scan(Enabled::Auto);
    pool
}
