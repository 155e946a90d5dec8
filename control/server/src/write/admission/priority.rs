//! `Priority`: the number behind a pod's priority class. Only the two classes that every cluster has are known until
//! PriorityClass objects are served.

use async_trait::async_trait;
use coracle_api::{ApiError, ApiResult};
use serde_json::{Value, json};

use super::{Admitted, Plugin};
use crate::hub::Hub;

/// `scheduling.SystemPriorityClasses`
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

pub(super) struct Priority;

#[async_trait]
impl Plugin for Priority {
    async fn admit(&self, _: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        if !write.creates("pods") || !object["spec"].is_object() {
            return Ok(());
        }
        let spec = &mut object["spec"];
        let class = spec["priorityClassName"].as_str().unwrap_or_default();
        let priority = if class.is_empty() {
            0
        } else {
            let known = SYSTEM_CLASSES.iter().find(|(name, _)| *name == class);
            let unknown = || format!("no PriorityClass with name {class} was found");
            known.ok_or_else(|| ApiError::forbidden(write.resource, write.name, &unknown()))?.1
        };
        if spec["priority"].as_i64().is_some_and(|given| given != priority) {
            let why = "the integer value of priority must not be provided in pod spec; priority admission controller computed \
                       the value from the given PriorityClass name";
            return Err(ApiError::forbidden(write.resource, write.name, why));
        }
        spec["priority"] = json!(priority);
        if spec["preemptionPolicy"].is_null() {
            spec["preemptionPolicy"] = json!("PreemptLowerPriority");
        }
        Ok(())
    }
}
