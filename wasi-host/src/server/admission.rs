//! Who may enter: a bounded number of requests is served, a bounded number waits, the rest is turned away.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::limits;

/// The door of one container's server.
pub(super) struct Admission {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Admission {
    pub(super) fn new(places: usize) -> Admission {
        Admission { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0) }
    }

    /// A place, at once or after waiting for one. None: turned away.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        let _place_in_queue = Queued::join(&self.waiting)?;
        timeout(limits::HTTP_QUEUE_TIMEOUT, self.places.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// A place in the queue, given up when dropped: also when the client leaves while it waits.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn join(waiting: &'a AtomicUsize) -> Option<Queued<'a>> {
        let one_more = |waiting| (waiting < limits::HTTP_QUEUE).then_some(waiting + 1);
        waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Queued(waiting))
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_full_house_makes_wait_and_a_full_queue_turns_away() {
        let door = Admission::new(1);
        let inside = door.enter().await.unwrap();
        let mut queue: Vec<_> = (0..limits::HTTP_QUEUE).map(|_| Box::pin(door.enter())).collect();
        for waiting in &mut queue {
            assert!(waiting.now_or_never().is_none(), "it waits");
        }
        assert!(matches!(door.enter().now_or_never(), Some(None)), "the queue is full: turned away at once");
        queue.pop();
        let mut last = Box::pin(door.enter());
        assert!((&mut last).now_or_never().is_none(), "who leaves makes room in the queue");
        drop(inside);
        assert!(queue[0].as_mut().now_or_never().flatten().is_some(), "the first in the queue is the first inside");
        drop((queue, last));
        assert!(matches!(door.enter().now_or_never(), Some(Some(_))));
    }
}
