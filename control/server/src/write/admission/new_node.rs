//! `TaintNodesByCondition`: a node that has just been registered takes no pods until it is known to be ready. The node
//! lifecycle controller takes the taint away.

use async_trait::async_trait;
use coracle_api::ApiResult;
use serde_json::{Value, json};

use super::{Admitted, Plugin};
use crate::hub::Hub;

const KEY: &str = "node.kubernetes.io/not-ready";
const EFFECT: &str = "NoSchedule";

pub(super) struct TaintNodesByCondition;

#[async_trait]
impl Plugin for TaintNodesByCondition {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.creates("nodes")
    }

    async fn admit(&self, _: &Hub, _: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        // What is no object is refused later, in words of its own.
        if object["spec"].is_null() {
            object["spec"] = json!({});
        }
        let Some(spec) = object["spec"].as_object_mut() else { return Ok(()) };
        let taints = spec.entry("taints").or_insert(Value::Null);
        if taints.is_null() {
            *taints = json!([]);
        }
        let Some(taints) = taints.as_array_mut() else { return Ok(()) };
        if !taints.iter().any(|taint| taint["key"] == KEY && taint["effect"] == EFFECT) {
            taints.push(json!({ "key": KEY, "effect": EFFECT }));
        }
        Ok(())
    }
}
