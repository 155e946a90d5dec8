//! What a deletion does to an object: grace periods, finalizers, dependents. Pure; the clock is passed in.
//!
//! Follows `rest.BeforeDelete` and the generic registry: an object is removed at once unless it is graceful (pods) or
//! finalizers hold it; otherwise it is marked, and whoever holds it lets go later.

use coracle_api::catalog::Dependents;
use coracle_api::{ApiError, ApiResult, Reason, Resource, Subresource, meta};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::edit::{Next, is_held};
use super::strategy::seconds_text;
use crate::options::{DeleteOptions, Propagation};

/// Finalizers that the garbage collector takes away.
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// A pod that does not say how long it may take.
const DEFAULT_GRACE_SECONDS: i64 = 30;

/// What the deletion comes to.
pub(super) fn decide(resource: &Resource, options: &DeleteOptions, old: &Value, now: Timestamp) -> ApiResult<Next> {
    check_preconditions(resource, options, old)?;
    let mut new = old.clone();
    crate::custom::before_deletion(resource, &mut new);
    let pending = match mark(resource, options, &mut new, now) {
        Marked::Pending => return Ok(Next::Keep),
        Marked::Graceful(seconds) => seconds > 0,
        Marked::Immediate => false,
    };
    set_dependents_finalizer(resource, options, &mut new);
    if is_held(resource, &new) {
        if !meta::is_deleting(&new) {
            begin(&mut new, now, 0);
        }
        if resource.has(Subresource::Finalize) {
            new["status"]["phase"] = json!("Terminating");
        }
        return Ok(Next::Write { object: new, pinned: false });
    }
    Ok(if pending { Next::Write { object: new, pinned: false } } else { Next::Remove(new) })
}

enum Marked {
    /// It is being deleted already, and this request does not make it faster.
    Pending,
    /// It has this many seconds.
    Graceful(i64),
    /// Its kind knows no grace.
    Immediate,
}

/// Sets the deletion time of an object of a graceful kind, or brings it forward.
fn mark(resource: &Resource, options: &DeleteOptions, object: &mut Value, now: Timestamp) -> Marked {
    let granted = object["metadata"]["deletionGracePeriodSeconds"].as_i64();
    if meta::is_deleting(object) {
        let Some(granted) = granted.filter(|g| *g > 0) else { return Marked::Immediate };
        return match options.grace_period_seconds {
            Some(asked) if asked < granted => shorten(object, granted, at_least_zero(asked), now),
            _ => Marked::Pending,
        };
    }
    if !resource.graceful {
        return Marked::Immediate;
    }
    let seconds = grace(options, object);
    begin(object, now, seconds);
    Marked::Graceful(seconds)
}

/// How long a pod gets: what the request says, else what its spec says; nothing when no node has it or it has ended.
fn grace(options: &DeleteOptions, pod: &Value) -> i64 {
    let unscheduled = pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty();
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if unscheduled || ended {
        return 0;
    }
    let asked = options.grace_period_seconds.or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64());
    at_least_zero(asked.unwrap_or(DEFAULT_GRACE_SECONDS))
}

/// A negative period means one second.
fn at_least_zero(seconds: i64) -> i64 {
    if seconds < 0 { 1 } else { seconds }
}

fn begin(object: &mut Value, now: Timestamp, seconds: i64) {
    let until = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
    let generation = meta::generation(object);
    let metadata = meta::metadata_mut(object);
    metadata.insert("deletionTimestamp".into(), json!(seconds_text(until)));
    metadata.insert("deletionGracePeriodSeconds".into(), json!(seconds));
    if generation > 0 {
        metadata.insert("generation".into(), json!(generation + 1));
    }
}

fn shorten(object: &mut Value, granted: i64, asked: i64, now: Timestamp) -> Marked {
    let until: Timestamp = meta::text(object, "deletionTimestamp").parse().unwrap_or(now);
    let sooner = until.saturating_sub(SignedDuration::from_secs(granted - asked)).unwrap_or(now);
    let metadata = meta::metadata_mut(object);
    metadata.insert("deletionTimestamp".into(), json!(seconds_text(sooner)));
    metadata.insert("deletionGracePeriodSeconds".into(), json!(asked));
    Marked::Graceful(asked)
}

