//! One request from its arrival to its answer: who is it, what is it about, may they, is there room, do it.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use coracle_api::{ApiError, ApiResult, Reason};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::aggregate::{self, Remote};
use crate::authz::{Attributes, Subject, forbidden};
use crate::docs;
use crate::http::{Accept, Params, Place, Target, Verb, drain, error_in, read_bytes, resolve, warn};
use crate::hub::{Call, Hub};
use crate::identity::User;
use crate::metrics::Held;
use crate::{custom, read, review, subresource, usage, write};

/// What a request turned out to be, for the metrics.
#[derive(Default)]
struct Seen {
    verb: &'static str,
    resource: String,
}

/// Answers a request. Never fails: errors are answers too.
pub(crate) async fn dispatch(hub: Arc<Hub>, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let mut seen = Seen::default();
    let (parts, body) = request.into_parts();
    let format = Accept::format_of_errors(parts.headers.get(ACCEPT).and_then(|h| h.to_str().ok()));
    let mut body = Some(body);
    let request = Request::from_parts(parts, ());
    let response = match handle(&hub, request, &mut body, &mut seen).await {
        Ok(response) => response,
        Err(failure) => {
            if let Some(unread) = body.take() {
                drain(unread).await;
            }
            error_in(&failure, format)
        }
    };
    hub.metrics.answered(seen.verb, &seen.resource, response.status().as_u16(), started.elapsed());
    response
}

/// The body is taken by who wants it.
async fn handle(
    hub: &Arc<Hub>,
    request: Request<()>,
    body: &mut Option<Body>,
    seen: &mut Seen,
) -> ApiResult<Response<Body>> {
    let uri_bytes = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if uri_bytes > hub.config.limits.uri_bytes {
        let limit = hub.config.limits.uri_bytes;
        return Err(ApiError::bad_request(format!("the URL of the request is too long: limit is {limit} bytes")));
    }
    let user = request.extensions().get::<User>().cloned().or_else(|| of_token(hub, &request));
    if let Some(answer) = docs::public(hub, user.as_ref(), &request) {
        return Ok(answer);
    }
    let user = user.ok_or_else(ApiError::unauthorized)?;
    let served = hub.now_served();
    if let Some(remote) = served.remote(request.uri().path()) {
        return on_remote(hub, (request, body), user, remote, seen).await;
    }
    match resolve(&served.catalog, request.uri().path())? {
        Place::Resource(target) => on_resource(hub, (request, body), user, target, seen).await,
        Place::Other => {
            allow_path(hub, &user, &request)?;
            let (parts, _) = request.into_parts();
            docs::serve(hub, &served, &parts, &user).await
        }
    }
}

/// The user of a bearer token that this server has signed for itself.
fn of_token(hub: &Hub, request: &Request<()>) -> Option<User> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let audience = [hub.issuer.audience().to_string()];
    hub.issuer.check(hub, token.trim(), &audience, jiff::Timestamp::now()).ok().map(|(user, _)| user)
}

/// The request with its body again, for somebody else to answer.
fn whole(request: Request<()>, body: &mut Option<Body>) -> Request<Body> {
    request.map(|()| body.take().unwrap_or_default())
}

/// A request that another server answers. What may last is counted as lasting: nobody here can tell.
async fn on_remote(
    hub: &Arc<Hub>,
    (request, body): (Request<()>, &mut Option<Body>),
    user: User,
    remote: &Remote,
    seen: &mut Seen,
) -> ApiResult<Response<Body>> {
    *seen = Seen { verb: "proxy", resource: remote.name.clone() };
    aggregate::allow(hub, &user, remote, &request)?;
    let limit = if user.in_process { usize::MAX } else { hub.config.limits.long_running };
    let held = hub.metrics.long_running(limit).ok_or_else(too_many)?;
    let answer = aggregate::forward(hub, &user, remote, whole(request, body)).await;
    Ok(answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // Held for as long as the answer lasts.
            let _ = &held;
            frame
        }))
    }))
}

fn allow_path(hub: &Hub, user: &User, request: &Request<()>) -> ApiResult<()> {
    let verb = request.method().as_str().to_ascii_lowercase();
    let attributes = Attributes { verb: &verb, target: Subject::Path(request.uri().path()) };
    if hub.authorizer.allows(user, &attributes) { Ok(()) } else { Err(forbidden(user, &attributes)) }
}

async fn on_resource(
    hub: &Arc<Hub>,
    (request, body): (Request<()>, &mut Option<Body>),
    user: User,
    target: Target,
    seen: &mut Seen,
) -> ApiResult<Response<Body>> {
    let params = Params::parse(request.uri().query());
    let verb = target.verb(request.method(), params.flag("watch"))?;
    let params = params.of_verb(verb);
    *seen = Seen { verb: verb.as_str(), resource: target.resource.qualified() };
    let deprecation = target.resource.deprecation().map(str::to_string);
    let mut response = on_verb(hub, (request, body), (user, verb), target, params).await?;
    if let Some(text) = deprecation {
        warn(&mut response, &[text]);
    }
    Ok(response)
}

