//! The data of a store: all that one instance can reach, and the linkers that join programs with it.

use std::sync::Arc;

use wasmtime::{
    Engine, Store,
    component::{Linker, ResourceTable},
};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, p1::WasiP1Ctx, sockets::SocketAddrUse};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    StartError, Stream, config_store,
    container::Surroundings,
    engine::Wasi,
    files::{
        self, HeldFiles,
        given::{self, Unopened},
    },
    keyvalue::{self, Buckets},
    limits,
    memory::{Limiter, MemoryBudget},
    outgoing::OutgoingHttp,
    output::GuestStream,
    sockets::{self, Doorman, SocketPlaces},
    stdin::GuestStdin,
};

/// What a component's instance can reach.
pub(crate) struct Sandbox {
    pub(crate) wasi: WasiCtx,
    pub(crate) unopened: Unopened,
    pub(crate) table: ResourceTable,
    pub(crate) files: HeldFiles,
    pub(crate) sockets: SocketPlaces,
    pub(crate) outgoing: OutgoingHttp,
    pub(crate) config: Arc<WasiConfigVariables>,
    pub(crate) buckets: Arc<Buckets>,
    http: WasiHttpCtx,
    limiter: Limiter,
}

/// What a core module's instance can reach.
pub(crate) struct CoreSandbox {
    wasi: WasiP1Ctx,
    limiter: Limiter,
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Sandbox {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outgoing }
    }
}

/// A linker with all of WASI 0.2, `wasi:http`, `wasi:config` and `wasi:keyvalue`, and of WASI 0.3 besides if it is wanted:
/// their files are counted, and their sockets are those of the pod.
pub(crate) fn component_linker(engine: &Engine, wasi: Wasi) -> wasmtime::Result<Linker<Sandbox>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    files::add_to_linker(&mut linker)?;
    given::add_to_linker(&mut linker, Wasi::Before3)?;
    sockets::add_to_linker(&mut linker)?;
    linker.allow_shadowing(false);
    config_store::add_to_linker(&mut linker)?;
    keyvalue::add_to_linker(&mut linker)?;
    if wasi == Wasi::P3 {
        use wasmtime_wasi::p3;
        p3::cli::add_to_linker(&mut linker)?;
        p3::clocks::add_to_linker(&mut linker)?;
        p3::filesystem::add_to_linker(&mut linker)?;
        linker.allow_shadowing(true);
        files::p3::add_to_linker(&mut linker)?;
        given::add_to_linker(&mut linker, Wasi::P3)?;
        linker.allow_shadowing(false);
        p3::random::add_to_linker(&mut linker)?;
        sockets::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}

/// A linker with WASI preview 1, with exit codes as Unix has them: wasmtime's own traps above 125.
pub(crate) fn module_linker(engine: &Engine) -> wasmtime::Result<wasmtime::Linker<CoreSandbox>> {
    let mut linker = wasmtime::Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |sandbox: &mut CoreSandbox| &mut sandbox.wasi)?;
    linker.allow_shadowing(true);
    linker.func_wrap("wasi_snapshot_preview1", "proc_exit", |code: i32| -> wasmtime::Result<()> {
        // `exit` keeps the low eight bits (POSIX, `_exit`).
        Err(I32Exit(code & 0xff).into())
    })?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// A store for one instance of a component in `surroundings`.
pub(crate) fn component_store(engine: &Engine, surroundings: &Arc<Surroundings>) -> Store<Sandbox> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits::RESOURCES_PER_INSTANCE);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(limits::HTTP_HEADER_LIMIT_BYTES);
    let sockets = places(surroundings);
    let sandbox = Sandbox {
        wasi: wasi(surroundings, sockets.doorman()).build(),
        unopened: Some(surroundings.clone()),
        table,
        http,
        files: HeldFiles::new(surroundings.descriptors.clone()),
        sockets,
        outgoing: OutgoingHttp::new(surroundings.pod.clone(), surroundings.descriptors.clone()),
        config: surroundings.config.clone(),
        buckets: surroundings.buckets.clone(),
        limiter: Limiter::new(surroundings.memory.clone()),
    };
    let mut store = bounded(Store::new(engine, sandbox));
    let handles = if surroundings.spec.program.kind().is_p3() {
        limits::P3_HANDLES_PER_INSTANCE
    } else {
        limits::HANDLES_PER_INSTANCE
    };
    store.set_max_component_handles(handles);
    store.limiter(|sandbox| &mut sandbox.limiter);
    store
}

