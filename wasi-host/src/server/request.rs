//! One request: an instance, its own unless the container's instances are reused, from the first byte of the request to
//! the end of the handler.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi_http::{
    Error, WasiHttpView,
    p2::{
        bindings::{Proxy, http::types::Scheme},
        body::HyperOutgoingBody,
    },
};

use super::{Handler, kept::Answerer, p3, reply};
use crate::{Exit, ExitReason, container::tell, cpu::Metered, limits, sandbox::Sandbox};

/// An answer, or the error code that the guest gave in its place.
pub(super) type Reply = Result<Response<HyperOutgoingBody>, String>;

/// A handler at work.
type Guest = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send>>;

/// What a failed handler means for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It failed by itself, or said nothing.
    Guest,
    /// There was no room to make it.
    Busy,
}

impl Handler {
    /// Answers one request, whatever happens to its guest.
    pub(super) async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        if let Some(refused) = refuse(&request) {
            return refused;
        }
        let metrics = self.surroundings.pod.engine.metrics();
        let Some(place) = self.admission.enter().await else {
            metrics.http_rejected.inc();
            return reply::busy("too many requests are waiting\n");
        };
        metrics.http_requests.inc();
        let (answer, mut answered) = oneshot::channel();
        let mut guest = self.clone().guest(request, answer, place);
        // The guest first: most handlers are through in one turn, and their answer then needs no task of its own.
        tokio::select! {
            biased;
            ended = &mut guest => {
                let failure = self.take_note(ended);
                self.answer(answered.try_recv().ok(), failure)
            }
            reply = &mut answered => match reply {
                Ok(reply) => {
                    self.see_off(guest);
                    self.answer(Some(reply), Failure::Guest)
                }
                // The handler gave its answer up without giving one, and may yet tell why.
                Err(_) => {
                    let failure = self.take_note(guest.await);
                    self.answer(None, failure)
                }
            },
        }
    }

    /// The call of the handler: instance, call, end. It holds `place` as long as it lives.
    fn guest(
        self: Arc<Self>,
        request: Request<Incoming>,
        answer: oneshot::Sender<Reply>,
        place: OwnedSemaphorePermit,
    ) -> Guest {
        let cpu = self.surroundings.cpu.clone();
        let turns = self.surroundings.pod.engine.turns(self.surroundings.spec.program.kind());
        let call = async move {
            let _place = place;
            let metrics = self.surroundings.pod.engine.metrics();
            let _in_flight = InFlight::new(&metrics.http_in_flight);
            let mut instance = self.instance().await?;
            let body_limit = usize::try_from(limits::HTTP_BODY_LIMIT_BYTES).unwrap_or(usize::MAX);
            let request = request.map(|body| Limited::new(body, body_limit).map_err(body_error));
            match &instance.answerer {
                Answerer::P2(proxy) => call_p2(proxy, &mut instance.store, request, answer).await?,
                Answerer::P3(service) => p3::call(service, &mut instance.store, request, answer).await?,
            }
            self.keep(instance);
            Ok(())
        };
        Box::pin(Metered::new(Box::pin(call), cpu, turns))
    }

    /// Lets a guest that has answered go on by itself: it may stream its body, or work on after it.
    fn see_off(self: &Arc<Self>, guest: Guest) {
        let handler = self.clone();
        self.spawn(async move {
            handler.take_note(guest.await);
        });
    }

    fn answer(&self, reply: Option<Reply>, failure: Failure) -> Response<HyperOutgoingBody> {
        match (reply, failure) {
            (Some(Ok(response)), _) => response,
            (Some(Err(code)), _) => {
                let spec = &self.surroundings.spec;
                tell(&*spec.output, &format!("the handler answered with an error: {code}"));
                reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "the handler failed\n")
            }
            (None, Failure::Busy) => {
                self.surroundings.pod.engine.metrics().http_rejected.inc();
                reply::busy("no room for another instance\n")
            }
            (None, Failure::Guest) => reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "the handler gave no answer\n"),
        }
    }

    /// Writes down how a call ended, and ends the container if it must end.
    fn take_note(&self, ended: wasmtime::Result<()>) -> Failure {
        let Err(error) = ended else { return Failure::Guest };
        if error.is::<PoolConcurrencyLimitError>() {
            return Failure::Busy;
        }
        let exit = Exit::from_error(&error);
        match exit.reason {
            ExitReason::OutOfMemory => self.end(exit),
            ExitReason::Trap => {
                self.surroundings.pod.engine.metrics().traps.inc();
                tell(&*self.surroundings.spec.output, exit.message.as_deref().unwrap_or_default());
            }
            _ => {}
        }
        Failure::Guest
    }
}

/// Calls the handler of a program of WASI 0.2. It may answer long before it returns.
async fn call_p2<B>(
    proxy: &Proxy,
    store: &mut Store<Sandbox>,
    request: Request<B>,
    answer: oneshot::Sender<Reply>,
) -> wasmtime::Result<()>
where
    B: Body<Data = Bytes, Error = Error> + Send + 'static,
{
    let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
    let out = store.data_mut().http().new_response_outparam_from_callback(move |reply| {
        // The client may have gone.
        let _ = answer.send(reply.map_err(|code| format!("{code:?}")));
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

/// Turns away what no guest should see.
fn refuse(request: &Request<Incoming>) -> Option<Response<HyperOutgoingBody>> {
    match (request.uri().authority(), request.headers().get(header::HOST)) {
        (None, None) => return Some(reply::plain(StatusCode::BAD_REQUEST, "the request names no host\n")),
        (None, Some(host)) if host.to_str().is_err() => {
            return Some(reply::plain(StatusCode::BAD_REQUEST, "the host that the request names is no text\n"));
        }
        _ => {}
    }
    if request.body().size_hint().lower() > limits::HTTP_BODY_LIMIT_BYTES {
        return Some(reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large\n"));
    }
    None
}

fn body_error(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<hyper::Error>() {
        Ok(error) => Error::Hyper(*error),
        Err(_) => Error::HttpRequestBodySize(Some(limits::HTTP_BODY_LIMIT_BYTES)),
    }
}

/// Counts a request while it lives.
struct InFlight<'a>(&'a prometheus_client::metrics::gauge::Gauge);

impl<'a> InFlight<'a> {
    fn new(gauge: &'a prometheus_client::metrics::gauge::Gauge) -> InFlight<'a> {
        gauge.inc();
        InFlight(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
