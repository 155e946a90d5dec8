//! Answers that have to be over at a time: what a server behind this one is still sending then is cut off.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::outbound::OutboundError;

/// A body that breaks off when its time is over, so that the client does not take a part for the whole.
pub(super) struct Timely {
    body: Body,
    over: Pin<Box<Sleep>>,
}

impl Timely {
    /// The body, until then.
    pub(super) fn new(body: Body, until: Instant) -> Self {
        Self { body, over: Box::pin(tokio::time::sleep_until(until)) }
    }
}

impl hyper::body::Body for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Asked first, and of the clock too: a body that always has more lets neither time be over nor timers run.
        if self.over.deadline() <= Instant::now() || self.over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(OutboundError::Timeout))));
        }
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
    use std::convert::Infallible;
    use std::time::Duration;

    use futures::{StreamExt, stream};
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_body_that_ends_in_time_is_whole() {
        let until = Instant::now() + Duration::from_secs(600);
        let whole = Timely::new(Body::from("text"), until).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "text");
    }

    #[tokio::test]
    async fn a_body_that_goes_on_breaks_off() {
        let endless = || stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"x")));
        for body in [Body::from_stream(endless()), Body::from_stream(endless().take(1).chain(stream::pending()))] {
            let until = Instant::now() + Duration::from_millis(10);
            assert!(Timely::new(body, until).collect().await.is_err());
        }
    }
}
