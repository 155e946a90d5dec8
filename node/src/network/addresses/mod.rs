//! The node's pod addresses: who has which, and a file that remembers it over restarts.

mod checkpoint;

use std::{
    collections::HashMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most addresses one pool manages: a bitmap of 128 KiB. A larger CIDR is used up to here.
const ADDRESSES_LIMIT: u32 = 1 << 20;
/// Addresses at the start of the CIDR that no pod gets: the network's own, and one kept for the host.
const RESERVED_AT_START: u32 = 2;

/// Why a pod gets no address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// no free address in the pod CIDR
    #[error(
        "no free address in the pod CIDR {cidr}: all {total} are in use; delete pods or give the node a larger CIDR"
    )]
    Exhausted {
        /// The node's pod CIDR.
        cidr: IpNet,
        /// Addresses it has for pods.
        total: u32,
    },
}

/// The addresses of one node's pods. An address belongs to a pod's UID from binding to the pod's end.
///
/// Invariant: no two UIDs hold the same address.
pub struct AddressPool {
    cidr: IpNet,
    file: PathBuf,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    used: Vec<u64>,
    by_uid: HashMap<Arc<str>, u32>,
    /// Where the search starts, so that a released address rests as long as possible.
    cursor: u32,
}

impl AddressPool {
    /// Opens the pool of `cidr`, with the holders that `file` remembers. A file that can't be used (absent, damaged,
    /// of another CIDR) is an empty one: pods say in their status which address they had.
    pub fn open(cidr: IpNet, file: &Path) -> AddressPool {
        let words = (size(&cidr) as usize).div_ceil(64);
        let state = State { used: vec![0; words], by_uid: HashMap::new(), cursor: RESERVED_AT_START };
        let pool = AddressPool { cidr, file: file.to_owned(), state: Mutex::new(state), changed: Notify::new() };
        match checkpoint::read(file) {
            Ok(Some(checkpoint)) if checkpoint.cidr == cidr => {
                for (uid, address) in checkpoint.addresses {
                    pool.reserve(&uid, address);
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(file = %file.display(), %error, "the address checkpoint is not readable"),
        }
        pool
    }

    /// The address `uid` holds.
    pub fn get(&self, uid: &str) -> Option<IpAddr> {
        let offset = self.state.lock().by_uid.get(uid).copied();
        offset.map(|offset| address_at(&self.cidr, offset))
    }

    /// Gives `uid` this very address, if it is one of ours and free (or the UID's already).
    pub fn reserve(&self, uid: &str, address: IpAddr) -> bool {
        let Some(offset) = self.offset_of(address) else { return false };
        let mut state = self.state.lock();
        if let Some(held) = state.by_uid.get(uid) {
            return *held == offset;
        }
        if state.is_used(offset) {
            return false;
        }
        state.take(uid, offset);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// The address of `uid`: the one it holds, or the next free one.
    pub fn allocate(&self, uid: &str) -> Result<IpAddr, AddressError> {
        let mut state = self.state.lock();
        if let Some(offset) = state.by_uid.get(uid) {
            return Ok(address_at(&self.cidr, *offset));
        }
        let (first, end) = self.range();
        let from = if (first..end).contains(&state.cursor) { state.cursor } else { first };
        let free = state.first_free(from, end).or_else(|| state.first_free(first, from));
        let exhausted = AddressError::Exhausted { cidr: self.cidr, total: end.saturating_sub(first) };
        let offset = free.ok_or(exhausted)?;
        state.take(uid, offset);
        state.cursor = offset + 1;
        drop(state);
        self.changed.notify_one();
        Ok(address_at(&self.cidr, offset))
    }

    /// Takes the address back.
    pub fn release(&self, uid: &str) {
        let mut state = self.state.lock();
        if let Some(offset) = state.by_uid.remove(uid) {
            state.used[offset as usize / 64] &= !(1 << (offset % 64));
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Takes back every address whose holder `keep` does not know.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        let gone: Vec<Arc<str>> = self.state.lock().by_uid.keys().filter(|uid| !keep(uid)).cloned().collect();
        for uid in gone {
            self.release(&uid);
        }
    }

    fn range(&self) -> (u32, u32) {
        let size = size(&self.cidr);
        match size {
            0..=2 => (0, size),
            // The last one is IPv4's broadcast address.
            _ => (RESERVED_AT_START, size - 1),
        }
    }

    fn offset_of(&self, address: IpAddr) -> Option<u32> {
        let offset = match (self.cidr.network(), address) {
            (IpAddr::V4(base), IpAddr::V4(it)) => u128::from(u32::from(it)).checked_sub(u32::from(base).into()),
            (IpAddr::V6(base), IpAddr::V6(it)) => u128::from(it).checked_sub(u128::from(base)),
            _ => None,
        }?;
        let (first, end) = self.range();
        u32::try_from(offset).ok().filter(|offset| (first..end).contains(offset))
    }
}

impl State {
    fn is_used(&self, offset: u32) -> bool {
        self.used[offset as usize / 64] & (1 << (offset % 64)) != 0
    }

    fn take(&mut self, uid: &str, offset: u32) {
        debug_assert!(!self.is_used(offset), "an address is given to one pod only");
        self.used[offset as usize / 64] |= 1 << (offset % 64);
        self.by_uid.insert(uid.into(), offset);
    }

    fn first_free(&self, from: u32, end: u32) -> Option<u32> {
        (from..end).find(|offset| !self.is_used(*offset))
    }
}

/// Addresses of the CIDR, as far as this pool goes.
fn size(cidr: &IpNet) -> u32 {
    let bits = cidr.max_prefix_len() - cidr.prefix_len();
    if bits >= 20 { ADDRESSES_LIMIT } else { 1 << bits }
}

fn address_at(cidr: &IpNet, offset: u32) -> IpAddr {
    match cidr.network() {
        IpAddr::V4(base) => IpAddr::V4((u32::from(base) + offset).into()),
        IpAddr::V6(base) => IpAddr::V6((u128::from(base) + u128::from(offset)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(cidr: &str, dir: &Path) -> AddressPool {
        AddressPool::open(cidr.parse().unwrap(), &dir.join("addresses.json"))
    }

    #[test]
    fn addresses_are_distinct_and_run_out_with_a_clear_error() {
        let dir = tempfile::tempdir().unwrap();
        let pool = pool("127.9.0.0/29", dir.path());
        let given: std::collections::BTreeSet<_> = (0..5).map(|n| pool.allocate(&format!("u{n}")).unwrap()).collect();
        assert_eq!(given.len(), 5);
        assert!(given.contains(&"127.9.0.2".parse().unwrap()) && given.contains(&"127.9.0.6".parse().unwrap()));
        let error = pool.allocate("one too many").unwrap_err();
        assert!(error.to_string().starts_with("no free address in the pod CIDR 127.9.0.0/29"), "{error}");
        pool.release("u3");
        assert_eq!(pool.allocate("one too many").unwrap(), "127.9.0.5".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn the_same_uid_keeps_its_address() {
        let dir = tempfile::tempdir().unwrap();
        let pool = pool("127.9.0.0/24", dir.path());
        let first = pool.allocate("a").unwrap();
        assert_eq!(pool.allocate("a").unwrap(), first);
        assert_eq!(pool.get("a"), Some(first));
        assert_eq!(pool.get("b"), None);
    }

    #[test]
    fn a_released_address_rests_before_it_is_given_again() {
        let dir = tempfile::tempdir().unwrap();
        let pool = pool("127.9.0.0/24", dir.path());
        let first = pool.allocate("a").unwrap();
        pool.release("a");
        assert_ne!(pool.allocate("b").unwrap(), first);
    }

    #[test]
    fn only_free_addresses_of_the_cidr_can_be_reserved() {
        let dir = tempfile::tempdir().unwrap();
        let pool = pool("127.9.0.0/24", dir.path());
        assert!(pool.reserve("a", "127.9.0.77".parse().unwrap()));
        assert!(pool.reserve("a", "127.9.0.77".parse().unwrap()));
        assert!(!pool.reserve("a", "127.9.0.78".parse().unwrap()));
        assert!(!pool.reserve("b", "127.9.0.77".parse().unwrap()));
        assert!(!pool.reserve("b", "127.8.0.77".parse().unwrap()));
        assert!(!pool.reserve("b", "::1".parse().unwrap()));
        assert!(!pool.reserve("b", "127.9.0.255".parse().unwrap()));
    }
}
