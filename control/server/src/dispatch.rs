//! One request from its arrival to its answer: who is it, what is it about, may they, is there room, do it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use coracle_api::{ApiError, ApiResult, Reason};
use futures::FutureExt;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use tokio::time::Instant as Deadline;

use crate::aggregate::{self, Remote, Terms};
use crate::audit::{Origin, Trail};
use crate::authz::{Attributes, Subject};
use crate::docs;
use crate::fairness::{self, Asked, Flow, Kind, Room, room, time, turned_away};
use crate::http::{Accept, Params, Place, Target, Verb, drain, error_in, read_bytes, resolve, warn};
use crate::hub::{Call, Hub};
use crate::identity::{User, Wanted, authenticate};
use crate::server::panic_error;
use crate::write::Notes;
use crate::{custom, read, review, subresource, usage, write};

/// What a request turned out to be, for the metrics and the audit log, and what is said about it.
#[derive(Default)]
struct Seen {
    verb: &'static str,
    resource: String,
    notes: Arc<Notes>,
    origin: Origin,
    /// As whom the request is to be made, until it is known whether its sender may.
    wanted: Option<Wanted>,
    trail: Option<Trail>,
    /// The answer goes on for as long as somebody listens.
    lasts: bool,
    /// How it queues.
    flow: Option<Flow>,
}

impl Seen {
    /// Lets the user do what the request asks for. From then on he is whom he wants to act as.
    fn permit(&mut self, hub: &Hub, user: &mut User, attributes: &Attributes<'_>) -> ApiResult<()> {
        if let (Some(audit), None) = (&hub.audit, &self.trail) {
            self.trail = audit.begin(&self.origin, Some(user), attributes, &self.notes);
        }
        if let Some(wanted) = self.wanted.take() {
            let acting = wanted.permit(&hub.authorizer, user, attributes)?;
            if let Some(trail) = &mut self.trail {
                trail.impersonates(&acting.user, acting.constraint);
            }
            *user = acting.user;
        }
        // The components of this process are never limited.
        if let (Some(fairness), None, false) = (&hub.fairness, &self.flow, user.in_process) {
            self.flow = fairness.classify(user, attributes);
        }
        hub.authorizer.require(user, attributes, &self.notes)
    }

    /// Nobody knows who asks: it is written down as it came.
    fn nobody(&mut self, hub: &Hub) {
        if let (Some(audit), None) = (&hub.audit, &self.trail) {
            let (verb, path) = (self.origin.method.to_ascii_lowercase(), self.origin.path().to_string());
            let attributes = Attributes::new(&verb, Subject::Path(&path));
            self.trail = audit.begin(&self.origin, None, &attributes, &self.notes);
        }
    }

    /// It is allowed, and begins.
    async fn begins(&mut self) {
        if let Some(trail) = &mut self.trail {
            trail.received().await;
        }
    }

    /// Writes down what has come of it.
    async fn finish(&mut self, response: Response<Body>, panicked: bool) -> Response<Body> {
        match self.trail.take() {
            None => response,
            Some(trail) if panicked => trail.panicked(response).await,
            Some(trail) => trail.answered(response, self.lasts).await,
        }
    }
}

/// Answers a request. Never fails: errors are answers too.
pub(crate) async fn dispatch(hub: Arc<Hub>, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let mut seen = Seen { origin: Origin::of(&request), ..Seen::default() };
    let (parts, body) = request.into_parts();
    let format = Accept::format_of_errors(parts.headers.get(ACCEPT).and_then(|h| h.to_str().ok()));
    let mut body = Some(body);
    let request = Request::from_parts(parts, ());
    let handled = AssertUnwindSafe(handle(&hub, request, &mut body, &mut seen)).catch_unwind().await;
    let panicked = handled.is_err();
    let mut response = match handled.unwrap_or_else(|payload| Err(panic_error(payload.as_ref()))) {
        Ok(response) => response,
        Err(failure) => {
            if let Some(unread) = body.take() {
                drain(unread).await;
            }
            if failure.reason == Reason::Unauthorized {
                seen.nobody(&hub);
            }
            // What could have lasted has come to nothing: this is all there is to the answer.
            seen.lasts = false;
            error_in(&failure, format)
        }
    };
    warn(&mut response, &seen.notes.take_warnings());
    hub.metrics.answered(seen.verb, &seen.resource, response.status().as_u16(), started.elapsed());
    let mut response = seen.finish(response, panicked).await;
    if let Ok(id) = HeaderValue::from_str(&seen.origin.audit_id) {
        response.headers_mut().insert("audit-id", id);
    }
    if let Some(flow) = &seen.flow {
        flow.mark(response.headers_mut());
    }
    response
}

