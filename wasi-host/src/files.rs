//! `wasi:filesystem` with bounds on what one instance makes the host hold: open files, which are descriptors of this
//! process, and lists of directories, which wasmtime gathers in memory when they are opened.

pub(crate) mod given;
mod listing;
pub(crate) mod p3;
mod p3_paths;

use std::{collections::HashMap, fs::File, future::Future, sync::Arc};

use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi::{
    filesystem::{Descriptor as FileOrDir, WasiFilesystemView},
    p2::{
        FsResult,
        bindings::filesystem::types::{
            Descriptor, DescriptorFlags, DirectoryEntryStream, ErrorCode, Host, HostDescriptor, OpenFlags, PathFlags,
        },
    },
};

use crate::{
    descriptors::{self, DescriptorBudget},
    limits,
    sandbox::Sandbox,
};

/// The version named here serves all of 0.2: the linker matches versions that are compatible by semver.
const INTERFACE: &str = "wasi:filesystem/types@0.2.12";

/// What one instance holds, by the numbers of its resources.
pub(crate) struct HeldFiles {
    /// The instance's own part of its container's.
    budget: Arc<DescriptorBudget>,
    /// Files and directories it has opened. Those it was given are open once for all who have them.
    open: HashMap<u32, Leave>,
    /// Entries in each list of a directory (WASI 0.2).
    lists: HashMap<u32, usize>,
}

/// Leave for one open file, shared by its descriptor and the streams made of it (WASI 0.3).
type Leave = Arc<descriptors::Descriptor>;

impl HeldFiles {
    /// `budget` is the container's.
    pub(crate) fn new(budget: Arc<DescriptorBudget>) -> HeldFiles {
        let budget = DescriptorBudget::new(limits::FILES_PER_INSTANCE, Some(budget));
        HeldFiles { budget, open: HashMap::new(), lists: HashMap::new() }
    }

    /// Leave to open one more. None: too many are open.
    fn may_open(&self) -> Option<Leave> {
        self.budget.take().map(Arc::new)
    }

    /// Entries that may still be listed.
    fn room(&self) -> usize {
        limits::LISTED_ENTRIES_PER_INSTANCE.saturating_sub(self.lists.values().sum())
    }
}

/// Puts functions that count in the place of wasmtime's. The linker must allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    interface.func_wrap_async("[method]descriptor.open-at", open_at)?;
    interface.func_wrap_async("[method]descriptor.read-directory", read_directory)?;
    interface.resource("descriptor", ResourceType::host::<Descriptor>(), drop_descriptor)?;
    interface.resource("directory-entry-stream", ResourceType::host::<DirectoryEntryStream>(), |mut store, rep| {
        let sandbox = store.data_mut();
        sandbox.table.delete(Resource::<DirectoryEntryStream>::new_own(rep))?;
        sandbox.files.lists.remove(&rep);
        Ok(())
    })
}

/// A descriptor of any version of WASI leaves the table.
fn drop_descriptor(mut store: StoreContextMut<'_, Sandbox>, rep: u32) -> wasmtime::Result<()> {
    let sandbox = store.data_mut();
    sandbox.table.delete(Resource::<Descriptor>::new_own(rep))?;
    sandbox.files.open.remove(&rep);
    Ok(())
}

type Answer<'a, T> = Box<dyn Future<Output = wasmtime::Result<(Result<T, ErrorCode>,)>> + Send + 'a>;
type Opening = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

fn open_at(
    mut store: StoreContextMut<'_, Sandbox>,
    (dir, follow, path, how, mode): Opening,
) -> Answer<'_, Resource<Descriptor>> {
    Box::new(async move {
        let sandbox = store.data_mut();
        let Some(leave) = sandbox.files.may_open() else { return Ok((Err(ErrorCode::Quota),)) };
        let opened = sandbox.filesystem().open_at(dir, follow, path, how, mode).await;
        let opened = answer(sandbox, opened)?;
        if let Ok(descriptor) = &opened {
            sandbox.files.open.insert(descriptor.rep(), leave);
        }
        Ok((opened,))
    })
}

fn read_directory(
    mut store: StoreContextMut<'_, Sandbox>,
    (dir,): (Resource<Descriptor>,),
) -> Answer<'_, Resource<DirectoryEntryStream>> {
    Box::new(async move {
        let sandbox = store.data_mut();
        let room = sandbox.files.room();
        let entries = match sandbox.table.get(&dir)? {
            FileOrDir::Dir(open) => {
                let open = Arc::clone(&open.dir);
                tokio::task::spawn_blocking(move || count_entries(&open, room)).await?
            }
            // Wasmtime has the right error for it.
            FileOrDir::File(_) => 0,
        };
        if entries >= room {
            return Ok((Err(ErrorCode::InsufficientMemory),));
        }
        let opened = sandbox.filesystem().read_directory(dir).await;
        let opened = answer(sandbox, opened)?;
        if let Ok(list) = &opened {
            sandbox.files.lists.insert(list.rep(), entries);
        }
        Ok((opened,))
    })
}

/// How many entries a directory has, counted no further than `most`.
fn count_entries(dir: &File, most: usize) -> usize {
    // It begins with the two names that are no entries.
    listing::read(dir).map_or(0, |entries| entries.skip(2).take(most).count())
}

/// The error of the file system as the guest is told it, or one that ends the guest.
fn answer<T>(sandbox: &mut Sandbox, result: FsResult<T>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => sandbox.filesystem().convert_error_code(error).map(Err),
    }
}
