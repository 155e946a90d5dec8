//! Connections on which nothing happens: they end, so that nobody keeps all places by opening connections and saying
//! nothing. How long they are kept is said by `Limits::first_request` and `Limits::idle`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::pace::Paced;

/// What happens on one connection.
pub(crate) struct Activity {
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
pub(crate) struct Busy(Arc<Activity>);

impl Activity {
    /// A connection that was made now. It has so long to its first request, and `between` from one to the next.
    pub(crate) fn begin(first: Duration, between: Duration) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { in_progress: 0, until: Instant::now() + first }), between })
    }

    /// A request came.
    pub(crate) fn request(self: &Arc<Self>) -> Busy {
        self.state.lock().in_progress += 1;
        Busy(self.clone())
    }

    /// Completes when the connection has been idle for too long.
    pub(crate) async fn idle(&self) {
        while let Some(until) = self.end(Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }

    /// When to look next; `None`: it is over.
    fn end(&self, now: Instant) -> Option<Instant> {
        let state = self.state.lock();
        match state.in_progress {
            0 => Some(state.until).filter(|until| *until > now),
            _ => Some(now + self.between),
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
    pub(crate) fn until_end_of(self, body: Body) -> Body {
        Body::new(Answer { body: Paced::new(body), _busy: self })
    }
}

struct Answer {
    body: Paced,
    _busy: Busy,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
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

    #[test]
    fn a_request_keeps_its_connection_and_leaves_time_for_the_next() {
        let activity = Activity::begin(FIRST, BETWEEN);
        let (first, second) = (activity.request(), activity.request());
        assert!(!is_over_in(&activity, 10 * BETWEEN));
        drop(first);
        assert!(!is_over_in(&activity, 10 * BETWEEN));
        let body = second.until_end_of(Body::from("text"));
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), Some(4));
        assert!(!is_over_in(&activity, 10 * BETWEEN));
        drop(body);
        assert!(!is_over_in(&activity, BETWEEN - MOMENT));
        assert!(is_over_in(&activity, BETWEEN));
    }
}
