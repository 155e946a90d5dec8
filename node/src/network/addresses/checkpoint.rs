//! The file that remembers who has which address.

use std::{collections::HashMap, io, net::IpAddr, path::Path, sync::Arc, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{AddressPool, address_at};
use crate::files;

/// How long changes gather before the checkpoint is written: a thousand pods starting are a few writes, not a thousand.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(200);

/// What the file holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Checkpoint {
    version: u32,
    pub(super) cidr: IpNet,
    pub(super) addresses: HashMap<Arc<str>, IpAddr>,
}

impl AddressPool {
    /// Writes the checkpoint after changes, until `shutdown`; then once more.
    pub async fn run_checkpoints(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = shutdown.cancelled() => break,
            }
            tokio::select! {
                () = tokio::time::sleep(CHECKPOINT_DELAY) => {}
                () = shutdown.cancelled() => break,
            }
            self.save_in_background().await;
        }
        self.save_in_background().await;
    }

    async fn save_in_background(self: &Arc<Self>) {
        let pool = Arc::clone(self);
        let saved = tokio::task::spawn_blocking(move || pool.save()).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(file = %self.file.display(), %error, "the address checkpoint could not be written");
        }
    }

    /// Writes the checkpoint now.
    pub fn save(&self) -> io::Result<()> {
        let holders: Vec<(Arc<str>, u32)> =
            self.state.lock().by_uid.iter().map(|(uid, offset)| (Arc::clone(uid), *offset)).collect();
        let addresses = holders.into_iter().map(|(uid, offset)| (uid, address_at(&self.cidr, offset))).collect();
        let checkpoint = Checkpoint { version: 1, cidr: self.cidr, addresses };
        files::write_atomic(&self.file, &serde_json::to_vec(&checkpoint)?)
    }
}

/// What the file remembers, if there is one.
pub(super) fn read(file: &Path) -> io::Result<Option<Checkpoint>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(cidr: &str, dir: &Path) -> AddressPool {
        AddressPool::open(cidr.parse().unwrap(), &dir.join("addresses.json"))
    }

    #[test]
    fn a_checkpoint_brings_the_addresses_back() {
        let dir = tempfile::tempdir().unwrap();
        let before = pool("127.9.0.0/24", dir.path());
        before.allocate("gone").unwrap();
        let address = before.allocate("a").unwrap();
        before.release("gone");
        before.save().unwrap();
        let after = pool("127.9.0.0/24", dir.path());
        assert_eq!(after.get("a"), Some(address));
        assert_eq!(after.get("gone"), None);
        after.retain(|uid| uid != "a");
        assert_eq!(after.get("a"), None);
    }

    #[test]
    fn a_damaged_or_foreign_checkpoint_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("addresses.json"), b"{\"version\":1,").unwrap();
        assert_eq!(pool("127.9.0.0/24", dir.path()).get("a"), None);
        let other = pool("127.8.0.0/24", dir.path());
        other.allocate("a").unwrap();
        other.save().unwrap();
        assert_eq!(pool("127.9.0.0/24", dir.path()).get("a"), None);
    }
}
