//! Answers that nobody takes: they end, so that a client that asks and does not read keeps nothing for long.
//!
//! HTTP asks a body for its next piece when the last one has left, into the socket or within the window of an HTTP/2
//! stream. How long that takes is the client's pace. An answer whose client stands still for too long is dropped: over
//! HTTP/2 its stream is reset and the connection lives on with the others, over HTTP/1 the connection ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::metrics::Metrics;

/// Bytes that are handed to a connection at a time: what one answer may have in its buffers, and what a client takes to
/// have moved.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

tokio::task_local! {
    /// The pace of what this task sends.
    static PACE: Arc<Pace>;
}

/// Since when a piece waits for the client to take it; `None` while the client waits for the server.
#[derive(Default)]
pub(crate) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// A piece was handed over.
    fn handed(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// All has been taken.
    fn taken(&self) {
        *self.0.lock() = None;
    }

    /// Completes when a piece has waited for so long.
    async fn stalled(&self, limit: Duration) {
        loop {
            let since = *self.0.lock();
            let until = since.unwrap_or_else(Instant::now) + limit;
            if since.is_some() && until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// Runs what sends answers, one after the other. `None`: a client has not taken a piece for so long.
pub(crate) async fn paced<F: Future>(limit: Duration, sending: F) -> Option<F::Output> {
    let pace = Arc::<Pace>::default();
    tokio::select! {
        biased;
        sent = PACE.scope(pace.clone(), sending) => Some(sent),
        () = pace.stalled(limit) => None,
    }
}

/// Runs each stream of an HTTP/2 connection, at its client's pace. A stream that is dropped is reset.
#[derive(Clone)]
pub(crate) struct Streams {
    pub(crate) limit: Duration,
    pub(crate) metrics: Metrics,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let Self { limit, metrics } = self.clone();
        tokio::spawn(async move {
            if paced(limit, stream).await.is_none() {
                metrics.stalled();
            }
        });
    }
}

/// A body in pieces of a size, which keeps its task's pace.
pub(crate) struct Paced {
    body: Body,
    /// What is left of a larger piece.
    rest: Bytes,
    pace: Arc<Pace>,
}

impl Paced {
    /// The body of an answer that this task sends.
    pub(crate) fn new(body: Body) -> Self {
        Self { body, rest: Bytes::new(), pace: PACE.try_with(Arc::clone).unwrap_or_default() }
    }

    /// The next piece of what is left.
    fn cut(&mut self) -> Frame<Bytes> {
        self.pace.handed();
        Frame::data(self.rest.split_to(self.rest.len().min(PIECE_BYTES)))
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.pace.taken();
    }
}

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.cut())));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let frame = match polled {
            Poll::Ready(Some(Ok(frame))) => frame,
            other => {
                self.pace.taken();
                return other;
            }
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(data) => {
                self.rest = data;
                self.cut()
            }
            Err(other) => other,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole.set_lower(hint.lower() + rest);
        whole
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;
    use hyper::body::Body as _;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(500);

    /// A body of two frames, the first of which is larger than a piece.
    fn body() -> Body {
        let frames = [Bytes::from(vec![b'x'; PIECE_BYTES + 1]), Bytes::from_static(b"y")];
        Body::from_stream(futures::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)))
    }

    #[tokio::test]
    async fn who_takes_every_piece_in_time_gets_all() {
        let taking = async {
            let (mut paced, mut sizes) = (Paced::new(body()), Vec::new());
            while let Some(frame) = paced.frame().await {
                sizes.push(frame.unwrap().into_data().unwrap().len());
                tokio::time::sleep(LIMIT / 5).await;
            }
            sizes
        };
        assert_eq!(paced(LIMIT, taking).await, Some(vec![PIECE_BYTES, 1, 1]));
    }

    #[tokio::test]
    async fn who_stands_still_is_dropped_and_who_waits_for_the_server_is_not() {
        let stands_still = async {
            let mut paced = Paced::new(body());
            let _first = paced.frame().await;
            std::future::pending::<()>().await;
        };
        assert!(paced(LIMIT, stands_still).await.is_none());
        let waits = async {
            let quiet = futures::stream::pending::<Result<Bytes, std::convert::Infallible>>();
            let mut paced = Paced::new(Body::from_stream(quiet));
            tokio::time::timeout(3 * LIMIT, paced.frame()).await.is_err()
        };
        assert_eq!(paced(LIMIT, waits).await, Some(true));
    }

    #[test]
    fn a_body_keeps_its_size() {
        let mut paced = Paced::new(Body::from(vec![0; PIECE_BYTES + 1]));
        assert_eq!(paced.size_hint().exact(), Some(PIECE_BYTES as u64 + 1));
        assert!(paced.frame().now_or_never().is_some());
        assert_eq!((paced.size_hint().exact(), paced.is_end_stream()), (Some(1), false));
    }
}