/// The body is taken by who wants it.
async fn handle(
    hub: &Arc<Hub>,
    mut request: Request<()>,
    body: &mut Option<Body>,
    seen: &mut Seen,
) -> ApiResult<Response<Body>> {
    let uri_bytes = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if uri_bytes > hub.config.limits.uri_bytes {
        let limit = hub.config.limits.uri_bytes;
        return Err(ApiError::bad_request(format!("the URL of the request is too long: limit is {limit} bytes")));
    }
    let mut user = authenticate(hub, &request, &seen.notes).await?;
    seen.wanted = Wanted::take(request.headers_mut())?;
    let served = hub.now_served();
    if let Some(remote) = served.remote(request.uri().path()) {
        return on_remote(hub, (request, body), user, remote, seen).await;
    }
    match resolve(&served.catalog, request.uri().path())? {
        Place::Resource(target) => on_resource(hub, (request, body), user, target, seen).await,
        Place::Other => {
            allow_path(hub, &mut user, &request, seen)?;
            seen.begins().await;
            let (parts, _) = request.into_parts();
            let writes = !matches!(parts.method, Method::GET | Method::HEAD);
            let (flow, timeout) = (seen.flow.as_ref(), None);
            let asked = Asked { user: &user, flow, kind: Kind::Short, writes, width: || 1, timeout };
            let Ok(_room) = room(hub, asked).await else { return Ok(turned_away(body).await) };
            docs::serve(hub, &served, &parts, &user).await
        }
    }
}

/// The request with its body again, for somebody else to answer.
fn whole(request: Request<()>, body: &mut Option<Body>) -> Request<Body> {
    request.map(|()| body.take().unwrap_or_default())
}

/// A request that another server answers. All are counted as lasting: nobody here can tell how long an answer goes on.
/// Those that end by themselves queue as well, until the head of the answer is there.
async fn on_remote(
    hub: &Arc<Hub>,
    (request, body): (Request<()>, &mut Option<Body>),
    mut user: User,
    remote: &Remote,
    seen: &mut Seen,
) -> ApiResult<Response<Body>> {
    (seen.verb, seen.resource) = ("proxy", remote.name.clone());
    let kind = if aggregate::upgrades(request.headers()) { Kind::Connection } else { Kind::Watch };
    let (lasts, watches, writes) = aggregate::allow(remote, &request, |attributes| {
        seen.permit(hub, &mut user, attributes)?;
        let reads = matches!(attributes.verb, "get" | "list" | "watch");
        let lasts = kind == Kind::Connection || aggregate::lasts(attributes);
        ApiResult::Ok((lasts, attributes.verb == "watch", !reads))
    })?;
    seen.begins().await;
    seen.lasts = true;
    seen.flow.take_if(|_| kind == Kind::Connection);
    let params = Params::parse(request.uri().query());
    let timeout = params.get("timeout");
    let until = (!lasts).then(|| Deadline::now() + time(hub, timeout));
    let asked = Asked { user: &user, flow: seen.flow.as_ref(), kind, writes, width: || 1, timeout };
    let Ok(Room { held, seat }) = room(hub, asked).await else { return Ok(turned_away(body).await) };
    // How a watch begins is the other server's business.
    let _seat = seat.filter(|_| !watches);
    let terms = Terms { held: Some(held.clone()), until };
    let answer = aggregate::forward(hub, (&user, remote), whole(request, body), terms).await?;
    Ok(answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // Held for as long as the answer lasts.
            let _ = &held;
            frame
        }))
    }))
}

fn allow_path(hub: &Hub, user: &mut User, request: &Request<()>, seen: &mut Seen) -> ApiResult<()> {
    let verb = request.method().as_str().to_ascii_lowercase();
    seen.permit(hub, user, &Attributes::new(&verb, Subject::Path(request.uri().path())))
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
    (seen.verb, seen.resource) = (verb.as_str(), target.resource.qualified());
    let deprecation = target.resource.deprecation().map(str::to_string);
    let mut response = on_verb(hub, (request, body), (user, verb), target, (params, seen)).await?;
    if let Some(text) = deprecation {
        warn(&mut response, &[text]);
    }
    Ok(response)
}

