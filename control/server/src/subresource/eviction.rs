//! `eviction` of a pod: a deletion that disruption budgets can refuse (`policy/v1 Eviction`, what `kubectl drain` does).

use std::sync::Arc;

use axum::body::Body;
use coracle_api::decode::decode_as;
use coracle_api::selector::LabelSelector;
use coracle_api::{ApiError, ApiResult, Reason, Resource, meta};
use coracle_store::{Key, Record, Scope};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::http::status_success;
use crate::hub::{Call, Hub};
use crate::identity::User;
use crate::options::DeleteOptions;
use crate::read::{key, parse};
use crate::write::{Action, Author, Next, Part, Writer, admit_request, delete_as, edit_as, now, parsed, revise};

const TYPE: (&str, &str) = ("policy/v1", "Eviction");
const BUDGETS: &str = "poddisruptionbudgets";
const REFUSAL: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// Disruptions that nobody has confirmed yet: more than this and the controller is not there.
const MAX_DISRUPTED_PODS: usize = 2000;
/// When to ask again about a budget that has not been looked at yet.
const RETRY_SECONDS: u64 = 10;

/// Answers a POST.
pub(super) async fn evict(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let (mut eviction, _) = decode_as(TYPE.0, TYPE.1, parsed(call, TYPE.1)?, call.params.field_validation()?)?;
    let name = &call.target.name;
    if meta::name(&eviction) != name {
        return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
    }
    admit_request(hub, call, Action::Create, &mut eviction).await?;
    let mut options = DeleteOptions::of_value(eviction.get("deleteOptions"))?;
    if call.params.dry_run()? {
        options.dry_run = vec!["All".into()];
    }
    let pods = &call.target.resource;
    let record = hub.store.get(&key(&call.target)).ok_or_else(|| ApiError::not_found(pods, name))?;
    let pod = parse(&record.json)?;
    if !goes_anyhow(&pod) {
        match budgets_of(hub, &pod).as_slice() {
            [] => {}
            [budget] if may_ignore(budget, &pod) => {}
            [budget] => take(hub, call, budget, options.is_dry_run()).await?,
            _ => {
                let text =
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(ApiError::new(Reason::Unknown, text));
            }
        }
    }
    if !options.is_dry_run() {
        tell(hub, call).await?;
    }
    // Admission has seen the eviction; what follows from it is the server's own work.
    delete_as(hub, (&User::server(), &call.notes), pods, &key(&call.target), &options).await?;
    Ok(status_success(StatusCode::CREATED, Map::new()))
}

/// Whether the pod does not count for any budget: it has ended, never begun, or is on its way out.
fn goes_anyhow(pod: &Value) -> bool {
    meta::is_deleting(pod) || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"))
}

fn budgets_of(hub: &Hub, pod: &Value) -> Vec<Value> {
    let stored_as = format!("{BUDGETS}.policy");
    let all = hub.store.list(&Scope::namespaced(stored_as, meta::namespace(pod)));
    let labels = meta::labels(pod);
    let covers = |budget: &Value| {
        // No selector selects nothing; an empty one everything.
        let selector = budget["spec"].get("selector").filter(|s| !s.is_null());
        let selector = selector.and_then(|s| LabelSelector::from_value(Some(s)).ok());
        selector.is_some_and(|selector| selector.matches_with(|key| labels.get(key).copied()))
    };
    all.iter().filter_map(|record: &Arc<Record>| parse(&record.json).ok()).filter(covers).collect()
}

