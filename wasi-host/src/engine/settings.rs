//! How wasmtime's engines are set up: the compiler, and the pools that instances are taken from.

use std::num::NonZeroUsize;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::{EngineConfig, EngineError};
use crate::limits;

/// Which programs an engine of wasmtime is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wasi {
    /// Those that know nothing of WASI 0.3. They are spared its machinery, which is felt at every call.
    Before3,
    /// Those that use it.
    P3,
}

impl Wasi {
    /// Instances in its pool. Every one costs memory mappings before it is used, and few programs use 0.3 yet.
    fn instances(self, config: &EngineConfig) -> u32 {
        match self {
            Wasi::Before3 => config.max_instances,
            Wasi::P3 => {
                let share = config.max_instances / limits::P3_POOL_SHARE;
                share.max(config.max_instances.min(limits::P3_POOL_MIN))
            }
        }
    }
}

/// The engine with the largest pool that can be reserved, or without one.
pub(super) fn wasm_engine(config: &EngineConfig, wasi: Wasi) -> Result<wasmtime::Engine, EngineError> {
    for shrink in [1, 4, 16] {
        let mut settings = compiler_settings(wasi);
        let instances = (wasi.instances(config) / shrink).max(1);
        settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config, instances)));
        match wasmtime::Engine::new(&settings) {
            Ok(engine) => return Ok(engine),
            Err(error) => tracing::warn!(instances, "cannot reserve the instance pool: {error:#}"),
        }
    }
    tracing::warn!("running without an instance pool: programs start more slowly");
    let mut settings = compiler_settings(wasi);
    settings.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    wasmtime::Engine::new(&settings).map_err(|error| EngineError::Unsupported(format!("{error:#}")))
}

fn compiler_settings(wasi: Wasi) -> Config {
    let mut settings = Config::new();
    settings
        .epoch_interruption(true)
        .parallel_compilation(true)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(limits::BACKTRACE_FRAMES))
        .max_wasm_stack(limits::WASM_STACK_BYTES)
        .async_stack_size(limits::FIBER_STACK_BYTES)
        .concurrency_support(wasi == Wasi::P3)
        .wasm_component_model_async(wasi == Wasi::P3)
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