async fn on_verb(
    hub: &Arc<Hub>,
    (request, body): (Request<()>, &mut Option<Body>),
    (mut user, verb): (User, Verb),
    target: Target,
    (params, seen): (Params, &mut Seen),
) -> ApiResult<Response<Body>> {
    allow(hub, &mut user, verb, &target, (&params, seen))?;
    if verb == Verb::Get && connects(&target) {
        // A WebSocket can only be asked for with GET; who may not create such a connection is not to get it that way.
        allow(hub, &mut user, Verb::Create, &target, (&params, seen))?;
    }
    seen.begins().await;
    let kind = kind(verb, &target, &params, request.headers());
    seen.lasts = kind != Kind::Short;
    seen.flow.take_if(|_| kind == Kind::Connection);
    let width = || fairness::seats(hub, verb, &target, &params);
    let timeout = params.get("timeout");
    let asked = Asked { user: &user, flow: seen.flow.as_ref(), kind, writes: verb.writes(), width, timeout };
    let Ok(room) = room(hub, asked).await else { return Ok(turned_away(body).await) };
    let held = room.held.clone();
    if verb == Verb::Create {
        custom::check_create(hub, &target.resource)?;
    }
    if target.subresource == Some(coracle_api::Subresource::Proxy) {
        return subresource::proxy(hub, (&user, &seen.notes), target, whole(request, body), held).await;
    }
    let accept = request.headers().get(ACCEPT).and_then(|h| h.to_str().ok());
    let accept = Accept::negotiate(accept, target.shows_tables())?;
    let (parts, ()) = request.into_parts();
    let body = match body.take() {
        Some(body) if verb.writes() => whole_body(hub, body).await?,
        _ => Bytes::new(),
    };
    if let Some(trail) = &mut seen.trail {
        trail.of_version(&target.resource.version);
        trail.asked(&body);
    }
    let notes = seen.notes.clone();
    notes.asks(write::Options::of_query(&params));
    let call = Call { target, verb, params, user, accept, headers: parts.headers.clone(), body, notes, _room: room };
    if call.target.subresource.is_some() {
        return subresource::serve(hub, call, parts, held).await;
    }
    if call.target.resource.review {
        return review::serve(hub, &call).await;
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
fn allow(
    hub: &Hub,
    user: &mut User,
    verb: Verb,
    target: &Target,
    (params, seen): (&Params, &mut Seen),
) -> ApiResult<()> {
    let selected = match verb {
        Verb::List | Verb::Watch => read::Selected::of(params),
        Verb::DeleteCollection => read::Selected { name: None, ..read::Selected::of(params) },
        _ => read::Selected::default(),
    };
    // A pod that is bound by a Binding is named inside of it.
    let bindings = target.subresource == Some(coracle_api::Subresource::Binding) && target.name.is_empty();
    // Who may see namespaces in a namespace may see this one.
    let is_namespace = target.resource.group.is_empty() && target.resource.plural == "namespaces";
    let subject = Subject::Resource {
        group: &target.resource.group,
        resource: if bindings { "bindings" } else { &target.resource.plural },
        subresource: if bindings { "" } else { target.subresource_name() },
        namespace: if is_namespace { &target.name } else { &target.namespace },
        name: selected.name.as_deref().filter(|_| target.name.is_empty()).unwrap_or(&target.name),
    };
    let attributes = Attributes { selected_node: selected.node.as_deref(), ..Attributes::new(verb.as_str(), subject) };
    seen.permit(hub, user, &attributes)
}

/// How long the request goes on.
fn kind(verb: Verb, target: &Target, params: &Params, headers: &HeaderMap) -> Kind {
    let log = target.subresource == Some(coracle_api::Subresource::Log);
    // Over a WebSocket even what has an end is open until the client has taken it.
    let log = log && (params.flag("follow") || subresource::wants_socket(headers));
    let proxy = target.subresource == Some(coracle_api::Subresource::Proxy);
    match () {
        () if proxy || connects(target) || log => Kind::Connection,
        () if verb == Verb::Watch => Kind::Watch,
        () => Kind::Short,
    }
}

/// Whether a request ends in a connection with something that runs.
fn connects(target: &Target) -> bool {
    use coracle_api::Subresource::{Attach, Exec, PortForward};
    matches!(target.subresource, Some(Attach | Exec | PortForward))
}
