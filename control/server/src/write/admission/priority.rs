//! `Priority`: the number behind a pod's priority class, and one default class at most.

use async_trait::async_trait;
use coracle_api::{ApiError, ApiResult, meta};
use serde_json::{Value, json};

use super::{Action, Admitted, Plugin, all_stored, stored};
use crate::hub::Hub;

const GROUP: &str = "scheduling.k8s.io";
const CLASSES: &str = "priorityclasses.scheduling.k8s.io";

/// What a pod does to others when its class says nothing.
const PREEMPTS: &str = "PreemptLowerPriority";

pub(super) struct Priority;

#[async_trait]
impl Plugin for Priority {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        let of_class = |action| write.is(action, GROUP, "priorityclasses");
        write.creates("pods") || of_class(Action::Create) || of_class(Action::Update)
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        if !write.creates("pods") || !object["spec"].is_object() {
            return Ok(());
        }
        let spec = &mut object["spec"];
        let name = spec["priorityClassName"].as_str().unwrap_or_default().to_string();
        let class = if name.is_empty() { default_class(hub) } else { stored(hub, CLASSES, "", &name) };
        if class.is_none() && !name.is_empty() {
            let why = format!("no PriorityClass with name {name} was found");
            return Err(write.forbidden(&why));
        }
        let class = class.unwrap_or_else(|| json!({}));
        if !meta::name(&class).is_empty() {
            spec["priorityClassName"] = json!(meta::name(&class));
        }
        let priority = class["value"].as_i64().unwrap_or_default();
        if let Some(given) = spec["priority"].as_i64().filter(|given| *given != priority) {
            return Err(given_and_computed(write, &format!("integer value of priority ({given})"), &priority));
        }
        spec["priority"] = json!(priority);
        let policy = class["preemptionPolicy"].as_str().unwrap_or(PREEMPTS).to_string();
        if let Some(given) = spec["preemptionPolicy"].as_str().filter(|given| *given != policy) {
            return Err(given_and_computed(write, &format!("string value of PreemptionPolicy ({given})"), &policy));
        }
        spec["preemptionPolicy"] = json!(policy);
        Ok(())
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        if write.creates("pods") || object["globalDefault"] != json!(true) {
            return Ok(());
        }
        let other = all_stored(hub, CLASSES, "")
            .into_iter()
            .find(|class| class["globalDefault"] == json!(true) && meta::name(class) != meta::name(object));
        let Some(other) = other else { return Ok(()) };
        let why =
            format!("PriorityClass {} is already marked as default. Only one default can exist", meta::name(&other));
        Err(write.forbidden(&why))
    }
}

fn given_and_computed(write: &Admitted<'_>, given: &str, computed: &dyn std::fmt::Display) -> ApiError {
    let why = format!(
        "the {given} must not be provided in pod spec; priority admission controller computed {computed} from the given \
         PriorityClass name"
    );
    write.forbidden(&why)
}

/// The default class; the lowest, should there be several.
fn default_class(hub: &Hub) -> Option<Value> {
    let defaults = all_stored(hub, CLASSES, "").into_iter().filter(|class| class["globalDefault"] == json!(true));
    defaults.min_by_key(|class| class["value"].as_i64())
}
