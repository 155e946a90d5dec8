//! The audit log: who did what, when, and what came of it (Kubernetes' `k8s.io/apiserver/pkg/audit`).
//!
//! Data flows one way: dispatch opens a [`Trail`] when it knows who asks for what, tells it what comes of it, and the trail
//! writes what the policy wants to have written.

mod event;
mod log;
mod policy;

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures::{Stream, StreamExt, stream};
use http::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use event::{Event, without_books};
pub(crate) use event::{Origin, Peer};
use log::Log;
pub use log::LogConfig;
use policy::Verdict;
pub use policy::{Level, Policy, PolicyError, Stage};

use crate::authz::Attributes;
use crate::identity::User;
use crate::write::Notes;

/// Bytes of an answer that are written with its event; what is longer is told, not written.
const ANSWER_LIMIT_BYTES: usize = 16 << 20;

/// What is audited, and where it goes.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// Which requests are written, and how much of them.
    pub policy: Policy,
    /// Where to.
    pub log: LogConfig,
}

/// The policy and the log.
pub(crate) struct Audit {
    policy: Policy,
    log: Log,
}

impl Audit {
    /// Opens the log.
    ///
    /// # Errors
    /// When its file can't be opened.
    pub(crate) fn open(config: AuditConfig) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { policy: config.policy, log: Log::open(config.log)? }))
    }

    /// Begins the trail of a request, if the policy wants any of it.
    pub(crate) fn begin(
        self: &Arc<Self>,
        origin: &Origin,
        user: Option<&User>,
        attributes: &Attributes<'_>,
        notes: &Arc<Notes>,
    ) -> Option<Trail> {
        let verdict = self.policy.of(user, attributes);
        if verdict.level == Level::None {
            return None;
        }
        let event = Event::new(verdict.level, origin, user, attributes);
        Some(Trail { audit: self.clone(), verdict, event, notes: notes.clone(), is_received: false, is_over: false })
    }
}

/// What has been written about one request, and what is to be.
pub(crate) struct Trail {
    audit: Arc<Audit>,
    verdict: Verdict,
    event: Event,
    notes: Arc<Notes>,
    is_received: bool,
    is_over: bool,
}

impl Trail {
    /// The request is for an object of this version of its group.
    pub(crate) fn of_version(&mut self, version: &str) {
        self.event.set_version(version);
    }

    /// The sender acts as another, by a verb of constrained impersonation if he may not do so in everything.
    pub(crate) fn impersonates(&mut self, user: &User, constraint: Option<&str>) {
        self.event.set("impersonatedUser", user.info());
        if let Some(constraint) = constraint {
            self.event.set("authenticationMetadata", json!({ "impersonationConstraint": constraint }));
        }
    }

    /// It is known who asks for what.
    pub(crate) async fn received(&mut self) {
        if !std::mem::replace(&mut self.is_received, true) {
            self.write(Stage::RequestReceived).await;
        }
    }

    /// The body that came with the request.
    pub(crate) fn asked(&mut self, body: &Bytes) {
        let Some(object) = readable(body) else { return };
        self.event.name(&object);
        if self.verdict.level >= Level::Request {
            let object = if self.verdict.omit_managed_fields { without_books(object) } else { object };
            self.event.set("requestObject", object);
        }
    }

    /// It was answered. An answer that lasts is over when its body is: whoever sends it says how long it is, so nothing of
    /// it is kept here, whatever its code.
    pub(crate) async fn answered(mut self, response: Response<Body>, lasts: bool) -> Response<Body> {
        self.received().await;
        let code = response.status();
        self.event.set("responseStatus", json!({ "metadata": {}, "code": code.as_u16() }));
        if lasts {
            self.write(Stage::ResponseStarted).await;
            return self.until_the_end_of(response);
        }
        let wants_answer = self.verdict.level == Level::RequestResponse || !code.is_success();
        let response = if wants_answer { self.read_answer(response).await } else { response };
        self.complete().await;
        response
    }

