//! `wasi:filesystem` of WASI 0.3 with the bounds of 0.2: it counts what it opens, and what streams keep open after their
//! descriptor is gone. Lists of directories are read piece by piece, as the guest takes them.

use std::time::Instant;

use tokio::sync::oneshot;
use wasmtime::{
    AsContextMut, StoreContextMut,
    component::{Access, Accessor, FutureReader, Linker, Resource, ResourceType, StreamReader},
};
use wasmtime_wasi::{
    filesystem::{Descriptor as FileOrDir, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView},
    p3::bindings::filesystem::types::{
        Descriptor, DescriptorFlags, DirectoryEntry, ErrorCode, HostDescriptorWithStore, OpenFlags, PathFlags,
    },
};

use super::{
    Leave, drop_descriptor,
    listing::Listing,
    p3_paths::{self, answer, is_too_long},
};
use crate::{holding::hold, limits, sandbox::Sandbox};

const INTERFACE: &str = "wasi:filesystem/types@0.3.0";

/// How a stream of a file ended.
pub(super) type Ended = Result<(), ErrorCode>;

/// Puts functions that count in the place of wasmtime's. The linker must allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    p3_paths::add_to_linker(&mut interface)?;
    interface.func_wrap_concurrent("[method]descriptor.open-at", |store, opening| Box::pin(open_at(store, opening)))?;
    interface.func_wrap("[method]descriptor.read-via-stream", read)?;
    interface.func_wrap("[method]descriptor.write-via-stream", |mut store, (file, data, offset)| {
        let leave = leave(&mut store, &file);
        let ended = <WasiFilesystem as HostDescriptorWithStore<Sandbox>>::write_via_stream(
            below(&mut store),
            file,
            data,
            offset,
        )?;
        Ok((hold(store, leave, ended)?,))
    })?;
    interface.func_wrap("[method]descriptor.append-via-stream", |mut store, (file, data)| {
        let leave = leave(&mut store, &file);
        let ended =
            <WasiFilesystem as HostDescriptorWithStore<Sandbox>>::append_via_stream(below(&mut store), file, data)?;
        Ok((hold(store, leave, ended)?,))
    })?;
    interface.func_wrap("[method]descriptor.read-directory", read_directory)?;
    interface.resource("descriptor", ResourceType::host::<Descriptor>(), drop_descriptor)
}

/// The files of wasmtime below those that are counted.
pub(super) fn files(sandbox: &mut Sandbox) -> WasiFilesystemCtxView<'_> {
    sandbox.filesystem()
}

fn below<'a>(store: &'a mut StoreContextMut<'_, Sandbox>) -> Access<'a, Sandbox, WasiFilesystem> {
    let getter: fn(&mut Sandbox) -> WasiFilesystemCtxView<'_> = files;
    Access::<Sandbox, WasiFilesystem>::new(store.as_context_mut(), getter)
}

/// The leave that an open file has. None: it was given to the instance.
fn leave(store: &mut StoreContextMut<'_, Sandbox>, file: &Resource<Descriptor>) -> Option<Leave> {
    store.data_mut().files.open.get(&file.rep()).cloned()
}

type Opening = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

async fn open_at(
    store: &Accessor<Sandbox>,
    (dir, follow, path, how, mode): Opening,
) -> wasmtime::Result<(Result<Resource<Descriptor>, ErrorCode>,)> {
    if is_too_long(&path) {
        return Ok((Err(ErrorCode::NameTooLong),));
    }
    let Some(leave) = leave_to_open(store).await else {
        return Ok((Err(ErrorCode::Quota),));
    };
    let below = store.with_getter::<WasiFilesystem>(files);
    let opened =
        <WasiFilesystem as HostDescriptorWithStore<Sandbox>>::open_at(&below, dir, follow, path, how, mode).await;
    if let Ok(descriptor) = &opened {
        store.with(|mut access| access.data_mut().files.open.insert(descriptor.rep(), leave));
    }
    answer(opened)
}

/// Waits a moment for files that are about to be closed, if there are too many.
async fn leave_to_open(store: &Accessor<Sandbox>) -> Option<Leave> {
    let may_open = || store.with(|mut access| access.data_mut().files.may_open());
    let begun = Instant::now();
    loop {
        match may_open() {
            None if begun.elapsed() < limits::P3_FILE_PATIENCE => tokio::time::sleep(limits::P3_FILE_POLL).await,
            leave => return leave,
        }
    }
}

type Flow<T> = (StreamReader<T>, FutureReader<Ended>);

fn read(
    mut store: StoreContextMut<'_, Sandbox>,
    (file, offset): (Resource<Descriptor>, u64),
) -> wasmtime::Result<(Flow<u8>,)> {
    let leave = leave(&mut store, &file);
    let (data, ended) =
        <WasiFilesystem as HostDescriptorWithStore<Sandbox>>::read_via_stream(below(&mut store), file, offset)?;
    Ok(((data, hold(store, leave, ended)?),))
}

/// Wasmtime's own keeps a thread waiting until the guest has read the whole list. This one has a descriptor instead.
fn read_directory(
    mut store: StoreContextMut<'_, Sandbox>,
    (dir,): (Resource<Descriptor>,),
) -> wasmtime::Result<(Flow<DirectoryEntry>,)> {
    let sandbox = store.data_mut();
    let (tell, told) = oneshot::channel();
    let listing = match (sandbox.table.get(&dir)?, sandbox.files.may_open()) {
        (FileOrDir::Dir(open), Some(leave)) => Listing::new(open.dir.clone(), leave, tell),
        (FileOrDir::Dir(_), None) => Listing::failed(ErrorCode::Quota, tell),
        (FileOrDir::File(_), _) => Listing::failed(ErrorCode::NotDirectory, tell),
    };
    let entries = StreamReader::new(&mut store, listing)?;
    Ok(((entries, FutureReader::new(store, told)?),))
}
