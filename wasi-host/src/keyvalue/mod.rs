//! `wasi:keyvalue` (0.2.0-draft: `store`, `atomics`, `batch`): buckets that are directories of the host.
//!
//! Invariant: what was written is on the disk before the guest hears of it, and no two writers of a bucket are at work
//! at the same time, wherever they run.
//!
//! Invariant: no call holds a thread that runs guests; those for blocking work that a container may hold are counted.

mod bindings;
mod directory;
mod error;
mod host;
mod listing;
mod name;

use std::{fs::File, io, sync::Arc};

use rustix::fs::{Mode, OFlags, openat};
use tokio::sync::Semaphore;
use wasmtime::component::{HasData, Linker, ResourceTable};

pub(crate) use self::error::Error;
use crate::{Bucket, descriptors::DescriptorBudget, limits, preopen::open_without_links, sandbox::Sandbox};

/// What a guest gets that opens the empty identifier.
const DEFAULT: &str = "keyvalue";

/// The buckets of one container.
pub(crate) struct Buckets {
    all: Box<[Place]>,
    /// Places for operations under way.
    turns: Arc<Semaphore>,
    descriptors: Arc<DescriptorBudget>,
}

impl Buckets {
    /// `volumes` are theirs, open, for a process without paths. `descriptors` are the container's.
    pub(crate) fn new(
        all: Vec<Bucket>,
        volumes: Option<Vec<File>>,
        descriptors: Arc<DescriptorBudget>,
    ) -> Arc<Buckets> {
        let turns = Arc::new(Semaphore::new(limits::BUCKET_OPERATIONS));
        let mut volumes = volumes.into_iter().flatten();
        let all = all.into_iter().map(|bucket| Place { bucket, volume: volumes.next() }).collect();
        Arc::new(Buckets { all, turns, descriptors })
    }

    fn find(&self, identifier: &str) -> Option<OpenBucket> {
        let name = if identifier.is_empty() { DEFAULT } else { identifier };
        self.all.iter().position(|place| place.bucket.name == name).map(OpenBucket)
    }

    /// Does blocking work on a bucket. If the guest goes meanwhile, the work is done all the same.
    async fn work<T: Send + 'static>(
        self: Arc<Self>,
        OpenBucket(place): OpenBucket,
        work: impl FnOnce(&Place) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|closed| Error::Trap(closed.into()))?;
        let held: Option<Vec<_>> = (0..directory::DESCRIPTORS).map(|_| self.descriptors.take()).collect();
        let held = held.ok_or_else(|| Error::Other("too many files are open".into()))?;
        let done = tokio::task::spawn_blocking(move || {
            let _held = (turn, held);
            self.all.get(place).ok_or(Error::NoSuchStore).and_then(work)
        });
        done.await.unwrap_or_else(|fault| Err(Error::Trap(fault.into())))
    }
}

/// Where a bucket is.
pub(super) struct Place {
    bucket: Bucket,
    /// Its volume, if that is not opened by its path.
    volume: Option<File>,
}

impl Place {
    /// Opens its volume.
    fn volume(&self) -> io::Result<File> {
        match &self.volume {
            Some(volume) => {
                Ok(openat(volume, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?.into())
            }
            None => open_without_links(&self.bucket.host_path),
        }
    }

    #[cfg(test)]
    fn of(bucket: Bucket) -> Place {
        Place { bucket, volume: None }
    }
}

/// A bucket that a guest has opened: its place among the container's. Nothing of the host is open for it.
#[derive(Debug, Clone, Copy)]
pub struct OpenBucket(usize);

/// The buckets as one instance sees them.
pub(crate) struct KeyValue<'a> {
    buckets: &'a Arc<Buckets>,
    table: &'a mut ResourceTable,
}

struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValue<'a>;
}

fn view(sandbox: &mut Sandbox) -> KeyValue<'_> {
    KeyValue { buckets: &sandbox.buckets, table: &mut sandbox.table }
}

/// Links the three interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    bindings::store::add_to_linker::<Sandbox, HasKeyValue>(linker, view)?;
    bindings::atomics::add_to_linker::<Sandbox, HasKeyValue>(linker, view)?;
    bindings::batch::add_to_linker::<Sandbox, HasKeyValue>(linker, view)
}

#[cfg(test)]
mod tests;
