//! What each check lets pass, and its exact words about what it does not.

mod baseline;
mod restricted;
mod security_context;
mod standards;

use serde_json::{Value, json};

use super::{Pod, RULES, Violation};

/// A pod with containers of these names and security contexts.
fn pod(spec: Value, containers: &[(&str, Value)]) -> Value {
    let mut pod = json!({ "metadata": { "name": "p" }, "spec": spec });
    let containers = containers.iter().map(|(name, context)| json!({ "name": name, "securityContext": context }));
    pod["spec"]["containers"] = containers.collect();
    pod
}

/// A pod without security contexts, with an init, a usual and a debug container that say the same.
fn of_all_lists(fields: Value) -> Value {
    let named = |name: &str| {
        let mut container = fields.clone();
        container["name"] = json!(name);
        json!([container])
    };
    json!({ "spec": {
        "initContainers": named("init"), "containers": named("main"), "ephemeralContainers": named("debug"),
    } })
}

/// What a check says in a version.
#[track_caller]
fn ask(id: &str, minor: u64, pod: &Value) -> Option<Violation> {
    let rule = RULES.iter().find(|rule| rule.id == id).unwrap_or_else(|| panic!("no check {id}"));
    let check = rule.at(minor).unwrap_or_else(|| panic!("{id} is not in v1.{minor}"));
    check(Pod::of(pod))
}

#[track_caller]
fn allows(id: &str, minor: u64, pod: &Value) {
    assert_eq!(ask(id, minor, pod), None, "{id} v1.{minor} {pod}");
}

#[track_caller]
fn forbids(id: &str, minor: u64, pod: &Value, reason: &'static str, detail: &str) {
    assert_eq!(ask(id, minor, pod), Some(Violation::new(reason, detail)), "{id} v1.{minor} {pod}");
}
