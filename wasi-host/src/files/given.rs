//! The directories that a guest is given. They are opened when it first asks for them: most requests are answered without a
//! file, and every pod is given its token.

use std::{fs::File, path::Path, sync::Arc};

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::{
    FsPerms, WasiCtxBuilder,
    filesystem::{Descriptor, WasiFilesystemView},
    p2, p3,
};

use crate::{
    Preopen, StartError,
    container::Surroundings,
    engine::Wasi,
    preopen::{path_of, standing_in},
    sandbox::Sandbox,
};

/// Whose directories an instance will be given, until it asks for them.
pub(crate) type Unopened = Option<Arc<Surroundings>>;

type Directories = Vec<(Resource<Descriptor>, String)>;

/// Puts a function that opens in the place of wasmtime's, for one version of WASI. The linker must allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>, wasi: Wasi) -> wasmtime::Result<()> {
    // The versions named here serve all of 0.2 and 0.3: the linker matches versions that are compatible by semver.
    let (interface, directories): (_, fn(&mut Sandbox) -> wasmtime::Result<Directories>) = match wasi {
        Wasi::Before3 => ("wasi:filesystem/preopens@0.2.12", |sandbox| {
            p2::bindings::filesystem::preopens::Host::get_directories(&mut sandbox.filesystem())
        }),
        Wasi::P3 => ("wasi:filesystem/preopens@0.3.0", |sandbox| {
            p3::bindings::filesystem::preopens::Host::get_directories(&mut sandbox.filesystem())
        }),
    };
    linker.instance(interface)?.func_wrap("get-directories", move |mut store, (): ()| {
        let sandbox: &mut Sandbox = store.data_mut();
        open_for(sandbox)?;
        Ok((directories(sandbox)?,))
    })
}

/// Opens what the instance is given, once.
fn open_for(sandbox: &mut Sandbox) -> wasmtime::Result<()> {
    if let Some(surroundings) = sandbox.unopened.take() {
        let mut opened = WasiCtxBuilder::new();
        open(&surroundings, &mut opened)?;
        *sandbox.wasi.filesystem() = std::mem::take(opened.build().filesystem());
    }
    Ok(())
}

/// Opens the directories of a container.
///
/// # Errors
/// When one can't be opened.
pub(crate) fn open(surroundings: &Surroundings, wasi: &mut WasiCtxBuilder) -> Result<(), StartError> {
    let spec = &surroundings.spec;
    for (index, preopen) in spec.preopens.iter().enumerate().filter(|_| spec.program.opens_files()) {
        let held = surroundings.directories.as_ref().and_then(|directories| directories.get(index));
        give(wasi, preopen, held).map_err(|message| StartError::Preopen {
            path: preopen.host_path.clone(),
            guest_path: preopen.guest_path.clone(),
            message,
        })?;
    }
    Ok(())
}

/// Opens a directory for the guest: by its path, or as it is held open.
fn give(wasi: &mut WasiCtxBuilder, preopen: &Preopen, held: Option<&File>) -> Result<(), String> {
    let permissions = if preopen.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
    let mut open = |path: &Path| wasi.preopened_dir(path, &preopen.guest_path, permissions).map(drop);
    let opened = match held {
        Some(dir) => standing_in(dir, || open(Path::new("."))),
        None => preopen.open().map(|dir| open(&path_of(&dir))),
    };
    opened.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))
}
