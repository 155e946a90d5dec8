//! `wasi:config/store` (0.2.0-rc.1): what a container's host has to say to it, besides the environment.

use wasmtime::component::Linker;
use wasmtime_wasi_config::WasiConfig;

use crate::sandbox::Sandbox;

/// Links the interface. All instances of a container read the same list.
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    wasmtime_wasi_config::add_to_linker(linker, |sandbox| WasiConfig::new(&sandbox.config))
}
