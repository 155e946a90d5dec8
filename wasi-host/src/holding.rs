//! What is held as long as a stream of the host flows (WASI 0.3): the stream may outlive the resource it was made of.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;
use wasmtime::{
    AsContextMut, StoreContextMut,
    component::{FutureConsumer, FutureReader, Lift, Lower, Source},
};

use crate::sandbox::Sandbox;

/// Keeps `held` until `ended` is told, which is when a stream has ended, whether the guest asks for that or not. What is
/// returned takes the place of `ended`.
pub(crate) fn hold<H, T>(
    mut store: impl AsContextMut<Data = Sandbox>,
    held: H,
    ended: FutureReader<T>,
) -> wasmtime::Result<FutureReader<T>>
where
    H: Send + Unpin + 'static,
    T: Lift + Lower + Send + Sync + Unpin + 'static,
{
    let (tell, told) = oneshot::channel();
    ended.pipe(store.as_context_mut(), Holder { _held: held, tell: Some(tell) })?;
    FutureReader::new(store, told)
}

struct Holder<H, T> {
    _held: H,
    tell: Option<oneshot::Sender<T>>,
}

impl<H, T> FutureConsumer<Sandbox> for Holder<H, T>
where
    H: Send + Unpin + 'static,
    T: Lift + Send + Unpin + 'static,
{
    type Item = T;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, Sandbox>,
        mut source: Source<'_, T>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut ended = None;
        source.read(store, &mut ended)?;
        if let (Some(tell), Some(ended)) = (self.tell.take(), ended) {
            // A guest that does not want to know has dropped the other end.
            let _ = tell.send(ended);
        }
        Poll::Ready(Ok(()))
    }
}
