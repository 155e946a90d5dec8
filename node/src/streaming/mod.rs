//! Connections into pods: `exec`, `attach`, `portForward`, over WebSocket and SPDY/3.1, under the kubelet's paths.
//!
//! A request is upgraded ([`upgrade`]) to a connection of numbered streams ([`wire`]), whatever the protocol
//! ([`websocket`], [`spdy`]); what is done with the streams does not know which it is.
//!
//! Invariant: a connection keeps nothing of the node alive but the container it is for. It ends with that, with its
//! client, and with whoever passed it on.
//!
//! Some commands are the node's own, because no image has them and `kubectl cp` runs them: see [`tar`].

mod attach;
mod exec;
mod input;
mod options;
mod pipe;
mod port_forward;
mod remote;
mod spdy;
mod status;
mod tar;
mod terminal;
mod upgrade;
mod websocket;
mod wire;

use std::sync::{Arc, Weak};

use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use coracle_wasi_host::Container;

pub use terminal::{Screen, Terminal};

use crate::{pods::LivePod, shared::Shared};

/// The routes, as long as the node's tasks hold `shared`.
pub fn router(shared: Weak<Shared>) -> Router {
    Router::new()
        .route("/exec/{namespace}/{pod}/{container}", get(exec).post(exec))
        .route("/attach/{namespace}/{pod}/{container}", get(attach).post(attach))
        .route("/portForward/{namespace}/{pod}", get(port_forward).post(port_forward))
        .with_state(shared)
}

/// The kubelet's answer to what can't be done, before anything is upgraded.
type Refusal = (StatusCode, String);

type Place = Path<(String, String, String)>;

fn refuse(error: options::OptionsError) -> Refusal {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn find(
    shared: &Weak<Shared>,
    namespace: &str,
    pod: &str,
    query: &options::Query,
) -> Result<(Arc<Shared>, Arc<LivePod>), Refusal> {
    let stopped = || (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped".to_owned());
    let shared = shared.upgrade().ok_or_else(stopped)?;
    let uid = query.iter().find(|(name, _)| name == "uid").map(|(_, uid)| uid.as_str());
    let found = shared.live.find(namespace, pod, uid);
    let found = found.ok_or_else(|| (StatusCode::NOT_FOUND, "pod does not exist".to_owned()))?;
    Ok((shared, found))
}

fn container(pod: &LivePod, name: &str) -> Result<Container, Refusal> {
    let missing = || (StatusCode::INTERNAL_SERVER_ERROR, format!("container not found ({name:?})"));
    pod.container(name).ok_or_else(missing)
}

async fn exec(
    State(shared): State<Weak<Shared>>,
    Path((namespace, pod, name)): Place,
    Query(query): Query<options::Query>,
    request: Request,
) -> Result<Response, Refusal> {
    let streams = options::streams(&query).map_err(refuse)?;
    let command = options::command(&query).map_err(refuse)?;
    let (_, pod) = find(&shared, &namespace, &pod, &query)?;
    let (container, uid) = (container(&pod, &name)?, Arc::from(pod.uid.as_str()));
    let start = async move || exec::start(&container, &uid, command, streams);
    let serve = move |link| remote::serve(link, streams, start);
    Ok(upgrade::upgrade(request, remote::OFFER, serve).await)
}

async fn attach(
    State(shared): State<Weak<Shared>>,
    Path((namespace, pod, name)): Place,
    Query(query): Query<options::Query>,
    request: Request,
) -> Result<Response, Refusal> {
    let streams = options::streams(&query).map_err(refuse)?;
    let (shared, live) = find(&shared, &namespace, &pod, &query)?;
    let container = container(&live, &name)?;
    let sink = live.log(&name, false).ok().and_then(|place| place.sink);
    let sink = sink.ok_or_else(|| (StatusCode::INTERNAL_SERVER_ERROR, format!("container not found ({name:?})")))?;
    let manners = shared.roster.get(&live.uid).map(|pod| attach::manners(&pod.open(), &name)).unwrap_or_default();
    let terminal = live.terminal(&name);
    drop(shared);
    let attachment = attach::Attachment { container, terminal, sink, manners };
    let serve = move |link| remote::serve(link, streams, async move || attachment.start(streams));
    Ok(upgrade::upgrade(request, remote::OFFER, serve).await)
}

async fn port_forward(
    State(shared): State<Weak<Shared>>,
    Path((namespace, pod)): Path<(String, String)>,
    Query(query): Query<options::Query>,
    request: Request,
) -> Result<Response, Refusal> {
    let (shared, pod) = find(&shared, &namespace, &pod, &query)?;
    // A pod without an address of its own has the node's.
    let address = shared.addresses.get(&pod.uid).unwrap_or(shared.address);
    drop(shared);
    let ports = match options::ports(&query) {
        Ok(ports) => ports,
        Err(_) if !upgrade::is_channels(request.headers()) => Vec::new(),
        Err(error) => return Err(refuse(error)),
    };
    let destination =
        port_forward::Destination { address, name: pod.name.as_str().into(), uid: pod.uid.as_str().into() };
    let serve = move |link| port_forward::serve(link, destination, ports);
    Ok(upgrade::upgrade(request, port_forward::OFFER, serve).await)
}
