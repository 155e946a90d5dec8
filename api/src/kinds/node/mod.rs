//! Rules of nodes.

mod validation;

use serde_json::{Map, Value, json};

use crate::catalog::{Column, RowCells, Rules};
use crate::kinds::generation;
use crate::kinds::json::{boolean, carry_over, has, list, object, text};
use crate::kinds::pod::normalize_list;
use crate::kinds::table::{AGE, NONE, age, column, wide};
use crate::{meta, names};

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |node| {
        generation::none(node);
        drop_unused(node, &Value::Null);
    },
    prepare_update: |new, old| {
        carry_over(new, old, "status");
        drop_unused(new, old);
    },
    prepare_status: drop_unused,
    validate: validation::validate,
    validate_update: validation::validate_update,
    validate_status: |new, old| {
        let mut errors = validation::of_status(new);
        errors.extend(validation::validate_update(new, old));
        errors
    },
    warnings,
    name_errors: names::subdomain_name,
    selectable: &[("spec.unschedulable", |node| boolean(node, "spec.unschedulable").to_string())],
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const ADDRESSES: &str = "List of addresses reachable to the node. Queried from cloud provider, if available. More info: \
     https://kubernetes.io/docs/reference/node/node-status/#addresses";

const COLUMNS: &[Column] = &[
    column("Status", "The status of the node"),
    column("Roles", "The roles of the node"),
    AGE,
    column("Version", "Kubelet Version reported by the node."),
    wide("Internal-IP", ADDRESSES),
    wide("External-IP", ADDRESSES),
    wide("OS-Image", "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy))."),
    wide("Kernel-Version", "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64)."),
    wide(
        "Container-Runtime",
        "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).",
    ),
];

fn defaults(node: &mut Value) {
    if let Some(spec) = object(node, "spec") {
        one_cidr(spec);
    }
    let _ = object(node, "status");
    let Some(status) = node.get_mut("status").filter(|s| s.is_object()) else { return };
    if has(status, "capacity") && !has(status, "allocatable") {
        status["allocatable"] = status["capacity"].clone();
    }
    for key in ["capacity", "allocatable"] {
        status.get_mut(key).into_iter().for_each(normalize_list);
    }
}

/// Nodes are no longer configured through the API.
fn drop_unused(node: &mut Value, old: &Value) {
    for (section, field) in [("spec", "configSource"), ("status", "config")] {
        if !has(old, &format!("{section}.{field}")) {
            node.get_mut(section).and_then(Value::as_object_mut).map(|map| map.remove(field));
        }
    }
}

fn warnings(node: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if has(node, "spec.configSource") {
        found.push("spec.configSource: the feature is no longer available".to_string());
    }
    if !text(node, "spec.externalID").is_empty() {
        found.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_string());
    }
    found
}

/// `podCIDR` and the first of `podCIDRs` are the same thing, which the singular field decides.
fn one_cidr(spec: &mut Map<String, Value>) {
    let given = |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(String::from);
    let first = given(spec.get("podCIDRs").and_then(|list| list.get(0)));
    match (given(spec.get("podCIDR")), first) {
        (Some(single), first) if first.as_ref() != Some(&single) => {
            spec.insert("podCIDRs".into(), json!([single]));
        }
        (None, Some(first)) => {
            spec.insert("podCIDR".into(), json!(first));
        }
        _ => {}
    }
}

fn cells(node: &Value, now_seconds: i64) -> RowCells {
    let info = |field: &str| text(node, &format!("status.nodeInfo.{field}"));
    let or_unknown = |text: &str| json!(if text.is_empty() { "<unknown>" } else { text });
    let cells = vec![
        json!(status(node)),
        json!(roles(node)),
        age(node, now_seconds),
        json!(info("kubeletVersion")),
        json!(address(node, "InternalIP")),
        json!(address(node, "ExternalIP")),
        or_unknown(info("osImage")),
        or_unknown(info("kernelVersion")),
        or_unknown(info("containerRuntimeVersion")),
    ];
    RowCells { cells }
}

fn status(node: &Value) -> String {
    let ready = list(node, "status.conditions").iter().find(|c| text(c, "type") == "Ready");
    let mut status = match ready.map(|c| text(c, "status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_string();
    if boolean(node, "spec.unschedulable") {
        status.push_str(",SchedulingDisabled");
    }
    status
}

/// From `node-role.kubernetes.io/ROLE` and `kubernetes.io/role=ROLE`.
fn roles(node: &Value) -> String {
    let role = |(key, value): (&'_ str, &'_ str)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_string()),
        None if key == "kubernetes.io/role" => Some(value.to_string()),
        None => None,
    };
    let mut roles: Vec<String> = meta::labels(node).into_iter().filter_map(role).filter(|r| !r.is_empty()).collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { NONE.to_string() } else { roles.join(",") }
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    let found = list(node, "status.addresses").iter().find(|a| text(a, "type") == kind);
    found.map_or(NONE, |a| text(a, "address"))
}
