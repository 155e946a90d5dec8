//! One request by WASI 0.3: the call of the handler, and the life of its instance after the answer.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use bytes::Bytes;
use http::{Request, Response, header, uri};
use http_body_util::BodyExt;
use hyper::body::Body;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wasmtime::{Store, component::Accessor};
use wasmtime_wasi_http::{
    Error, FieldMap, WasiHttpHooks, WasiHttpView,
    p3::{self, bindings::Service},
};

use super::{
    p3_body::{Over, TrackedBody},
    request::Reply,
};
use crate::sandbox::Sandbox;

/// Calls the handler and completes when its instance has nothing more to do. The answer comes as soon as the guest
/// waits for something, or with the end.
pub(super) async fn call<B>(
    service: &Service,
    store: &mut Store<Sandbox>,
    request: Request<B>,
    answer: oneshot::Sender<Reply>,
) -> wasmtime::Result<()>
where
    B: Body<Data = Bytes, Error = Error> + Send + 'static,
{
    let request = incoming(store.data_mut().http().hooks, request);
    // Made after the store and so gone before it: whoever reads the body knows when its end is no end.
    let unfinished = Unfinished(Arc::default());
    let desk = Desk { ready: Mutex::new(None), aborted: unfinished.0.clone() };
    let mut answer = Some(answer);
    let ended = {
        let mut work = pin!(store.run_concurrent(async |store| serve(store, service, request, &desk).await));
        poll_fn(|cx| {
            let mut polled = work.as_mut().poll(cx);
            if polled.is_pending() && desk.ready.lock().is_some() {
                // A guest that has something to do after its answer yields once before: one more turn, and often it
                // has written all of the body.
                polled = work.as_mut().poll(cx);
            }
            let failed = matches!(&polled, Poll::Ready(Err(_) | Ok(Err(_))));
            let reply = desk.ready.lock().take();
            if let Some(reply) = reply.filter(|_| !failed)
                && let Some(answer) = answer.take()
            {
                // The client may have gone.
                let _ = answer.send(reply.map(|response| response.map(BodyExt::boxed_unsync)));
            }
            polled
        })
        .await
        .flatten()
    };
    if ended.is_ok() {
        unfinished.finish();
    }
    ended
}

/// Where an answer lies until it is handed out.
struct Desk {
    ready: Mutex<Option<Result<Response<TrackedBody>, String>>>,
    /// Set if the instance ends before its time.
    aborted: Arc<AtomicBool>,
}

/// Says, if it is dropped, that the instance has not come to its end.
struct Unfinished(Arc<AtomicBool>);

impl Unfinished {
    fn finish(mut self) {
        self.0 = Arc::default();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The request as the guest sees it. Which host was asked is not among its headers but its authority.
fn incoming<B>(hooks: &mut dyn WasiHttpHooks, request: Request<B>) -> p3::Request
where
    B: Body<Data = Bytes, Error = Error> + Send + 'static,
{
    let (parts, body) = request.into_parts();
    let host = || uri::Authority::try_from(parts.headers.get(header::HOST)?.as_bytes()).ok();
    let authority = parts.uri.authority().cloned().or_else(host);
    let path = parts.uri.path_and_query().cloned();
    let headers = FieldMap::new_immutable(hooks, parts.headers);
    // What the guest made of the request is of no interest to anyone.
    let (request, _verdict) =
        p3::Request::new(parts.method, Some(uri::Scheme::HTTP), authority, path, headers, None, body);
    request
}

async fn serve(
    store: &Accessor<Sandbox>,
    service: &Service,
    request: p3::Request,
    desk: &Desk,
) -> wasmtime::Result<()> {
    let response = match service.handle(store, request).await? {
        Ok(response) => response,
        Err(code) => {
            *desk.ready.lock() = Some(Err(format!("{code:?}")));
            tasks_ended(store).await;
            return Ok(());
        }
    };
    let (over, end) = Over::new();
    let response = store.with(|store| response.into_http(store, end.for_guest))?;
    *desk.ready.lock() = Some(Ok(response.map(|body| TrackedBody::new(body, desk.aborted.clone(), over))));
    tasks_ended(store).await;
    if take_in(desk) {
        return Ok(());
    }
    // A stream of the host is the rest of the body, a file for example; it flows as long as the instance lives.
    let _ = end.for_host.await;
    Ok(())
}

/// Completes when the guest has come to the end of all its tasks.
async fn tasks_ended(store: &Accessor<Sandbox>) {
    poll_fn(|cx| store.poll_no_interesting_tasks(cx)).await;
}

/// Takes what is there of the body of an answer that has not been handed out. True if it is all there.
fn take_in(desk: &Desk) -> bool {
    let mut ready = desk.ready.lock();
    match ready.as_mut() {
        Some(Ok(response)) => match response.body_mut().take_in() {
            Ok(complete) => complete,
            Err(error) => {
                *ready = Some(Err(format!("{error:?}")));
                true
            }
        },
        _ => false,
    }
}
