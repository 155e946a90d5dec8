//! Commands: one instance, from its first instruction to its exit code.

use std::{future::Future, pin::Pin, sync::Arc};

use wasmtime::InstancePre;
use wasmtime_wasi::{p2::bindings::CommandPre, p3::bindings::CommandPre as CommandP3Pre};

use crate::{
    Exit, ExitReason, Program,
    container::{Surroundings, tell},
    cpu::Metered,
    program::Linked,
    sandbox::{self, CoreSandbox, Sandbox},
    stopping::{StopSignal, interrupted},
};

/// How a command returned: an exit code, or the error that ended it (which may be an exit code as well).
type Returned = wasmtime::Result<i32>;

/// Runs a command until it ends or its grace is over.
///
/// Dropping the guest's future is what interrupts it: the guest yields at each epoch tick, and is unwound then.
pub(crate) async fn run(program: &Program, surroundings: &Arc<Surroundings>, stop: StopSignal) -> Exit {
    let guest: Pin<Box<dyn Future<Output = Returned> + Send>> = match program.linked() {
        Linked::Command(pre) => Box::pin(run_component(pre.clone(), surroundings.clone())),
        Linked::CommandP3(pre) => Box::pin(run_p3(pre.clone(), surroundings.clone())),
        Linked::CoreCommand(pre) => Box::pin(run_module(pre.clone(), surroundings.clone())),
        Linked::Http(_) | Linked::HttpP3(_) => return Exit::host_panic("an HTTP component is no command".into()),
    };
    surroundings.pod.engine.metrics().instances.inc();
    let turns = surroundings.pod.engine.turns(program.kind());
    let returned = tokio::select! {
        biased;
        exit = interrupted(stop) => return exit,
        returned = Metered::new(guest, surroundings.cpu.clone(), turns) => returned,
    };
    let exit = match returned {
        Ok(code) => Exit::finished(code),
        Err(error) => Exit::from_error(&error),
    };
    if let (ExitReason::Trap, Some(message)) = (exit.reason, &exit.message) {
        tell(&*surroundings.spec.output, message);
    }
    exit
}

async fn run_component(pre: CommandPre<Sandbox>, surroundings: Arc<Surroundings>) -> Returned {
    let mut store = sandbox::component_store(pre.engine(), &surroundings);
    let command = pre.instantiate_async(&mut store).await?;
    // `run` knows only success and failure (WASI 0.2, cli/run.wit).
    let result = command.wasi_cli_run().call_run(&mut store).await?;
    Ok(i32::from(result.is_err()))
}

/// A command of WASI 0.3 has ended when `run` has returned: what it still has under way goes with it, as with any process.
async fn run_p3(pre: CommandP3Pre<Sandbox>, surroundings: Arc<Surroundings>) -> Returned {
    let mut store = sandbox::component_store(pre.engine(), &surroundings);
    let command = pre.instantiate_async(&mut store).await?;
    let result = store.run_concurrent(async |store| command.wasi_cli_run().call_run(store).await).await??;
    Ok(i32::from(result.is_err()))
}

async fn run_module(pre: InstancePre<CoreSandbox>, surroundings: Arc<Surroundings>) -> Returned {
    let mut store = sandbox::module_store(pre.module().engine(), &surroundings)?;
    let instance = pre.instantiate_async(&mut store).await?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    start.call_async(&mut store, ()).await?;
    Ok(0)
}
