//! `PodTopologyLabels` (KEP-4742): a pod has the zone and the region of its node as labels, for whoever can see it but not
//! its node: the downward API, for one.

use async_trait::async_trait;
use coracle_api::{ApiResult, meta};
use serde_json::{Value, json};

use super::{Action, Admitted, Plugin, stored};
use crate::hub::Hub;

const LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

pub(super) struct PodTopologyLabels;

#[async_trait]
impl Plugin for PodTopologyLabels {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.action == Action::Create && write.concerns("", "pods") && matches!(write.subresource, "" | "binding")
    }

    /// Of a pod that is made on its node, or of a binding, whose labels become the pod's.
    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        let node = match write.subresource {
            "binding" if object["target"]["kind"] != "Node" => return Ok(()),
            "binding" => &object["target"]["name"],
            _ => &object["spec"]["nodeName"],
        };
        let Some(node) = node.as_str().filter(|name| !name.is_empty()) else { return Ok(()) };
        // A binding may come before its node is known here, as upstream's may.
        let Some(node) = stored(hub, "nodes", "", node) else { return Ok(()) };
        let of_node = meta::labels(&node);
        for label in LABELS {
            if let Some(value) = of_node.get(label)
                && matches!(object["metadata"]["labels"], Value::Null | Value::Object(_))
            {
                object["metadata"]["labels"][label] = json!(value);
            }
        }
        Ok(())
    }
}
