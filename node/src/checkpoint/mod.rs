//! What the node needs to start its pods again without the API server: the pods, their last statuses, and the objects
//! that they are made with. One file of the node's own, which only its owner may read: Secrets are in it.
//!
//! Whoever has something new leaves it here ([`Checkpoint::keep`]) and goes on; a task writes what has gathered. What is
//! kept follows the server's word: an object that the server doesn't have is forgotten, and so is what only a pod that is
//! gone has used.
//!
//! Invariant: nobody waits for the disk, and a checkpoint that can't be read or written costs nothing but itself.

mod file;
mod found;
mod key;
mod pending;
mod source;

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::{file::File, pending::Pending};

pub use key::Key;
pub use source::ObjectSource;

/// How long changes gather before they are written.
const GATHER: Duration = Duration::from_millis(200);
/// How soon a write that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// The name of the file in the node's directory.
const FILE: &str = "checkpoint.redb";

/// See the module.
pub struct Checkpoint {
    /// None: nothing is kept.
    file: Option<File>,
    pending: Mutex<Pending>,
    changed: Notify,
    /// UIDs of pods that are from an earlier life of the node, until the server has said which of them there are.
    former: Mutex<HashSet<String>>,
}

impl Checkpoint {
    /// A checkpoint that keeps nothing, for a node that its server can't leave.
    pub fn none() -> Arc<Checkpoint> {
        Arc::new(Checkpoint::over(None))
    }

    /// The checkpoint in the node's directory. A file that can't be used is moved aside.
    pub fn open(dir: &Path) -> Arc<Checkpoint> {
        let checkpoint = Checkpoint::over(File::open(&dir.join(FILE)));
        let pods = checkpoint.file.as_ref().map(|file| file.keys(key::POD)).unwrap_or_default();
        *checkpoint.former.lock() = pods.iter().filter_map(|key| key.uid().map(str::to_owned)).collect();
        Arc::new(checkpoint)
    }

    fn over(file: Option<File>) -> Checkpoint {
        Checkpoint { file, pending: Mutex::default(), changed: Notify::new(), former: Mutex::default() }
    }

    /// Whether there is a pod from an earlier life of the node.
    pub fn has_pods(&self) -> bool {
        !self.former.lock().is_empty()
    }

    /// Keeps an object, as it is now; of a pod that uses it, it is kept until that is gone.
    pub fn keep(&self, key: Key, object: &impl Serialize, user: Option<&str>) {
        if self.file.is_none() {
            return;
        }
        match serde_json::to_vec(object) {
            Ok(json) => self.change(|pending| pending.put(key, json.into(), user)),
            Err(error) => tracing::warn!(%error, ?key, "an object can't be kept in the node's checkpoint"),
        }
    }

    /// Keeps an object that the server gave, unless this version of it is known already.
    pub fn keep_version<K: Serialize + kube::Resource>(&self, key: Key, object: &K, user: Option<&str>) {
        let version = object.meta().resource_version.as_deref();
        if self.file.is_none() {
            return;
        }
        if version.is_some_and(|version| self.pending.lock().is_known(&key, version)) {
            return user.into_iter().for_each(|user| self.change(|pending| pending.used(&key, user)));
        }
        self.keep(key.clone(), object, user);
        if let Some(version) = version {
            self.pending.lock().know(key, version);
        }
    }

    /// The server has no such object.
    pub fn forget(&self, key: &Key) {
        if self.file.is_some() {
            self.change(|pending| pending.remove(key.clone()));
        }
    }

    /// The pod is gone, and what only it has used.
    pub fn forget_pod(&self, uid: &str) {
        if self.file.is_some() {
            self.former.lock().remove(uid);
            self.change(|pending| pending.forget_pod(uid));
        }
    }

    /// The server has said which pods there are: others of an earlier life are gone.
    pub fn forget_former_pods(&self, is_there: impl Fn(&str) -> bool) {
        let former = std::mem::take(&mut *self.former.lock());
        former.iter().filter(|uid| !is_there(uid)).for_each(|uid| self.forget_pod(uid));
    }

    fn change(&self, change: impl FnOnce(&mut Pending)) {
        change(&mut self.pending.lock());
        self.changed.notify_one();
    }

    /// The object as it was last kept. Blocks on the disk.
    pub fn get<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let file = self.file.as_ref()?;
        let json = match self.pending.lock().get(key) {
            Some(pending) => pending,
            None => file.get(key),
        }?;
        serde_json::from_slice(&json)
            .inspect_err(|error| tracing::warn!(%error, ?key, "an object in the node's checkpoint can't be read"))
            .ok()
    }

    /// Writes what has gathered, until `shutdown`; then once more.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        if self.file.is_none() {
            return;
        }
        loop {
            let changed = async {
                self.changed.notified().await;
                tokio::time::sleep(GATHER).await;
            };
            let last = shutdown.run_until_cancelled(changed).await.is_none();
            let written = self.write().await;
            if last {
                return;
            }
            if !written {
                let _ = shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
                self.changed.notify_one();
            }
        }
    }

    /// Writes all that waits, in bounded batches. False: the disk refuses.
    async fn write(self: &Arc<Self>) -> bool {
        loop {
            let checkpoint = Arc::clone(self);
            match tokio::task::spawn_blocking(move || checkpoint.write_batch()).await {
                Ok(Some(true)) => {}
                Ok(Some(false)) => return true,
                // What a panic in the library leaves behind is looked at when the file is opened again.
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// Whether there is more to write; None if this could not be written.
    fn write_batch(&self) -> Option<bool> {
        let Some(file) = &self.file else { return Some(false) };
        let batch = self.pending.lock().batch();
        if batch.is_empty() {
            return Some(false);
        }
        match file.write(&batch) {
            Ok(()) => {
                let mut pending = self.pending.lock();
                pending.written(&batch);
                Some(!pending.is_empty())
            }
            Err(error) => {
                tracing::warn!(%error, "the node's checkpoint can't be written; trying again in 5 s");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
