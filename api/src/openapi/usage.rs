//! Definitions of `metrics.k8s.io`, which `k8s-openapi` doesn't have.

use serde_json::{Map, Value, json};

use super::definitions::{GVK, described, gvk, meta, reference};
use crate::catalog::{Catalog, Resource};

const PREFIX: &str = "io.k8s.metrics.pkg.apis.metrics.v1beta1";
const GROUP: &str = "metrics.k8s.io";

/// The definition of a row's kind, if it is one of these.
pub(super) fn name_of(resource: &Resource) -> Option<String> {
    (resource.group == GROUP).then(|| format!("{PREFIX}.{}", resource.kind))
}

/// Adds the definitions if the catalogue has the rows.
pub(super) fn add_definitions(catalog: &Catalog, all: &mut Map<String, Value>) {
    if catalog.find(GROUP, "v1beta1", "pods").is_none() {
        return;
    }
    let usage = described(
        json!({ "type": "object", "additionalProperties": reference("io.k8s.apimachinery.pkg.api.resource.Quantity") }),
        "The memory usage is the memory working set.",
    );
    let container = json!({
        "description": "ContainerMetrics sets resource usage metrics of a container.",
        "type": "object",
        "required": ["name", "usage"],
        "properties": {
            "name": { "type": "string", "description": "Container name corresponding to the one from pod.spec.containers." },
            "usage": usage.clone(),
        },
    });
    all.insert(format!("{PREFIX}.ContainerMetrics"), container);
    let containers = json!({
        "type": "array",
        "description": "Metrics for all containers are collected within the same time window.",
        "items": reference(&format!("{PREFIX}.ContainerMetrics")),
        "x-kubernetes-list-type": "atomic",
    });
    let node = kind("NodeMetrics", "NodeMetrics sets resource usage metrics of a node.", ("usage", usage));
    all.insert(format!("{PREFIX}.NodeMetrics"), node);
    let pod = kind("PodMetrics", "PodMetrics sets resource usage metrics of a pod.", ("containers", containers));
    all.insert(format!("{PREFIX}.PodMetrics"), pod);
}

fn kind(name: &str, description: &str, (field, schema): (&str, Value)) -> Value {
    let mut definition = json!({
        "description": description,
        "type": "object",
        "required": ["timestamp", "window", field],
        "properties": {
            "apiVersion": { "type": "string", "description": "Version of the object." },
            "kind": { "type": "string", "description": "Kind of the object." },
            "metadata": described(reference(&meta("ObjectMeta")), "Standard object's metadata."),
            "timestamp": described(
                reference(&meta("Time")),
                "The following fields define time interval from which metrics were collected from the interval \
                 [Timestamp-Window, Timestamp].",
            ),
            "window": { "type": "string", "description": "The length of that interval, such as 15s." },
        },
        GVK: [gvk(GROUP, "v1beta1", name)],
    });
    definition["properties"][field] = schema;
    definition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::openapi::OpenApi;

    #[test]
    fn the_documents_of_a_server_that_tells_usage_describe_it() {
        let plain = OpenApi::new(Catalog::builtin(), "v1.36.0");
        assert!(plain.v3_document(GROUP, "v1beta1").is_none());
        let told = OpenApi::new(Catalog::builtin().with(catalog::usage()), "v1.36.0");
        let document = told.v3_document(GROUP, "v1beta1").unwrap();
        let document: Value = serde_json::from_slice(&document.bytes).unwrap();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas[format!("{PREFIX}.PodMetrics")]["properties"]["containers"]["type"], "array");
        assert!(schemas[format!("{PREFIX}.NodeMetricsList")].is_object());
        assert!(document["paths"]["/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"].is_object());
    }
}
