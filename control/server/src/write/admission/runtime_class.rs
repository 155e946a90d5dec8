//! `RuntimeClass`: what a pod's runtime costs besides its containers, and where it can run at all.

use async_trait::async_trait;
use coracle_api::ApiResult;
use coracle_api::quota::amounts;
use serde_json::{Value, json};

use super::{Admitted, Plugin, stored};
use crate::hub::Hub;

const OTHER: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
const UNFOUNDED: &str = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";

pub(super) struct RuntimeClass;

#[async_trait]
impl Plugin for RuntimeClass {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.creates("pods")
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        let Some(class) = class_of(hub, write, object)? else { return Ok(()) };
        let spec = &mut object["spec"];
        if let Some(fixed) = overhead(&class) {
            if !spec["overhead"].is_null() && !is_same(fixed, &spec["overhead"]) {
                return Err(write.forbidden(OTHER));
            }
            if fixed.is_object() {
                spec["overhead"] = fixed.clone();
            }
        }
        schedule(spec, &class["scheduling"]).map_err(|why| write.forbidden(&why))
    }

    /// The class may be another now, and so may what the pod says it costs.
    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        let class = class_of(hub, write, object)?;
        let given = &object["spec"]["overhead"];
        match class.as_ref().and_then(overhead) {
            Some(fixed) if !is_same(fixed, given) => Err(write.forbidden(OTHER)),
            None if given.is_object() => Err(write.forbidden(UNFOUNDED)),
            _ => Ok(()),
        }
    }
}

/// The pod's class, if it names one. 403 when there is none of that name.
fn class_of(hub: &Hub, write: &Admitted<'_>, pod: &Value) -> ApiResult<Option<Value>> {
    let Some(name) = pod["spec"]["runtimeClassName"].as_str().filter(|n| !n.is_empty()) else { return Ok(None) };
    let class = stored(hub, "runtimeclasses.node.k8s.io", "", name);
    let class = class.ok_or_else(|| write.forbidden(&format!("pod rejected: RuntimeClass \"{name}\" not found")))?;
    Ok(Some(class))
}

/// What every pod of the class costs, if the class says anything about that.
fn overhead(class: &Value) -> Option<&Value> {
    Some(&class["overhead"]).filter(|it| it.is_object()).map(|it| &it["podFixed"])
}

fn is_same(a: &Value, b: &Value) -> bool {
    amounts(Some(a)) == amounts(Some(b))
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
