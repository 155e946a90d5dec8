//! `RuntimeClass`: what a pod's runtime costs besides its containers, and where it can run at all.

use async_trait::async_trait;
use coracle_api::{ApiError, ApiResult};
use serde_json::{Value, json};

use super::{Admitted, Plugin, stored};
use crate::hub::Hub;

pub(super) struct RuntimeClass;

#[async_trait]
impl Plugin for RuntimeClass {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.creates("pods")
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        let refused = |why: &str| Err(ApiError::forbidden(write.resource, write.name, why));
        let spec = &mut object["spec"];
        let Some(name) = spec["runtimeClassName"].as_str().filter(|n| !n.is_empty()) else {
            return if spec["overhead"].is_object() {
                refused("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
            } else {
                Ok(())
            };
        };
        let Some(class) = stored(hub, "runtimeclasses.node.k8s.io", "", name) else {
            return refused(&format!("pod rejected: RuntimeClass \"{name}\" not found"));
        };
        let overhead = &class["overhead"]["podFixed"];
        match (overhead.is_object(), spec["overhead"].is_object()) {
            (true, true) if spec["overhead"] != *overhead => {
                return refused("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
            }
            (false, true) => {
                return refused("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
            }
            (true, _) => spec["overhead"] = overhead.clone(),
            (false, false) => {}
        }
        match schedule(spec, &class["scheduling"]) {
            Ok(()) => Ok(()),
            Err(why) => refused(&why),
        }
    }
}

/// Adds where the runtime's nodes are to where the pod wants to be.
fn schedule(spec: &mut Value, scheduling: &Value) -> Result<(), String> {
    for (key, value) in scheduling["nodeSelector"].as_object().into_iter().flatten() {
        let wanted = &spec["nodeSelector"][key];
        if !wanted.is_null() && wanted != value {
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                value.as_str().unwrap_or_default(),
                wanted.as_str().unwrap_or_default()
            ));
        }
        spec["nodeSelector"][key] = value.clone();
    }
    let Some(tolerations) = scheduling["tolerations"].as_array() else { return Ok(()) };
    if !spec["tolerations"].is_array() {
        spec["tolerations"] = json!([]);
    }
    if let Some(list) = spec["tolerations"].as_array_mut() {
        let new: Vec<Value> = tolerations.iter().filter(|t| !list.contains(t)).cloned().collect();
        list.extend(new);
    }
    Ok(())
}
