//! `metrics.k8s.io`: what nodes and pods use, as metrics-server tells it, for `kubectl top` and autoscalers.
//!
//! Nothing of it is stored. The objects are made when somebody asks, of the pods and nodes in the store and of what the
//! nodes say they use; a pod that its node has not measured yet is not there, which is metrics-server's own answer.

mod nodes;
mod objects;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, Reason, Resource};
use coracle_store::{Key, Record, Scope};
use futures::{StreamExt, stream};
use http::{Response, StatusCode};

pub(crate) use nodes::Cache;
use nodes::Summary;

use crate::http::{Format, Shape};
use crate::hub::{Call, Hub};
use crate::read::{ListOptions, Page, Selection, View, respond};

/// The group.
const GROUP: &str = "metrics.k8s.io";

/// Nodes that are asked at a time.
const PARALLEL_NODES: usize = 16;

/// Whether the resource is made here.
pub(crate) fn is_ours(resource: &Resource) -> bool {
    resource.group == GROUP && resource.custom.is_none()
}

/// Answers a GET or LIST.
pub(crate) async fn serve(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    if call.accept.format == Format::Protobuf && call.accept.shape == Shape::Whole {
        return Err(ApiError::not_acceptable(&["application/json", "application/yaml"]));
    }
    let stored = selected(hub, call)?;
    let summaries = summaries(hub, &stored).await;
    let made: Vec<Arc<Record>> =
        stored.iter().filter_map(|record| measured(record, &summaries)).map(Arc::new).collect();
    if call.target.name.is_empty() {
        return respond(hub, call, Page::made(made)).await;
    }
    let record = made.first().ok_or_else(|| not_found(call))?;
    let view = View::new(&call.target.resource, call.accept, &call.params)?;
    Ok(call.respond(StatusCode::OK, view.object(record, true)?, &[]))
}

/// The pods or nodes that are asked about. Labels and names are theirs.
fn selected(hub: &Hub, call: &Call) -> ApiResult<Vec<Arc<Record>>> {
    let target = &call.target;
    let plural = target.resource.plural.as_ref();
    if !target.name.is_empty() {
        let key = Key::new(plural, target.namespace.as_str(), target.name.as_str());
        return Ok(hub.store.get(&key).into_iter().collect());
    }
    let options = ListOptions::parse(&call.params, false)?;
    let selection = Selection::new(target, &options)?;
    let scope = match target.namespace.as_str() {
        "" => Scope::all(plural),
        namespace => Scope::namespaced(plural, namespace),
    };
    Ok(hub.store.list(&scope).iter().filter(|record| selection.matches(record)).cloned().collect())
}

/// What the nodes say that these pods run on, or that these are.
async fn summaries(hub: &Hub, stored: &[Arc<Record>]) -> HashMap<String, Arc<Summary>> {
    let names: BTreeSet<String> = stored.iter().filter_map(|record| node_of(record)).map(str::to_string).collect();
    let asked = stream::iter(names).map(|name| async move {
        let summary = hub.usage.summary(&hub.nodes, &name).await?;
        Some((name, summary))
    });
    asked.buffer_unordered(PARALLEL_NODES).filter_map(std::future::ready).collect().await
}

/// The node that knows about a record; none for pods that don't run.
fn node_of(record: &Record) -> Option<&str> {
    if &*record.key.resource == "nodes" {
        return Some(&record.key.name);
    }
    let runs = record.lifted.field("status.phase") == Some("Running");
    record.lifted.field("spec.nodeName").filter(|_| runs)
}

fn measured(record: &Record, summaries: &HashMap<String, Arc<Summary>>) -> Option<Record> {
    let summary = summaries.get(node_of(record)?)?;
    if &*record.key.resource == "nodes" { objects::node(record, summary) } else { objects::pod(record, summary) }
}

/// metrics-server's 404: it has names of its own for these resources.
fn not_found(call: &Call) -> ApiError {
    let target = &call.target;
    let kind = target.resource.singular.as_ref();
    let name = match target.namespace.as_str() {
        "" => target.name.clone(),
        namespace => format!("{namespace}/{}", target.name),
    };
    let mut error = ApiError::new(Reason::NotFound, format!("{kind}.{GROUP} \"{name}\" not found"));
    for (field, value) in [("name", name.as_str()), ("group", GROUP), ("kind", kind)] {
        error.details.insert(field.into(), value.into());
    }
    error
}
