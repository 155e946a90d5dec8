//! Connections on which nothing is asked: a server has only so many, and clients that say nothing would keep the others out.
//!
//! hyper's own timeouts begin when it knows which HTTP it is spoken to, and end with the first request of HTTP/2.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};

/// What was asked on one connection, and what of that is over.
#[derive(Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    over: AtomicU64,
}

impl Activity {
    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }

    /// Returns when nothing has been under way for `timeout`, and before it is twice that.
    pub(super) async fn unused(self: Arc<Self>, timeout: Duration) {
        loop {
            let begun = self.begun.load(Ordering::Acquire);
            let idle = self.over.load(Ordering::Acquire) == begun;
            tokio::time::sleep(timeout).await;
            if idle && self.begun.load(Ordering::Acquire) == begun {
                return;
            }
        }
    }
}

/// A request, until its answer has been sent or given up.
pub(super) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.over.fetch_add(1, Ordering::AcqRel);
    }
}

/// An answer's body, whose request is under way as long as it is there.
pub(super) struct Answer<B> {
    body: B,
    _request: UnderWay,
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, request: UnderWay) -> Answer<B> {
        Answer { body, _request: request }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
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
    use std::time::Instant;

    use tokio::time::sleep;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_connection_is_unused_when_nothing_is_under_way() {
        let (activity, begun) = (Arc::new(Activity::default()), Instant::now());
        Arc::clone(&activity).unused(TIMEOUT).await;
        assert!(begun.elapsed() >= TIMEOUT, "nothing was ever asked");

        let (begun, request) = (Instant::now(), activity.begin());
        let long = async {
            sleep(TIMEOUT * 3).await;
            drop(request);
        };
        tokio::join!(Arc::clone(&activity).unused(TIMEOUT), long);
        assert!(begun.elapsed() >= TIMEOUT * 4, "a request may take its time");
    }

    #[tokio::test]
    async fn an_answer_is_under_way_until_it_is_sent() {
        let activity = Arc::new(Activity::default());
        let body = http_body_util::Full::new(bytes::Bytes::from_static(b"text"));
        let answer = Answer::new(body, activity.begin());
        assert_eq!(answer.size_hint().exact(), Some(4));
        let (begun, sent) = (Instant::now(), async {
            sleep(TIMEOUT * 2).await;
            http_body_util::BodyExt::collect(answer).await.unwrap().to_bytes()
        });
        let ((), bytes) = tokio::join!(activity.unused(TIMEOUT), sent);
        assert_eq!(bytes, "text");
        assert!(begun.elapsed() >= TIMEOUT * 3);
    }
}
