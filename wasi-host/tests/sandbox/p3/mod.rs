//! Programs of WASI 0.3: the samples, and what no sample does.

mod commands;
mod http;
mod kinds;
mod sockets;

use std::sync::{Arc, OnceLock};

use coracle_wasi_host::{ContainerConfig, Program};

use crate::support::{Log, container, engine, program};

const HTTP: &str = include_str!("../../guests/http-p3.wat");
const HELLO: &[u8] = include_bytes!("../../../../samples/hello-p3/hello-p3.wasm");
const TOOLBOX: &[u8] = include_bytes!("../../../../samples/toolbox-p3/toolbox-p3.wasm");

/// A program, compiled once.
fn once(program: &'static OnceLock<Program>, wasm: &[u8]) -> Program {
    program.get_or_init(|| engine().compile(wasm).unwrap()).clone()
}

fn hello() -> Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    once(&PROGRAM, HELLO)
}

fn toolbox() -> Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    once(&PROGRAM, TOOLBOX)
}

fn letters() -> Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    once(&PROGRAM, HTTP.as_bytes())
}

/// A container that runs a tool of the toolbox, and its log.
fn tool(args: &[&str]) -> (ContainerConfig, Arc<Log>) {
    let (mut config, log) = container(toolbox());
    config.args.extend(args.iter().map(|arg| (*arg).to_owned()));
    (config, log)
}

/// A command whose `run` has `body` for its instructions, with `extra` beside it.
fn command(extra: &str, body: &str) -> Program {
    program(&format!(
        r#"(component
            (core module $m (memory (export "memory") 1) {extra} (func (export "run") (result i32) {body}))
            (core instance $i (instantiate $m))
            (type $run-type (func async (result (result))))
            (func $run (type $run-type) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.3.0" (instance $run)))"#
    ))
}
