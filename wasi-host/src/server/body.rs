//! The body of a guest's answer, with the guest that may still be writing it.
//!
//! A guest waits in its last write until the connection has taken what it wrote. Were it a task of its own by then,
//! each request would wake another thread for a few microseconds of work; so the connection takes turns with it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use wasmtime_wasi_http::{Error, p2::body::HyperOutgoingBody};

use super::{Handler, request::Guest};

/// A body whose guest gets a turn whenever the body has nothing to give. If then neither has anything to give, the
/// guest becomes a task of its own: it waits for something else than this connection, or has much to do.
struct GuestBody {
    body: HyperOutgoingBody,
    /// None: it has ended, or is a task.
    guest: Option<Guest>,
    handler: Arc<Handler>,
}

/// Joins what a guest answered and the guest. However the body ends, the guest goes on to its own end.
pub(super) fn with_guest(body: HyperOutgoingBody, guest: Guest, handler: Arc<Handler>) -> HyperOutgoingBody {
    GuestBody { body, guest: Some(guest), handler }.boxed_unsync()
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        // Out of its place while it has its turn: a guest that panics is not polled again.
        let Some(mut guest) = self.guest.take() else { return Poll::Pending };
        let ended = guest.as_mut().poll(cx);
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match ended {
            Poll::Ready(ended) => {
                self.handler.take_note(ended);
            }
            Poll::Pending if frame.is_pending() => self.handler.see_off(guest),
            Poll::Pending => self.guest = Some(guest),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for GuestBody {
    /// The body is at its end, or the client has left: the guest may have more to do than to answer.
    fn drop(&mut self) {
        // Without a runtime the engine is gone, and its guests with it.
        if let Some(guest) = self.guest.take()
            && Handle::try_current().is_ok()
        {
            self.handler.see_off(guest);
        }
    }
}