/// The finalizer that has the garbage collector see to dependents first. What is there already counts when the
/// request says nothing.
fn set_dependents_finalizer(resource: &Resource, options: &DeleteOptions, object: &mut Value) {
    if resource.dependents == Dependents::Ignored {
        return;
    }
    let present = |name: &str| meta::finalizers(object).contains(&name);
    let by_default = || match resource.dependents {
        _ if present(ORPHAN) => Propagation::Orphan,
        _ if present(FOREGROUND) => Propagation::Foreground,
        Dependents::Orphaned => Propagation::Orphan,
        Dependents::Deleted | Dependents::Ignored => Propagation::Background,
    };
    let wanted = options.propagation().unwrap_or_else(by_default);
    let keep = meta::finalizers(object).into_iter().filter(|f| !matches!(*f, ORPHAN | FOREGROUND));
    let mut finalizers: Vec<String> = keep.map(str::to_string).collect();
    match wanted {
        Propagation::Orphan => finalizers.push(ORPHAN.into()),
        Propagation::Foreground => finalizers.push(FOREGROUND.into()),
        Propagation::Background => {}
    }
    let metadata = meta::metadata_mut(object);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), json!(finalizers));
    }
}

fn check_preconditions(resource: &Resource, options: &DeleteOptions, object: &Value) -> ApiResult<()> {
    let Some(wanted) = &options.preconditions else { return Ok(()) };
    let checks = [
        ("UID", &wanted.uid, meta::uid(object), "deleted and then recreated"),
        ("ResourceVersion", &wanted.resource_version, meta::resource_version(object), "modified"),
    ];
    for (what, expected, actual, happened) in checks {
        if let Some(expected) = expected.as_deref().filter(|e| *e != actual) {
            if deletes_its_own_way(resource) {
                let why =
                    format!("Precondition failed: {what} in precondition: {expected}, {what} in object meta: {actual}");
                return Err(ApiError::conflict(resource, meta::name(object), &why));
            }
            let why = format!(
                "the {what} in the precondition ({expected}) does not match the {what} in record ({actual}). The object \
                 might have been {happened}"
            );
            return Err(conflict_of_kind(resource, meta::name(object), &why));
        }
    }
    Ok(())
}

/// Namespaces and definitions: upstream's storage has code of its own for their deletion, with words of its own.
fn deletes_its_own_way(resource: &Resource) -> bool {
    resource.has(Subresource::Finalize) || resource.storage_key() == crate::custom::DEFINITIONS
}

