//! The places that there are for connections, and who makes room when all are taken.
//!
//! Everybody may connect, so connections cost nothing to who means harm. A connection is a stranger's until somebody on it
//! has been let in. When there is no place left, the stranger who has been here longest has to go, as at the API server:
//! whoever opens connections and says nothing only drives out his own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// All places.
pub struct Places {
    room: Arc<Semaphore>,
    strangers: Mutex<Strangers>,
}

/// The connections of strangers, by when they came. There are at most as many as places.
#[derive(Default)]
struct Strangers {
    next: u64,
    here: BTreeMap<u64, CancellationToken>,
}

/// The place of one connection, free again when this is dropped.
pub struct Place {
    guest: Guest,
    /// Cancelled when the connection has to go.
    pub gone: CancellationToken,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Whose connection it is that a request came by: among the request's extensions.
#[derive(Clone)]
pub struct Guest(Arc<Acquaintance>);

struct Acquaintance {
    places: Arc<Places>,
    number: u64,
    known: AtomicBool,
}

impl Places {
    /// So many.
    pub fn new(limit: usize) -> Arc<Places> {
        let room = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Arc::new(Places { room, strangers: Mutex::default() })
    }

    /// A place for a connection that has come. Waits if there is none, and nobody who could be sent away.
    pub async fn take(self: &Arc<Self>) -> Place {
        let permit = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                self.send_one_away();
                // The semaphore is never closed, so there is always a permit in the end.
                Arc::clone(&self.room).acquire_owned().await.ok()
            }
        };
        let gone = CancellationToken::new();
        let mut strangers = self.strangers.lock();
        let number = strangers.next;
        strangers.next += 1;
        strangers.here.insert(number, gone.clone());
        let guest = Guest(Arc::new(Acquaintance { places: Arc::clone(self), number, known: AtomicBool::new(false) }));
        Place { guest, gone, _permit: permit }
    }

    fn send_one_away(&self) {
        if let Some((_, oldest)) = self.strangers.lock().here.pop_first() {
            oldest.cancel();
        }
    }
}

impl Place {
    /// For the requests on this connection.
    pub fn guest(&self) -> Guest {
        self.guest.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guest.known();
    }
}

impl Guest {
    /// Somebody on this connection has been let in: it is no stranger's any more.
    pub fn known(&self) {
        if !self.0.known.swap(true, Ordering::Relaxed) {
            self.0.places.strangers.lock().here.remove(&self.0.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_stranger_who_came_first_makes_room_and_who_was_let_in_never_does() {
        let places = Places::new(2);
        let known = places.take().await;
        known.guest().known();
        let stranger = places.take().await;
        let mut waiting = Box::pin(places.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(stranger.gone.is_cancelled() && !known.gone.is_cancelled());
        drop(stranger);
        let newcomer = waiting.await;
        newcomer.guest().known();
        assert!(places.take().now_or_never().is_none());
        assert!(!known.gone.is_cancelled() && !newcomer.gone.is_cancelled());
        drop((known, newcomer));
        assert!(places.strangers.lock().here.is_empty());
    }
}