/// Whether a pod that is not ready may go without asking its budget.
fn may_ignore(budget: &Value, pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let count = |field: &str| budget["status"][field].as_i64().unwrap_or_default();
    let healthy = count("currentHealthy") >= count("desiredHealthy") && count("desiredHealthy") > 0;
    !ready && (budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow" || healthy)
}

/// Takes one of the disruptions that the budget allows. 429 when there is none.
async fn take(hub: &Hub, call: &Call, budget: &Value, dry_run: bool) -> ApiResult<()> {
    let budgets = hub.row("policy/v1", BUDGETS)?;
    let name = meta::name(budget);
    let key = Key::new(budgets.storage_key(), call.target.namespace.as_str(), name);
    let author = Author { subresource: "status", ..Author::server() };
    let user = User::server();
    let writer = Writer { resource: &budgets, user: &user, subresource: "status", dry_run, ..Writer::of(call)? };
    let decide = |old: &Value| {
        check(&budgets, old)?;
        let mut new = old.clone();
        let left = allowed(old) - 1;
        new["status"]["disruptionsAllowed"] = json!(left);
        if left == 0 {
            disallow(&mut new);
        }
        new["status"]["disruptedPods"][&call.target.name] = json!(now());
        Ok(Next::Write { object: revise(&budgets, Part::Status, new, old, &author)?, pinned: false })
    };
    edit_as(hub, &writer, &key, decide).await.map(|_| ())
}

fn allowed(budget: &Value) -> i64 {
    budget["status"]["disruptionsAllowed"].as_i64().unwrap_or_default()
}

fn check(budgets: &Resource, budget: &Value) -> ApiResult<()> {
    let name = meta::name(budget);
    if budget["status"]["observedGeneration"].as_i64().unwrap_or_default() < meta::generation(budget) {
        let cause = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refused(cause, RETRY_SECONDS));
    }
    let forbidden = |why: &str| Err(ApiError::forbidden(budgets, name, why));
    if allowed(budget) < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if budget["status"]["disruptedPods"].as_object().is_some_and(|pods| pods.len() > MAX_DISRUPTED_PODS) {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if allowed(budget) > 0 {
        return Ok(());
    }
    let conditions = budget["status"]["conditions"].as_array().into_iter().flatten();
    let failed = conditions
        .into_iter()
        .find(|c| c["type"] == "DisruptionAllowed" && c["status"] == "False" && c["reason"] == "SyncFailed");
    let cause = match failed {
        Some(condition) => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {}",
            condition["message"].as_str().unwrap_or_default()
        ),
        None => format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            budget["status"]["desiredHealthy"].as_i64().unwrap_or_default(),
            budget["status"]["currentHealthy"].as_i64().unwrap_or_default()
        ),
    };
    Err(refused(cause, 0))
}

fn refused(cause: String, retry_seconds: u64) -> ApiError {
    let mut error = ApiError::new(Reason::TooManyRequests, REFUSAL);
    error.details.insert("causes".into(), json!([{ "reason": "DisruptionBudget", "message": cause }]));
    if retry_seconds > 0 {
        error.details.insert("retryAfterSeconds".into(), json!(retry_seconds));
    }
    error
}

/// The condition that goes with the last disruption.
fn disallow(budget: &mut Value) {
    let generation = budget["status"]["observedGeneration"].clone();
    if !budget["status"]["conditions"].is_array() {
        budget["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = budget["status"]["conditions"].as_array_mut() else { return };
    let before = conditions.iter().find(|c| c["type"] == "DisruptionAllowed" && c["status"] == "False");
    let since = before.map_or_else(|| json!(now()), |c| c["lastTransitionTime"].clone());
    conditions.retain(|c| c["type"] != "DisruptionAllowed");
    conditions.push(json!({
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
        "observedGeneration": generation, "lastTransitionTime": since,
    }));
}

/// Notes on the pod why it goes (KEP-3329).
async fn tell(hub: &Hub, call: &Call) -> ApiResult<()> {
    let pods = &call.target.resource;
    let author = Author { subresource: "status", ..Author::server() };
    let user = User::server();
    let writer = Writer { user: &user, subresource: "status", dry_run: false, ..Writer::of(call)? };
    let decide = |old: &Value| {
        let mut new = old.clone();
        if !new["status"]["conditions"].is_array() {
            new["status"]["conditions"] = json!([]);
        }
        if let Some(conditions) = new["status"]["conditions"].as_array_mut() {
            conditions.retain(|c| c["type"] != "DisruptionTarget");
            conditions.push(json!({
                "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting", "lastTransitionTime": now(), "lastProbeTime": null,
            }));
        }
        Ok(Next::Write { object: revise(pods, Part::Status, new, old, &author)?, pinned: false })
    };
    edit_as(hub, &writer, &key(&call.target), decide).await.map(|_| ())
}
