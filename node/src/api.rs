//! The node API: logs, health, statistics, metrics, and connections into pods ([`crate::streaming`]). The API server
//! reaches it for `kubectl logs`, `kubectl exec` and the like.
//!
//! Invariant: the API keeps nothing of the node alive. The server holds this router, and in one process the node
//! holds a client that holds the server: a strong reference here would close that circle, and a stopped node would
//! keep its engine with the terabytes of address space that its pool of instances reserves.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::FutureExt as _;
use jiff::Timestamp;

use crate::{
    logs::{LogQuery, NextLog, stream_log},
    machine::Machine,
    pods::LivePod,
    shared::Shared,
    stats, streaming,
};

/// What the API answers from.
#[derive(Clone)]
struct NodeApi {
    shared: Weak<Shared>,
}

impl NodeApi {
    /// What the node's tasks share, or the answer when there are none any more.
    fn shared(&self) -> Result<Arc<Shared>, (StatusCode, &'static str)> {
        self.shared.upgrade().ok_or((StatusCode::SERVICE_UNAVAILABLE, "the node has stopped"))
    }
}

/// The node API. It answers as long as the node's tasks hold `shared`.
pub fn router(shared: &Arc<Shared>, name: &str, machine: &Machine) -> Router {
    let api = NodeApi { shared: Arc::downgrade(shared) };
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(logs))
        .with_state(api)
        .merge(stats::routes(shared, name, machine))
        .merge(streaming::router(Arc::downgrade(shared)))
}

/// The log of a container, in plain text.
async fn logs(
    State(api): State<NodeApi>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Response {
    let query = match LogQuery::read(&parameters, Timestamp::now()) {
        Ok(query) => query,
        Err(error) => return (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    };
    let uid = parameters.get("uid").map(String::as_str);
    let found = match api.shared() {
        Ok(shared) => shared.live.find(&namespace, &pod, uid),
        Err(stopped) => return stopped.into_response(),
    };
    let Some(found) = found else {
        return (StatusCode::NOT_FOUND, format!("pod {pod:?} not found")).into_response();
    };
    let place = match found.log(&container, query.previous) {
        Ok(place) => place,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    match stream_log(place, query, runs_after(found, container)).await {
        Ok(stream) => ([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(stream)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot read the log: {error}")).into_response(),
    }
}

/// The logs of a container's further runs.
fn runs_after(pod: Arc<LivePod>, container: String) -> NextLog {
    let container: Arc<str> = container.into();
    Box::new(move |run| {
        let (pod, container) = (Arc::clone(&pod), Arc::clone(&container));
        async move { pod.log_after(&container, run).await }.boxed()
    })
}
