//! The node API: logs, health, statistics, metrics. The API server reaches it for `kubectl logs` and the like.
//!
//! Invariant: the API keeps nothing of the node alive. The server holds this router, and in one process the node
//! holds a client that holds the server: a strong reference here would close that circle, and a stopped node would
//! keep its engine with the terabytes of address space that its pool of instances reserves.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    logs::{LogQuery, stream_log},
    machine::{Machine, resident_bytes},
    shared::Shared,
};

/// The media type of `/metrics`.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the API answers from.
#[derive(Clone)]
struct NodeApi {
    shared: Weak<Shared>,
    name: Arc<str>,
    machine: Arc<Machine>,
    started: Timestamp,
}

impl NodeApi {
    /// What the node's tasks share, or the answer when there are none any more.
    fn shared(&self) -> Result<Arc<Shared>, (StatusCode, &'static str)> {
        self.shared.upgrade().ok_or((StatusCode::SERVICE_UNAVAILABLE, "the node has stopped"))
    }
}

/// The node API. It answers as long as the node's tasks hold `shared`.
pub fn router(shared: &Arc<Shared>, name: &str, machine: Machine) -> Router {
    let api = NodeApi {
        shared: Arc::downgrade(shared),
        name: name.into(),
        machine: Arc::new(machine),
        started: Timestamp::now(),
    };
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/metrics", get(metrics))
        .route("/stats/summary", get(summary))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(logs))
        .with_state(api)
}

async fn metrics(State(api): State<NodeApi>) -> Response {
    let shared = match api.shared() {
        Ok(shared) => shared,
        Err(stopped) => return stopped.into_response(),
    };
    match shared.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
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
    match stream_log(place.path, query, place.sink).await {
        Ok(stream) => ([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(stream)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot read the log: {error}")).into_response(),
    }
}

/// What kubelet's `/stats/summary` tells, as far as it is known here: CPU and memory of the node's process and of
/// each container.
async fn summary(State(api): State<NodeApi>) -> Result<Json<Value>, (StatusCode, &'static str)> {
    let shared = api.shared()?;
    let now = Timestamp::now();
    let pods: Vec<Value> = shared.live.all().iter().map(|pod| {
        let containers: Vec<Value> = pod.running().iter().map(|(name, handle)| {
            let usage = handle.usage();
            json!({
                "name": name,
                "cpu": {"time": now, "usageCoreNanoSeconds": u64::try_from(usage.cpu_time.as_nanos()).unwrap_or(u64::MAX)},
                "memory": {"time": now, "workingSetBytes": usage.memory_bytes, "usageBytes": usage.memory_bytes},
            })
        }).collect();
        let sum = |field: [&str; 2]| containers.iter().filter_map(|it| it[field[0]][field[1]].as_u64()).sum::<u64>();
        let (cpu, memory) = (sum(["cpu", "usageCoreNanoSeconds"]), sum(["memory", "workingSetBytes"]));
        json!({
            "podRef": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
            "cpu": {"time": now, "usageCoreNanoSeconds": cpu},
            "memory": {"time": now, "workingSetBytes": memory, "usageBytes": memory},
            "containers": containers,
        })
    }).collect();
    let resident = resident_bytes();
    let images = tokio::task::spawn_blocking(move || shared.images.usage_bytes()).await.unwrap_or(0);
    Ok(Json(json!({
        "node": {
            "nodeName": api.name,
            "startTime": api.started,
            "memory": {"time": now, "workingSetBytes": resident, "rssBytes": resident,
                "availableBytes": api.machine.memory_bytes.saturating_sub(resident)},
            "runtime": {"imageFs": {"time": now, "usedBytes": images, "capacityBytes": api.machine.storage_bytes}},
        },
        "pods": pods,
    })))
}
