//! Connections on which nothing happens: they end, so that nobody keeps all places by opening connections and saying
//! nothing. How long they are kept is said by whoever listens.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What happens on one connection.
pub struct Activity {
    state: Mutex<State>,
    /// How long a connection without a request in progress is kept for the next one.
    between: Duration,
}

struct State {
    /// Requests whose answers have not been sent to their ends.
    in_progress: usize,
    /// When the connection ends if nothing happens until then.
    until: Instant,
}

/// A request in progress.
pub struct Busy(Arc<Activity>);

impl Activity {
    /// A connection that was made now. It has so long to its first request, and `between` from one to the next.
    pub fn begin(first: Duration, between: Duration) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { in_progress: 0, until: Instant::now() + first }), between })
    }

    /// A request came.
    pub fn request(self: &Arc<Self>) -> Busy {
        self.state.lock().in_progress += 1;
        Busy(self.clone())
    }

    /// Completes when the connection has been idle for too long.
    pub async fn idle(&self) {
        while let Some(until) = self.end(Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Completes when the connection has to end: it has been idle for too long, or all are to.
    pub async fn over(&self, shutdown: &CancellationToken) {
        shutdown.run_until_cancelled(self.idle()).await;
    }

    /// When to look next; `None`: it is over.
    fn end(&self, now: Instant) -> Option<Instant> {
        let state = self.state.lock();
        // A request that is over may have left less time than there was before it.
        let next = now + self.between;
        match state.in_progress {
            0 => Some(state.until.min(next)).filter(|_| state.until > now),
            _ => Some(next),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.in_progress -= 1;
        state.until = Instant::now() + self.0.between;
    }
}

impl Busy {
    /// The body of the request's answer: at its end, or when nobody wants it any more, the request is over.
    pub fn until_end_of<B>(self, body: B) -> Held<B> {
        Held { body, _busy: self }
    }
}

/// The body of an answer whose request is in progress.
pub struct Held<B> {
    body: B,
    _busy: Busy,
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    const FIRST: Duration = Duration::from_secs(32);
    const BETWEEN: Duration = Duration::from_secs(90);
    const MOMENT: Duration = Duration::from_secs(1);

    /// Whether the connection is over when this much time has passed from now on.
    fn is_over_in(activity: &Activity, time: Duration) -> bool {
        activity.end(Instant::now() + time).is_none()
    }

    #[test]
    fn who_asks_nothing_is_not_kept() {
        let activity = Activity::begin(FIRST, BETWEEN);
        assert!(!is_over_in(&activity, FIRST - MOMENT));
        assert!(is_over_in(&activity, FIRST));
    }

    #[tokio::test]
    async fn what_is_left_after_a_request_counts_though_there_was_more_before() {
        let activity = Activity::begin(60 * BETWEEN, Duration::from_millis(50));
        let idle = activity.clone();
        let idle = tokio::spawn(async move { idle.idle().await });
        drop(activity.request());
        tokio::time::timeout(BETWEEN, idle).await.expect("it ends").unwrap();
    }

    #[test]
    fn a_request_keeps_its_connection_and_leaves_time_for_the_next() {
        let activity = Activity::begin(FIRST, BETWEEN);
        let (first, second) = (activity.request(), activity.request());
        assert!(!is_over_in(&activity, 10 * BETWEEN));
        drop(first);
        assert!(!is_over_in(&activity, 10 * BETWEEN));
        let body = second.until_end_of(Full::new(&b"text"[..]));
        assert_eq!(body.size_hint().exact(), Some(4));
        assert!(!is_over_in(&activity, 10 * BETWEEN));
        drop(body);
        assert!(!is_over_in(&activity, BETWEEN - MOMENT));
        assert!(is_over_in(&activity, BETWEEN));
    }
}
