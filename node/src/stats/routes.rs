//! The part of the node API that tells about usage.
//!
//! Invariant: nothing of the node is kept alive by it; see `api`.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    reading::{PodReading, read_pods},
    resource::resource_metrics,
    summary::{NodeReading, summary},
    text::Form,
};
use crate::{
    machine::{Disk, Machine, cpu_time, memory_in_use, most_processes, own_cpu_time, resident_bytes, tasks},
    pods::KeptPod,
    shared::Shared,
};

/// What the routes answer from.
#[derive(Clone)]
struct Stats {
    shared: Weak<Shared>,
    name: Arc<str>,
    memory_bytes: u64,
    started: Timestamp,
}

/// `/stats/summary`, `/metrics`, `/metrics/resource`, `/pods`.
pub fn routes(shared: &Arc<Shared>, name: &str, machine: &Machine) -> Router {
    let stats = Stats {
        shared: Arc::downgrade(shared),
        name: name.into(),
        memory_bytes: machine.memory_bytes,
        started: Timestamp::now(),
    };
    Router::new()
        .route("/stats/summary", get(stats_summary))
        .route("/metrics", get(metrics))
        .route("/metrics/resource", get(metrics_resource))
        .route("/pods", get(pods))
        .with_state(stats)
}

type Refusal = (StatusCode, &'static str);

impl Stats {
    fn shared(&self) -> Result<Arc<Shared>, Refusal> {
        self.shared.upgrade().ok_or((StatusCode::SERVICE_UNAVAILABLE, "the node has stopped"))
    }

    /// Reads everything, where blocking is allowed.
    async fn read(&self, images: bool) -> Result<(NodeReading, Vec<PodReading>), Refusal> {
        let (shared, stats) = (self.shared()?, self.clone());
        let read = move || (stats.node(&shared, images), read_pods(&shared));
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "the usage could not be read"))
    }

    fn node(&self, shared: &Shared, images: bool) -> NodeReading {
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (working, used) = memory_in_use();
        let (node_cores, own_cores) = shared.stats.node();
        NodeReading {
            name: self.name.to_string(),
            started: self.started,
            now: Timestamp::now(),
            cpu: (nanos(cpu_time()), node_cores),
            own_cpu: (nanos(own_cpu_time()), own_cores),
            memory: [self.memory_bytes, working, used],
            resident_bytes: resident_bytes(),
            disk: Disk::of(&shared.pods_dir),
            image_bytes: if images { shared.images.usage_bytes() } else { 0 },
            processes: [most_processes(), tasks()],
        }
    }
}

async fn stats_summary(
    State(stats): State<Stats>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    let brief = query.get("only_cpu_and_memory").is_some_and(|value| value == "true" || value == "1");
    let (node, pods) = stats.read(!brief).await?;
    Ok(Json(summary(&node, &pods, brief)))
}

async fn metrics_resource(State(stats): State<Stats>, headers: HeaderMap) -> Result<Response, Refusal> {
    let (node, pods) = stats.read(false).await?;
    let form = Form::of(&headers);
    Ok(([(CONTENT_TYPE, form.content_type())], resource_metrics(&node, &pods, form)).into_response())
}

async fn metrics(State(stats): State<Stats>, headers: HeaderMap) -> Result<Response, Refusal> {
    let shared = stats.shared()?;
    let form = Form::of(&headers);
    shared.metrics.mirror_pods.set(i64::try_from(shared.mirrors.count()).unwrap_or(i64::MAX));
    match shared.metrics.text() {
        Ok(text) => Ok(([(CONTENT_TYPE, form.content_type())], form.of_open_metrics(text)).into_response()),
        Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written")),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodList {
    kind: &'static str,
    api_version: &'static str,
    metadata: Value,
    items: Vec<Arc<KeptPod>>,
}

/// The pods that the node has, as it knows them.
async fn pods(State(stats): State<Stats>) -> Result<Json<PodList>, Refusal> {
    let items = stats.shared()?.roster.all();
    Ok(Json(PodList { kind: "PodList", api_version: "v1", metadata: json!({}), items }))
}