/// A store for one instance of a core module in `surroundings`.
pub(crate) fn module_store(
    engine: &Engine,
    surroundings: &Arc<Surroundings>,
) -> Result<Store<CoreSandbox>, StartError> {
    let mut wasi = wasi(surroundings, places(surroundings).doorman());
    given::open(surroundings, &mut wasi)?;
    let mut wasi = wasi.build_p1();
    // All that a module of preview 1 can hold is files, and for the time of a poll what it waits for.
    wasi.ctx().table.set_max_capacity(limits::FILES_PER_INSTANCE);
    let sandbox = CoreSandbox { wasi, limiter: Limiter::new(surroundings.memory.clone()) };
    let mut store = bounded(Store::new(engine, sandbox));
    store.limiter(|sandbox| &mut sandbox.limiter);
    Ok(store)
}

impl CoreSandbox {
    /// A sandbox with nothing in it, to ask a linker what it has.
    pub(crate) fn nothing() -> CoreSandbox {
        CoreSandbox { wasi: WasiCtxBuilder::new().build_p1(), limiter: Limiter::new(MemoryBudget::new(Some(0), None)) }
    }
}

/// Bounds what every store is bounded by: it yields at each tick, and passes no more than a limit in one call.
fn bounded<T>(mut store: Store<T>) -> Store<T> {
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_hostcall_fuel(limits::HOSTCALL_LIMIT_BYTES);
    store
}

/// Opens what instances will open, so that a missing directory is an error of starting.
pub(crate) fn check(surroundings: &Surroundings) -> Result<(), StartError> {
    given::open(surroundings, &mut WasiCtxBuilder::new())
}

/// Places for the sockets of one instance.
fn places(surroundings: &Surroundings) -> SocketPlaces {
    SocketPlaces::new(surroundings.descriptors.clone())
}

/// What the guest is given apart from its directories, and nothing else. Clocks and randomness are the host's.
fn wasi(surroundings: &Surroundings, doorman: Doorman) -> WasiCtxBuilder {
    let spec = &surroundings.spec;
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(&spec.args)
        .envs(&spec.env)
        .stdout(GuestStream::new(spec.output.clone(), Stream::Stdout, spec.terminal))
        .stderr(GuestStream::new(spec.output.clone(), Stream::Stderr, spec.terminal))
        .max_random_size(limits::RANDOM_LIMIT_BYTES)
        .allow_tcp(true)
        .allow_udp(true);
    if let Some(stdin) = &spec.stdin {
        wasi.stdin(GuestStdin::new(stdin, spec.terminal));
    }
    // Names are resolved by the pod alone; whatever reached wasmtime's own resolver would be a leak.
    wasi.allow_ip_name_lookup(false);
    let pod = surroundings.pod.clone();
    wasi.socket_addr_check(move |address, usage| {
        // The pod's sockets have translated every address already. This is the second lock on that door.
        match usage {
            SocketAddrUse::TcpBind | SocketAddrUse::TcpListen | SocketAddrUse::UdpBind => {
                Box::pin(std::future::ready(pod.may_bind(address)))
            }
            SocketAddrUse::TcpAccept => Box::pin(doorman.clone().admit()),
            _ => Box::pin(std::future::ready(true)),
        }
    });
    if let Some(directory) = &spec.working_dir {
        wasi.initial_cwd(directory);
    }
    wasi
}