    async fn read_answer(&mut self, response: Response<Body>) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let bytes = match beginning(body, ANSWER_LIMIT_BYTES).await {
            Beginning::Whole(bytes) => bytes,
            Beginning::Part(body) => return Response::from_parts(parts, body),
        };
        if let Some(answer) = readable(&bytes) {
            if answer["kind"] == "Status" && !parts.status.is_success() {
                let mut status = answer.clone();
                ["kind", "apiVersion"].iter().for_each(|field| drop(status.as_object_mut().map(|s| s.remove(*field))));
                self.event.set("responseStatus", status);
            }
            if self.verdict.level == Level::RequestResponse {
                let answer = if self.verdict.omit_managed_fields { without_books(answer) } else { answer };
                self.event.set("responseObject", answer);
            }
        }
        Response::from_parts(parts, Body::from(bytes))
    }

    fn until_the_end_of(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                // Held for as long as the answer lasts.
                let _ = &self;
                frame
            }))
        })
    }

    /// The server has panicked.
    pub(crate) async fn panicked(mut self, response: Response<Body>) -> Response<Body> {
        self.is_over = true;
        self.event.set("responseStatus", json!({ "metadata": {}, "code": response.status().as_u16() }));
        self.write(Stage::Panic).await;
        response
    }

    async fn complete(mut self) {
        self.is_over = true;
        self.write(Stage::ResponseComplete).await;
    }

    async fn write(&mut self, stage: Stage) {
        let mut annotations = self.notes.annotations();
        if self.verdict.level >= Level::Request {
            annotations.extend(self.notes.quotes());
        }
        if !annotations.is_empty() {
            self.event.set("annotations", json!(annotations));
        }
        if !self.verdict.omit_stages.contains(&stage) {
            self.audit.log.write(self.event.line(stage)).await;
        }
    }
}

/// An answer that lasted has come to its end, or whoever asked has left before there was one.
impl Drop for Trail {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_over || self.verdict.omit_stages.contains(&Stage::ResponseComplete) {
            return;
        }
        let (audit, line) = (self.audit.clone(), self.event.line(Stage::ResponseComplete));
        runtime.spawn(async move { audit.log.write(line).await });
    }
}

/// What is known of a body after a part of it was read.
enum Beginning {
    /// That was all.
    Whole(Bytes),
    /// There is more, or it has broken off: the body as if nobody had looked at it.
    Part(Body),
}

/// Reads a body until it is longer than the limit.
async fn beginning(body: Body, limit_bytes: usize) -> Beginning {
    let (mut rest, mut read) = (body.into_data_stream(), BytesMut::new());
    while read.len() <= limit_bytes {
        match rest.next().await {
            Some(Ok(piece)) => read.extend_from_slice(&piece),
            Some(Err(error)) => return behind(read, stream::once(async { Err(error) })),
            None => return Beginning::Whole(read.freeze()),
        }
    }
    behind(read, rest)
}

/// What has been read, and what comes behind it.
fn behind(read: BytesMut, rest: impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static) -> Beginning {
    let read = stream::once(async { Ok(read.freeze()) });
    Beginning::Part(Body::from_stream(read.chain(rest)))
}

/// A body that is JSON. What else there is (YAML, protobuf) is not shown.
fn readable(bytes: &Bytes) -> Option<Value> {
    if bytes.is_empty() || bytes.len() > ANSWER_LIMIT_BYTES {
        return None;
    }
    serde_json::from_slice(bytes).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of a body; `None` is where it breaks off.
    fn body(pieces: &[Option<&'static str>]) -> Body {
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.map(Bytes::from).ok_or("broken")).collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn an_answer_within_the_limit_is_read_whole() {
        let Beginning::Whole(bytes) = beginning(body(&[Some("abc"), Some("de")]), 5).await else {
            panic!("it is whole")
        };
        assert_eq!(bytes, "abcde");
    }

    #[tokio::test]
    async fn a_longer_answer_goes_on_as_it_came() {
        let endless = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from_static(b"x")));
        let Beginning::Part(begun) = beginning(Body::from_stream(endless), 1000).await else { panic!("it is endless") };
        let more: Vec<_> = begun.into_data_stream().take(500).collect().await;
        assert_eq!(more.iter().flatten().map(Bytes::len).sum::<usize>(), 1001 + 499);
        let Beginning::Part(whole) = beginning(body(&[Some("abc"), Some("de")]), 4).await else {
            panic!("it is longer")
        };
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "abcde");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_does_so_for_the_client_too() {
        let Beginning::Part(begun) = beginning(body(&[Some("abc"), None]), 100).await else { panic!("it breaks off") };
        let mut pieces = begun.into_data_stream();
        assert_eq!(pieces.next().await.unwrap().unwrap(), "abc");
        assert!(pieces.next().await.unwrap().is_err());
    }
}
