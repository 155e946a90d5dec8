//! The body of an answer by WASI 0.3: it is read before or after its instance has ended, and says when it is over.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, p2::body::HyperOutgoingBody};

/// Pieces of a body that are taken in before it is handed out: its data and its trailers.
const PIECES_AHEAD: usize = 4;

/// How a body went.
type Sent = Result<(), Error>;

/// Tells that a body is over, to the guest that made it and to whoever keeps its instance.
pub(super) struct Over {
    guest: oneshot::Sender<Sent>,
    _host: oneshot::Sender<()>,
}

/// The other ends of [`Over`].
pub(super) struct End<F> {
    /// What the guest is told.
    pub(super) for_guest: F,
    /// Completes, with an error, when the body is over.
    pub(super) for_host: oneshot::Receiver<()>,
}

impl Over {
    pub(super) fn new() -> (Over, End<impl Future<Output = Sent> + Send + 'static>) {
        let (guest, told) = oneshot::channel();
        let (host, for_host) = oneshot::channel();
        let for_guest = async move { told.await.unwrap_or(Ok(())) };
        (Over { guest, _host: host }, End { for_guest, for_host })
    }
}

/// A body with what has been taken of it ahead.
pub(super) struct TrackedBody {
    ahead: VecDeque<Frame<Bytes>>,
    /// None: all that is left is what was taken ahead.
    rest: Option<HyperOutgoingBody>,
    /// The instance ended before its time: what looks like the end of the body is none.
    aborted: Arc<AtomicBool>,
    over: Option<Over>,
}

impl TrackedBody {
    pub(super) fn new(body: HyperOutgoingBody, aborted: Arc<AtomicBool>, over: Over) -> TrackedBody {
        TrackedBody { ahead: VecDeque::new(), rest: Some(body), aborted, over: Some(over) }
    }

    /// Takes in what there is without waiting. True: that is the whole body, and the instance is not needed for it.
    pub(super) fn take_in(&mut self) -> Result<bool, Error> {
        let mut cx = Context::from_waker(Waker::noop());
        while self.ahead.len() < PIECES_AHEAD
            && let Some(rest) = &mut self.rest
        {
            match Pin::new(rest).poll_frame(&mut cx) {
                Poll::Ready(Some(piece)) => self.ahead.push_back(piece?),
                Poll::Ready(None) => self.rest = None,
                Poll::Pending => break,
            }
        }
        Ok(self.rest.is_none())
    }

    fn is_over(&mut self, sent: Sent) {
        if let Some(over) = self.over.take() {
            // The guest may have no interest in it.
            let _ = over.guest.send(sent);
        }
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        let polled = match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        };
        match &polled {
            Poll::Ready(None) if self.rest.is_some() && self.aborted.load(Ordering::Acquire) => {
                self.is_over(Err(Error::HttpResponseIncomplete));
                return Poll::Ready(Some(Err(Error::HttpResponseIncomplete)));
            }
            Poll::Ready(None) => self.is_over(Ok(())),
            Poll::Ready(Some(Err(_))) => self.is_over(Err(Error::ConnectionTerminated)),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty()
            && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream() && !self.aborted.load(Ordering::Acquire))
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: u64 = self.ahead.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
        let Some(rest) = &self.rest else { return SizeHint::with_exact(ahead) };
        let rest = rest.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint.set_lower(rest.lower().saturating_add(ahead));
        hint
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        let sent = if self.is_end_stream() { Ok(()) } else { Err(Error::ConnectionTerminated) };
        self.is_over(sent);
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};
    use http::HeaderMap;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    type Pieces = Vec<Result<Frame<Bytes>, Error>>;

    fn data(text: &'static str) -> Result<Frame<Bytes>, Error> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    fn tracked(body: HyperOutgoingBody) -> (TrackedBody, Arc<AtomicBool>, End<impl Future<Output = Sent>>) {
        let (over, end) = Over::new();
        let aborted = Arc::new(AtomicBool::new(false));
        (TrackedBody::new(body, aborted.clone(), over), aborted, end)
    }

    fn of(pieces: Pieces) -> HyperOutgoingBody {
        StreamBody::new(stream::iter(pieces)).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_that_is_there_needs_no_instance() {
        let trailers = Ok(Frame::trailers(HeaderMap::new()));
        let (mut body, _, end) = tracked(of(vec![data("hello, "), data("world"), trailers]));
        assert!(body.take_in().unwrap());
        assert_eq!(body.size_hint().exact(), Some(12));
        let body = body.collect().await.unwrap();
        assert!(body.trailers().is_some());
        assert_eq!(body.to_bytes(), "hello, world");
        end.for_guest.await.unwrap();
    }

    #[tokio::test]
    async fn what_waits_is_left_and_keeps_the_instance() {
        let waiting = stream::iter(vec![data("some")]).chain(stream::pending());
        let (mut body, _, mut end) = tracked(StreamBody::new(waiting).boxed_unsync());
        assert!(!body.take_in().unwrap());
        assert!(!body.is_end_stream());
        assert!(end.for_host.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        drop(body);
        assert!(matches!(end.for_guest.await, Err(Error::ConnectionTerminated)));
        assert!(end.for_host.await.is_err(), "over");
    }

    #[tokio::test]
    async fn the_end_of_an_aborted_instance_is_no_end_of_its_body() {
        let (body, aborted, _end) = tracked(of(vec![data("half")]));
        aborted.store(true, Ordering::Release);
        assert!(matches!(body.collect().await, Err(Error::HttpResponseIncomplete)));
        let (mut body, _, _end) = tracked(of(vec![Err(Error::HttpProtocolError)]));
        assert!(body.take_in().is_err());
    }
}
