//! The places that there are for connections, and who makes room when all are taken.
//!
//! Everybody may connect, so connections cost nothing to who means harm. A connection is a stranger's until a request on
//! it, or its certificate, proves whose it is. When there is no place left, the stranger who has been here longest has to
//! go: whoever opens connections and says nothing only drives out his own, and who has business here gets in. A user who
//! takes more than his part of all places makes room as strangers do ([`book`]).

mod book;

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::metrics::{Metrics, Open};
use book::Book;

/// All places.
pub(crate) struct Places {
    room: Arc<Semaphore>,
    /// How each connection is told to go.
    book: Mutex<Book<CancellationToken>>,
    metrics: Metrics,
}

/// The place of one connection, free again when this is dropped.
pub(crate) struct Place {
    guest: Guest,
    /// Cancelled when the connection has to go.
    pub(crate) gone: CancellationToken,
    _open: Open,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Whose connection it is that a request came by: among the request's extensions.
#[derive(Clone)]
pub(crate) struct Guest(Arc<Acquaintance>);

struct Acquaintance {
    places: Arc<Places>,
    number: u64,
    /// Set while the book is open, so that both always say the same.
    user: OnceLock<Arc<str>>,
}

impl Places {
    /// So many.
    pub(crate) fn new(limit: usize, metrics: Metrics) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { room, book: Mutex::new(Book::new(limit)), metrics })
    }

    /// A place for a connection that has come. Waits if there is none, and nobody who could be sent away.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        let permit = match self.room.clone().try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                self.send_one_away();
                // The semaphore is never closed, so there is always a permit in the end.
                self.room.clone().acquire_owned().await.ok()
            }
        };
        let gone = CancellationToken::new();
        let number = self.book.lock().enter(gone.clone());
        let guest = Guest(Arc::new(Acquaintance { places: self.clone(), number, user: OnceLock::new() }));
        Place { guest, gone, _open: self.metrics.connected(), _permit: permit }
    }

    fn send_one_away(&self) {
        let gone = self.book.lock().send_away();
        if let Some(gone) = gone {
            gone.cancel();
            self.metrics.sent_away();
        }
    }
}

impl Place {
    /// For the requests on this connection.
    pub(crate) fn guest(&self) -> Guest {
        self.guest.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Acquaintance { places, number, user } = &*self.guest.0;
        let mut book = places.book.lock();
        book.leave(*number, user.get().map(|user| &**user));
    }
}

impl Guest {
    /// It is known now whose connection it is: no stranger's any more. Whoever was known first on it counts.
    pub(crate) fn known(&self, user: &str) {
        let acquaintance = &*self.0;
        if acquaintance.user.get().is_some() {
            return;
        }
        let mut book = acquaintance.places.book.lock();
        if let Some(user) = book.introduce(acquaintance.number, user) {
            let _ = acquaintance.user.set(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_stranger_who_came_first_makes_room_and_who_is_known_never_does() {
        let places = Places::new(2, Metrics::default());
        let known = places.take().await;
        known.guest().known("jane");
        let stranger = places.take().await;
        let mut waiting = Box::pin(places.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(stranger.gone.is_cancelled() && !known.gone.is_cancelled());
        drop(stranger);
        let newcomer = waiting.await;
        newcomer.guest().known("jane");
        assert!(places.take().now_or_never().is_none());
        assert!(!known.gone.is_cancelled() && !newcomer.gone.is_cancelled());
        drop((known, newcomer));
        assert!(places.book.lock().is_empty());
    }

    #[tokio::test]
    async fn a_user_who_has_taken_all_places_makes_room() {
        let places = Places::new(40, Metrics::default());
        let node = places.take().await;
        node.guest().known("system:node:n");
        let mut taken = Vec::new();
        for _ in 0..39 {
            let place = places.take().await;
            place.guest().known("jane");
            taken.push(place);
        }
        let mut waiting = Box::pin(places.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        let gone: Vec<bool> = taken.iter().map(|place| place.gone.is_cancelled()).collect();
        assert!(gone[0] && !gone[1..].contains(&true) && !node.gone.is_cancelled());
        // A request that was in progress does not bring it back.
        taken[0].guest().known("jane");
        drop(taken.remove(0));
        drop((waiting.await, taken, node));
        assert!(places.book.lock().is_empty());
    }
}
