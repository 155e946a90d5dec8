//! How many sockets one instance may have open, and which of its places each of them has.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Semaphore;

use crate::limits;

/// The places of one instance. A socket, and every stream made of it, holds one place together: it is one descriptor.
#[derive(Default)]
pub(crate) struct SocketPlaces {
    shared: Arc<Shared>,
    /// The places of the sockets in the instance's table, by their numbers there.
    held: HashMap<u32, Arc<Place>>,
    /// Places that are kept until the instance ends.
    kept: Vec<Arc<Place>>,
}

/// What outlives a call: also known to the check of addresses and to calls that wait.
pub(super) struct Shared {
    free: Semaphore,
    /// Places taken for connections that have been accepted and not yet been seen in the table.
    arrived: AtomicUsize,
    /// Lookups under way (WASI 0.3).
    pub(super) lookups: Semaphore,
    /// Datagrams under way (WASI 0.3).
    pub(super) datagrams: Semaphore,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            free: Semaphore::new(limits::SOCKETS_PER_INSTANCE as usize),
            arrived: AtomicUsize::new(0),
            lookups: Semaphore::new(limits::P3_LOOKUPS_IN_FLIGHT),
            datagrams: Semaphore::new(limits::P3_DATAGRAMS_IN_FLIGHT),
        }
    }
}

/// A place, given back when its last holder is gone.
pub(super) struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.free.add_permits(1);
    }
}

/// Takes places for connections as they are accepted, before any guest sees them.
#[derive(Clone)]
pub(crate) struct Doorman(Arc<Shared>);

impl Doorman {
    /// Waits until there is a place for one more connection, and takes it.
    pub(crate) async fn admit(self) -> bool {
        let Ok(place) = self.0.free.acquire().await else { return false };
        place.forget();
        self.0.arrived.fetch_add(1, Ordering::Relaxed);
        true
    }
}

impl SocketPlaces {
    pub(crate) fn doorman(&self) -> Doorman {
        Doorman(self.shared.clone())
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Whether a connection may be accepted: one has a place already, or there is one.
    pub(super) fn may_accept(&self) -> bool {
        self.shared.arrived.load(Ordering::Relaxed) > 0 || self.shared.free.available_permits() > 0
    }

    /// A place for a socket about to be made. None: there are too many.
    pub(super) fn take(&self) -> Option<Place> {
        self.shared.free.try_acquire().ok()?.forget();
        Some(Place(self.shared.clone()))
    }

    /// Notes that the socket with the number `rep` has `place`.
    pub(super) fn settle(&mut self, rep: u32, place: Place) {
        self.held.insert(rep, Arc::new(place));
    }

    /// The place of a socket, also of one that was accepted and is seen for the first time. None: it never was open.
    pub(super) fn of(&mut self, rep: u32) -> Option<Arc<Place>> {
        if let Some(place) = self.held.get(&rep) {
            return Some(place.clone());
        }
        let one_less = |arrived: usize| arrived.checked_sub(1);
        self.shared.arrived.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).ok()?;
        let place = Arc::new(Place(self.shared.clone()));
        self.held.insert(rep, place.clone());
        Some(place)
    }

    /// Keeps a socket's place until the instance ends, because nobody will hear of its end.
    pub(super) fn keep(&mut self, rep: u32) {
        let place = self.of(rep);
        self.kept.extend(place);
    }

    /// The socket has left the table. Its place is free when its streams are gone, too.
    pub(super) fn leave(&mut self, rep: u32) {
        self.of(rep);
        self.held.remove(&rep);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn free(places: &SocketPlaces) -> usize {
        places.shared.free.available_permits()
    }

    const ALL: usize = limits::SOCKETS_PER_INSTANCE as usize;

    #[test]
    fn a_place_is_free_when_socket_and_streams_are_gone() {
        let mut places = SocketPlaces::default();
        let place = places.take().unwrap();
        places.settle(7, place);
        let stream = places.of(7).unwrap();
        places.leave(7);
        assert_eq!(free(&places), ALL - 1, "its stream is still open");
        drop(stream);
        assert_eq!(free(&places), ALL);
        let place = places.take().unwrap();
        places.settle(8, place);
        places.keep(8);
        places.leave(8);
        assert_eq!(free(&places), ALL - 1, "kept for good");
    }

    #[test]
    fn there_are_only_so_many() {
        let places = SocketPlaces::default();
        let taken: Vec<_> = (0..ALL).map(|_| places.take().unwrap()).collect();
        assert!(places.take().is_none() && !places.may_accept());
        drop(taken);
        assert!(places.take().is_some());
    }

    #[test]
    fn connections_wait_for_a_place_and_have_it_before_they_are_seen() {
        let mut places = SocketPlaces::default();
        let mut taken: Vec<_> = (0..ALL).map(|_| places.take().unwrap()).collect();
        let mut waiting = Box::pin(places.doorman().admit());
        assert!((&mut waiting).now_or_never().is_none());
        taken.pop();
        assert_eq!(waiting.now_or_never(), Some(true));
        assert!(places.take().is_none() && places.may_accept());
        assert!(places.of(3).is_some());
        places.leave(3);
        assert_eq!(free(&places), 1);
        places.leave(4);
        assert_eq!(free(&places), 1, "what never had a place gives none back");
    }
}