async fn on_verb(
    hub: &Arc<Hub>,
    (request, body): (Request<()>, &mut Option<Body>),
    (user, verb): (User, Verb),
    target: Target,
    params: Params,
) -> ApiResult<Response<Body>> {
    allow(hub, &user, verb, &target, &params)?;
    if verb == Verb::Get && connects(&target) {
        // A WebSocket can only be asked for with GET; who may not create such a connection is not to get it that way.
        allow(hub, &user, Verb::Create, &target, &params)?;
    }
    let held = room(hub, &user, verb, &target, &params)?;
    if verb == Verb::Create {
        custom::check_create(hub, &target.resource)?;
    }
    if target.subresource == Some(coracle_api::Subresource::Proxy) {
        return subresource::proxy(hub, target, whole(request, body), held).await;
    }
    let accept = request.headers().get(ACCEPT).and_then(|h| h.to_str().ok());
    let accept = Accept::negotiate(accept, target.shows_tables())?;
    let (parts, ()) = request.into_parts();
    let body = match body.take() {
        Some(body) if verb.writes() => whole_body(hub, body).await?,
        _ => Bytes::new(),
    };
    let call = Call { target, verb, params, user, accept, headers: parts.headers.clone(), body };
    if call.target.subresource.is_some() {
        return subresource::serve(hub, call, parts, held).await;
    }
    if call.target.resource.review {
        return review::serve(hub, &call);
    }
    if usage::is_ours(&call.target.resource) {
        return usage::serve(hub, &call).await;
    }
    match verb {
        Verb::Get => read::get(hub, &call).await,
        Verb::List => read::list(hub, &call).await,
        Verb::Watch => read::watch(hub, &call, held).await,
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection => {
            let defines = call.target.resource.storage_key() == custom::DEFINITIONS;
            let answer = write::serve(hub, call).await;
            if defines && answer.is_ok() {
                // The next request finds what this one has made.
                custom::catch_up(hub).await;
            }
            answer
        }
    }
}

/// The body, within its limits of size and time.
async fn whole_body(hub: &Hub, body: Body) -> ApiResult<Bytes> {
    let limits = &hub.config.limits;
    let late = |_| ApiError::new(Reason::Timeout, "the body of the request did not arrive in time");
    tokio::time::timeout(limits.body_timeout, read_bytes(body, limits.body_bytes)).await.map_err(late)?
}

/// A list or watch that selects one name is about that object: who may see it and no other may ask so.
fn allow(hub: &Hub, user: &User, verb: Verb, target: &Target, params: &Params) -> ApiResult<()> {
    let selected = match verb {
        Verb::List | Verb::Watch => read::ListOptions::selected_name(params),
        _ => None,
    };
    let subject = Subject::Resource {
        group: &target.resource.group,
        resource: &target.resource.plural,
        subresource: target.subresource_name(),
        namespace: &target.namespace,
        name: selected.as_deref().filter(|_| target.name.is_empty()).unwrap_or(&target.name),
    };
    let attributes = Attributes { verb: verb.as_str(), target: subject };
    if hub.authorizer.allows(user, &attributes) { Ok(()) } else { Err(forbidden(user, &attributes)) }
}

/// Room among the requests of its kind. The components of this process bound themselves, and must not be starved by
/// clients outside: they are counted, never refused.
fn room(hub: &Hub, user: &User, verb: Verb, target: &Target, params: &Params) -> ApiResult<Held> {
    let log = target.subresource == Some(coracle_api::Subresource::Log);
    let proxy = target.subresource == Some(coracle_api::Subresource::Proxy);
    let long_running = verb == Verb::Watch || proxy || connects(target) || (log && params.flag("follow"));
    let bound = |limit: usize| if user.in_process { usize::MAX } else { limit };
    let limits = &hub.config.limits;
    let held = if long_running {
        hub.metrics.long_running(bound(limits.long_running))
    } else {
        hub.metrics.request(bound(limits.in_flight))
    };
    held.ok_or_else(too_many)
}

/// Whether a request ends in a connection with something that runs.
fn connects(target: &Target) -> bool {
    use coracle_api::Subresource::{Attach, Exec, PortForward};
    matches!(target.subresource, Some(Attach | Exec | PortForward))
}

fn too_many() -> ApiError {
    let mut refused = ApiError::new(Reason::TooManyRequests, "Too many requests, please try again later.");
    refused.details.insert("retryAfterSeconds".into(), 1.into());
    refused
}
