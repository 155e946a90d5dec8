//! One watcher: a place in a topic's events, read at the watcher's own pace. Nothing is queued per
//! watcher, so a slow one costs nothing; one that falls behind the history ends with [`WatchError::Expired`].

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use crate::event::Event;
use crate::key::WatchScope;
use crate::ring::{Ring, wanted};
use crate::topic::{End, Topic};

/// How many events the stream form takes out of the topic at a time.
const STREAM_BATCH: usize = 64;

/// A revision that is no longer (or not) in the history. Clients get 410 and list again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {requested} ({oldest})")]
pub struct Expired {
    /// What was asked for.
    pub requested: u64,
    /// The oldest revision that can be asked for.
    pub oldest: u64,
}

/// Why a watch cannot start, or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The history does not reach back that far any more.
    #[error(transparent)]
    Expired(#[from] Expired),
    /// The store is shut down.
    #[error("the store is shut down")]
    Closed,
}

/// A watch in progress. Events come in order of their revision; those of one transaction share it.
///
/// As a [`Stream`] it gives single events and ends after an error or with the store; [`Watch::next_batch`]
/// gives whatever is there at once. Both may be dropped while waiting without losing anything.
pub struct Watch {
    ring: Arc<Ring>,
    topic: Arc<Topic>,
    scope: WatchScope,
    id: u64,
    position: u64,
    from: u64,
    progress: u64,
    ended: bool,
    ready: std::vec::IntoIter<Arc<Event>>,
}

impl Watch {
    pub(crate) fn new(
        ring: Arc<Ring>,
        topic: Arc<Topic>,
        scope: WatchScope,
        id: u64,
        position: u64,
        from: u64,
    ) -> Self {
        let ready = Vec::new().into_iter();
        Self { ring, topic, scope, id, position, from, progress: from, ended: false, ready }
    }

    /// The next events, about `max` of them (at least one; the events of one transaction are not torn apart,
    /// so it may be a few more). Waits while there are none. `None` when the store is shut down or after an error.
    pub async fn next_batch(&mut self, max: usize) -> Option<Result<Vec<Arc<Event>>, WatchError>> {
        poll_fn(|cx| self.poll_batch(cx, max)).await
    }

    /// The revision up to which this watcher has been given everything it is about: what a bookmark says.
    /// Never goes back. In stream form events that wait inside are not counted as given.
    pub fn progress(&self) -> u64 {
        if let Some(waiting) = self.ready.as_slice().first() {
            return self.progress.min(waiting.revision - 1);
        }
        // Read before the topic: everything up to it is in the topic by now.
        let published = self.ring.published();
        let feed = self.topic.feed.lock();
        let drained = self.position == feed.next() && feed.end.is_none();
        if drained { self.progress.max(published) } else { self.progress }
    }

    /// Takes part of the current events, or leaves `cx` to be woken.
    pub fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Option<Result<Vec<Arc<Event>>, WatchError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // Read before the topic: everything up to it is in the topic by now.
        let published = self.ring.published();
        let mut batch = Vec::new();
        let mut feed = self.topic.feed.lock();
        if self.position < feed.base || feed.end == Some(End::Expired) {
            drop(feed);
            self.ended = true;
            let expired = Expired { requested: self.progress, oldest: self.ring.compacted() };
            return Poll::Ready(Some(Err(expired.into())));
        }
        let start = (self.position - feed.base) as usize;
        let mut last = None;
        for event in feed.events.range(start..) {
            if batch.len() >= max.max(1) && last != Some(event.revision) {
                break;
            }
            last = Some(event.revision);
            self.position += 1;
            if wanted(&self.scope, self.from, event) {
                batch.push(event.clone());
            }
        }
        let drained = self.position == feed.next();
        let reached = if drained { last.unwrap_or(0).max(published) } else { last.unwrap_or(0) };
        self.progress = self.progress.max(reached);
        if !batch.is_empty() {
            return Poll::Ready(Some(Ok(batch)));
        }
        if feed.end.is_some() {
            drop(feed);
            self.ended = true;
            return Poll::Ready(None);
        }
        feed.wakers.insert(self.id, cx.waker().clone());
        Poll::Pending
    }
}

impl Stream for Watch {
    type Item = Result<Arc<Event>, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.ready.next() {
            return Poll::Ready(Some(Ok(event)));
        }
        match self.poll_batch(cx, STREAM_BATCH) {
            Poll::Ready(Some(Ok(batch))) => {
                self.ready = batch.into_iter();
                Poll::Ready(self.ready.next().map(Ok))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ring.leave(&self.topic, self.id);
    }
}
