//! The places that there are for connections, and who makes room when all are taken.
//!
//! Everybody may connect, so connections cost nothing to who means harm. A connection is a stranger's until it is known
//! whose it is. When there is no place left, the stranger who has been here longest has to go: whoever opens connections
//! and says nothing only drives out his own, and who has business here gets in. Where users share, one who takes more than
//! his part of all places makes room as strangers do ([`book`]).

mod book;

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use book::Book;

/// Whether those who are known make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Users {
    /// Never: there are few of them.
    Stay,
    /// Whoever has more than a part of all places does.
    Share,
}

/// All places.
pub struct Places {
    room: Arc<Semaphore>,
    /// How each connection is told to go.
    book: Mutex<Book<CancellationToken>>,
    /// Told of each connection that has to.
    sent_away: Box<dyn Fn() + Send + Sync>,
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
    /// Set while the book is open, so that both always say the same.
    user: OnceLock<Arc<str>>,
}

impl Places {
    /// So many. `sent_away` is told of each connection that has to make room.
    pub fn new(limit: usize, users: Users, sent_away: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { room, book: Mutex::new(Book::new(limit, users)), sent_away: Box::new(sent_away) })
    }

    /// A place for a connection that has come. Waits if there is none, and nobody who could be sent away.
    pub async fn take(self: &Arc<Self>) -> Place {
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
        Place { guest, gone, _permit: permit }
    }

    fn send_one_away(&self) {
        let gone = self.book.lock().send_away();
        if let Some(gone) = gone {
            gone.cancel();
            (self.sent_away)();
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
        let Acquaintance { places, number, user } = &*self.guest.0;
        let mut book = places.book.lock();
        book.leave(*number, user.get().map(|user| &**user));
    }
}

impl Guest {
    /// It is known now whose connection it is: no stranger's any more. Whoever was known first on it counts.
    pub fn known(&self, user: &str) {
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;

    use super::*;

    /// So many places, in which connections that are sent away are not counted.
    fn places(limit: usize, users: Users) -> Arc<Places> {
        Places::new(limit, users, || {})
    }

    #[tokio::test]
    async fn the_stranger_who_came_first_makes_room_and_who_is_known_never_does() {
        for users in [Users::Stay, Users::Share] {
            strangers_make_room(places(2, users)).await;
        }
    }

    async fn strangers_make_room(places: Arc<Places>) {
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
        let sent_away = Arc::new(AtomicUsize::new(0));
        let count = sent_away.clone();
        let places = Places::new(40, Users::Share, move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
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
        assert_eq!(sent_away.load(Ordering::Relaxed), 1);
        // A request that was in progress does not bring it back.
        taken[0].guest().known("jane");
        drop(taken.remove(0));
        drop((waiting.await, taken, node));
        assert!(places.book.lock().is_empty());
    }

    #[tokio::test]
    async fn where_users_stay_one_may_have_all_places() {
        let places = places(40, Users::Stay);
        let mut taken = Vec::new();
        for _ in 0..40 {
            let place = places.take().await;
            place.guest().known("jane");
            taken.push(place);
        }
        assert!(places.take().now_or_never().is_none());
        assert!(!taken.iter().any(|place| place.gone.is_cancelled()));
    }
}
