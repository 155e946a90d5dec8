//! `NodeMetrics` and `PodMetrics`, made of an object and of what its node says.

use coracle_api::quantity::Quantity;
use coracle_store::{Key, Lifted, Record};
use serde_json::{Map, Value, json};

use super::GROUP;
use super::nodes::{Measured, Summary};

/// The time that a node's averages are over.
const WINDOW: &str = "5s";

/// The node's own usage; None while it has not been measured.
pub(super) fn node(record: &Record, summary: &Summary) -> Option<Record> {
    let usage = usage(&summary.node)?;
    made(record, "NodeMetrics", &summary.node, ("usage", usage))
}

/// The usage of the pod's containers; None while one of them has not been measured, or none runs.
pub(super) fn pod(record: &Record, summary: &Summary) -> Option<Record> {
    let stats = summary.pod(&record.key.namespace, &record.key.name)?;
    let first = stats.containers.first()?;
    let containers: Option<Vec<Value>> = stats.containers.iter().map(container).collect();
    made(record, "PodMetrics", first, ("containers", containers?.into()))
}

fn container(stats: &Measured) -> Option<Value> {
    Some(json!({ "name": stats.name, "usage": usage(stats)? }))
}

fn usage(stats: &Measured) -> Option<Value> {
    let cpu: Quantity = format!("{}n", stats.cpu.usage_nano_cores?).parse().ok()?;
    let memory = Quantity::from_bytes(stats.memory.working_set_bytes?);
    Some(json!({ "cpu": cpu.to_string(), "memory": memory.to_string() }))
}

fn made(record: &Record, kind: &str, measured: &Measured, (field, value): (&str, Value)) -> Option<Record> {
    let time = measured.cpu.time?;
    let seconds = jiff::Timestamp::from_second(time.as_second()).ok()?.to_string();
    let labels = &record.lifted.labels;
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(&*record.key.name));
    if !record.key.namespace.is_empty() {
        metadata.insert("namespace".into(), json!(&*record.key.namespace));
    }
    metadata.insert("creationTimestamp".into(), json!(seconds));
    if !labels.is_empty() {
        let labels: Map<String, Value> = labels.iter().map(|(key, value)| (key.to_string(), json!(&**value))).collect();
        metadata.insert("labels".into(), labels.into());
    }
    let object = json!({
        "kind": kind,
        "apiVersion": format!("{GROUP}/v1beta1"),
        "metadata": metadata,
        "timestamp": seconds,
        "window": WINDOW,
        field: value,
    });
    Some(Record {
        key: Key::new(format!("{}.{GROUP}", record.key.resource), &*record.key.namespace, &*record.key.name),
        revision: 0,
        create_revision: 0,
        json: object.to_string().into(),
        lifted: Lifted::new(labels.iter().cloned(), [], [], ""),
    })
}