/// The conflict that upstream reports before it looks for the resource's name: with the kind where the name should be.
fn conflict_of_kind(resource: &Resource, name: &str, why: &str) -> ApiError {
    let (group, kind) = (&resource.group, &resource.kind);
    let qualified = if group.is_empty() { kind.to_string() } else { format!("{kind}.{group}") };
    let message = format!("Operation cannot be fulfilled on {qualified} \"{name}\": {why}");
    let mut error = ApiError::new(Reason::Conflict, message).about(resource, name);
    error.details.insert("kind".into(), json!(kind));
    error
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::options::Preconditions;
    use coracle_api::Catalog;

    fn row(plural: &str) -> Arc<Resource> {
        Catalog::builtin().rows().iter().find(|r| r.plural == plural && r.stored_as.is_none()).unwrap().clone()
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn pod(node: &str) -> Value {
        json!({ "metadata": { "name": "p", "uid": "u" }, "spec": { "nodeName": node, "terminationGracePeriodSeconds": 10 }, "status": {} })
    }

    fn deleted(plural: &str, options: DeleteOptions, old: &Value) -> Next {
        decide(&row(plural), &options, old, now()).unwrap()
    }

    fn written(next: Next) -> Value {
        match next {
            Next::Write { object, .. } => object,
            Next::Keep => panic!("kept"),
            Next::Remove(_) | Next::Propose { .. } | Next::Ask { .. } => panic!("removed"),
        }
    }

    fn grace(seconds: i64) -> DeleteOptions {
        DeleteOptions { grace_period_seconds: Some(seconds), ..Default::default() }
    }

    #[test]
    fn a_pod_on_a_node_gets_its_time_and_a_second_request_shortens_it() {
        let first = written(deleted("pods", DeleteOptions::default(), &pod("n")));
        assert_eq!(first["metadata"]["deletionTimestamp"], "2026-01-01T00:00:10Z");
        assert!(matches!(deleted("pods", grace(20), &first), Next::Keep));
        let second = written(deleted("pods", grace(4), &first));
        assert_eq!(second["metadata"]["deletionTimestamp"], "2026-01-01T00:00:04Z");
        assert_eq!(second["metadata"]["deletionGracePeriodSeconds"], 4);
        assert!(matches!(deleted("pods", grace(0), &second), Next::Remove(_)));
    }

    #[test]
    fn a_pod_that_no_node_has_or_that_has_ended_goes_at_once() {
        assert!(matches!(deleted("pods", DeleteOptions::default(), &pod("")), Next::Remove(_)));
        let mut ended = pod("n");
        ended["status"]["phase"] = json!("Succeeded");
        assert!(matches!(deleted("pods", DeleteOptions::default(), &ended), Next::Remove(_)));
    }

    #[test]
    fn finalizers_hold_and_policies_become_finalizers() {
        let map = json!({ "metadata": { "name": "c", "finalizers": ["a/b"] } });
        let held = written(deleted("configmaps", DeleteOptions::default(), &map));
        assert_eq!(held["metadata"]["deletionGracePeriodSeconds"], 0);
        let map = json!({ "metadata": { "name": "c" } });
        let policy = |p: &str| DeleteOptions { propagation_policy: Some(p.into()), ..Default::default() };
        assert_eq!(
            written(deleted("configmaps", policy("Foreground"), &map))["metadata"]["finalizers"],
            json!([FOREGROUND])
        );
        assert_eq!(written(deleted("configmaps", policy("Orphan"), &map))["metadata"]["finalizers"], json!([ORPHAN]));
        assert!(matches!(deleted("configmaps", policy("Background"), &map), Next::Remove(_)));
        assert_eq!(written(deleted("jobs", DeleteOptions::default(), &map))["metadata"]["finalizers"], json!([ORPHAN]));
    }

    #[test]
    fn a_namespace_is_terminating_until_it_is_finalized() {
        let namespace = json!({ "metadata": { "name": "n" }, "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } });
        let terminating = written(deleted("namespaces", DeleteOptions::default(), &namespace));
        assert_eq!(terminating["status"]["phase"], "Terminating");
        assert!(meta::is_deleting(&terminating));
    }

    #[test]
    fn nothing_waits_for_dependents_that_nobody_looks_for() {
        let event = json!({ "metadata": { "name": "e" } });
        let foreground = DeleteOptions { propagation_policy: Some("Foreground".into()), ..Default::default() };
        assert!(matches!(deleted("events", foreground, &event), Next::Remove(_)));
        let controller = deleted("replicationcontrollers", DeleteOptions::default(), &event);
        assert_eq!(written(controller)["metadata"]["finalizers"], json!([ORPHAN]));
        let held = json!({ "metadata": { "name": "j", "finalizers": [FOREGROUND] } });
        assert_eq!(
            written(deleted("jobs", DeleteOptions::default(), &held))["metadata"]["finalizers"],
            json!([FOREGROUND])
        );
    }

    #[test]
    fn preconditions_are_checked() {
        let refused = |plural: &str, uid: Option<&str>, version: Option<&str>| {
            let wanted = Preconditions { uid: uid.map(Into::into), resource_version: version.map(Into::into) };
            let options = DeleteOptions { preconditions: Some(wanted), ..Default::default() };
            let object = json!({ "metadata": { "name": "p", "uid": "u", "resourceVersion": "7" } });
            decide(&row(plural), &options, &object, now()).err().unwrap()
        };
        let error = refused("pods", Some("v"), None);
        assert_eq!(
            error.message,
            "Operation cannot be fulfilled on Pod \"p\": the UID in the precondition (v) does not match the UID in record \
             (u). The object might have been deleted and then recreated"
        );
        assert_eq!((error.code(), &error.details["kind"]), (409, &json!("Pod")));
        assert_eq!(
            refused("deployments", Some("u"), Some("8")).message,
            "Operation cannot be fulfilled on Deployment.apps \"p\": the ResourceVersion in the precondition (8) does not \
             match the ResourceVersion in record (7). The object might have been modified"
        );
        assert_eq!(
            refused("namespaces", Some("v"), None).message,
            "Operation cannot be fulfilled on namespaces \"p\": Precondition failed: UID in precondition: v, UID in object \
             meta: u"
        );
    }
}
