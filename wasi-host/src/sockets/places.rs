//! How many sockets one instance may have open, and which of its places each of them has.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::faces::Faces;
use crate::{
    descriptors::{Descriptor, DescriptorBudget},
    limits,
};

/// The places of one instance. A socket, and every stream made of it, holds one place together: it is one descriptor.
pub(crate) struct SocketPlaces {
    shared: Arc<Shared>,
    /// The places of the sockets in the instance's table, by their numbers there.
    held: HashMap<u32, Arc<Place>>,
    /// Places that are kept until the instance ends.
    kept: Vec<Arc<Place>>,
    /// What the guest knows of their addresses.
    pub(super) faces: Faces,
}

/// What outlives a call: also known to the check of addresses and to calls that wait.
pub(super) struct Shared {
    free: Semaphore,
    /// The descriptors that its container may have.
    descriptors: Arc<DescriptorBudget>,
    /// Leave for the connections that have been accepted and not yet been seen in the table; each has taken a place.
    arrived: Mutex<Vec<Descriptor>>,
    /// Lookups under way (WASI 0.3).
    pub(super) lookups: Semaphore,
    /// Datagrams under way (WASI 0.3).
    pub(super) datagrams: Semaphore,
}

impl Shared {
    fn new(descriptors: Arc<DescriptorBudget>) -> Shared {
        Shared {
            free: Semaphore::new(limits::SOCKETS_PER_INSTANCE as usize),
            descriptors,
            arrived: Mutex::default(),
            lookups: Semaphore::new(limits::P3_LOOKUPS_IN_FLIGHT),
            datagrams: Semaphore::new(limits::P3_DATAGRAMS_IN_FLIGHT),
        }
    }
}

/// A place, given back with the leave for its descriptor when its last holder is gone.
pub(super) struct Place {
    shared: Arc<Shared>,
    _descriptor: Descriptor,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.free.add_permits(1);
    }
}

/// Takes places for connections as they are accepted, before any guest sees them.
#[derive(Clone)]
pub(crate) struct Doorman(Arc<Shared>);

impl Doorman {
    /// Waits until there is a place for one more connection, and a descriptor, and takes them.
    pub(crate) async fn admit(self) -> bool {
        let Ok(place) = self.0.free.acquire().await else { return false };
        let descriptor = loop {
            match self.0.descriptors.take() {
                Some(descriptor) => break descriptor,
                // Others give them back, who know nothing of this instance.
                None => tokio::time::sleep(limits::ACCEPT_PAUSE).await,
            }
        };
        place.forget();
        self.0.arrived.lock().push(descriptor);
        true
    }
}

impl SocketPlaces {
    /// Places whose descriptors are part of `descriptors`.
    pub(crate) fn new(descriptors: Arc<DescriptorBudget>) -> SocketPlaces {
        let shared = Arc::new(Shared::new(descriptors));
        SocketPlaces { shared, held: HashMap::new(), kept: Vec::new(), faces: Faces::default() }
    }

    pub(crate) fn doorman(&self) -> Doorman {
        Doorman(self.shared.clone())
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Whether a connection may be accepted: one has a place already, or there is one.
    pub(super) fn may_accept(&self) -> bool {
        let shared = &self.shared;
        let has_room = || shared.free.available_permits() > 0 && shared.descriptors.has_room();
        !shared.arrived.lock().is_empty() || has_room()
    }

    /// A place for a socket about to be made. None: there are too many.
    pub(super) fn take(&self) -> Option<Place> {
        let place = self.shared.free.try_acquire().ok()?;
        let descriptor = self.shared.descriptors.take()?;
        place.forget();
        Some(self.place(descriptor))
    }

    fn place(&self, descriptor: Descriptor) -> Place {
        Place { shared: self.shared.clone(), _descriptor: descriptor }
    }

    /// Notes that the socket with the number `rep` has `place`.
    pub(super) fn settle(&mut self, rep: u32, place: Place) {
        self.held.insert(rep, Arc::new(place));
        self.faces.made(rep);
    }

    /// The place of a socket, also of one that was accepted and is seen for the first time. None: it never was open.
    pub(super) fn of(&mut self, rep: u32) -> Option<Arc<Place>> {
        if let Some(place) = self.held.get(&rep) {
            return Some(place.clone());
        }
        let descriptor = self.shared.arrived.lock().pop()?;
        let place = Arc::new(self.place(descriptor));
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
        self.faces.forget(rep);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn free(places: &SocketPlaces) -> usize {
        places.shared.free.available_permits()
    }

    fn places() -> SocketPlaces {
        SocketPlaces::new(DescriptorBudget::new(usize::MAX, None))
    }

    const ALL: usize = limits::SOCKETS_PER_INSTANCE as usize;

    #[test]
    fn a_place_is_free_when_socket_and_streams_are_gone() {
        let mut places = places();
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
        let places = places();
        let taken: Vec<_> = (0..ALL).map(|_| places.take().unwrap()).collect();
        assert!(places.take().is_none() && !places.may_accept());
        drop(taken);
        assert!(places.take().is_some());
    }

    #[test]
    fn connections_wait_for_a_place_and_have_it_before_they_are_seen() {
        let mut places = places();
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

    #[tokio::test]
    async fn a_place_is_worth_nothing_without_a_descriptor() {
        let budget = DescriptorBudget::new(2, None);
        let (mut one, other) = (SocketPlaces::new(budget.clone()), SocketPlaces::new(budget));
        let taken = (one.take().unwrap(), other.take().unwrap());
        assert!(one.take().is_none() && !one.may_accept());
        assert_eq!(free(&one), ALL - 1, "no place is lost");
        let waiting = tokio::spawn(one.doorman().admit());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(taken.1);
        assert!(waiting.await.unwrap());
        assert!(one.may_accept() && other.take().is_none());
        one.of(3).unwrap();
        one.leave(3);
        assert!(other.take().is_some());
    }
}
