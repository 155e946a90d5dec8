//! Validation of what is written to the status of a pod.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::annotations;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::ip;
use crate::kinds::json::{has, integer, list, part, text};
use crate::names;

const NOT_A_GENERATION: &str = "must be a non-negative integer";
/// Conditions that Kubernetes itself sets, whose types are no qualified names of anybody.
const SYSTEM_CONDITIONS: &[&str] = &["PodScheduled", "Ready", "Initialized"];

/// All errors in the step from one status to the next.
pub(in crate::kinds::pod) fn validate(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    annotations::validate_update(&mut errors, new, old);
    let path = Path::root("status");
    let (status, before) = (part(new, "status"), part(old, "status"));
    conditions(&mut errors, &status, &path.child("conditions"));
    nominated_node(&mut errors, new, old, &path.child("nominatedNodeName"));
    if integer(&status, "observedGeneration") < 0 {
        let generation = integer(&status, "observedGeneration");
        errors.invalid(&path.child("observedGeneration"), &generation, NOT_A_GENERATION);
    }
    errors.unchanged(&path.child("qosClass"), &text(&status, "qosClass"), &text(&before, "qosClass"));
    for (field, containers) in [
        ("containerStatuses", "containers"),
        ("initContainerStatuses", "initContainers"),
        ("ephemeralContainerStatuses", ""),
    ] {
        transitions(&mut errors, list(&status, field), list(&before, field), (old, containers), &path.child(field));
    }
    claims(&mut errors, new, &path.child("resourceClaimStatuses"));
    addresses(&mut errors, &status, &before, &path);
    errors.0
}

fn conditions(errors: &mut Errors, status: &Value, path: &Path) {
    for (index, condition) in list(status, "conditions").iter().enumerate() {
        let path = path.index(index);
        let generation = integer(condition, "observedGeneration");
        if generation < 0 {
            errors.invalid(&path.child("observedGeneration"), &generation, NOT_A_GENERATION);
        }
        let kind = text(condition, "type");
        if !SYSTEM_CONDITIONS.contains(&kind) {
            errors.named(&path.child("Type"), kind, names::qualified_name);
        }
    }
}

fn nominated_node(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    let node = text(new, "status.nominatedNodeName");
    if node.is_empty() || node == text(old, "status.nominatedNodeName") {
        return;
    }
    errors.named(path, node, names::dns1123_subdomain);
    if !text(old, "spec.nodeName").is_empty() {
        errors.forbidden(path, "may not be set on pods that are already bound to a node");
    }
}

/// A container that ended stays so, unless the pod's policies let it start again.
fn transitions(errors: &mut Errors, now: &[Value], before: &[Value], (pod, containers): (&Value, &str), path: &Path) {
    if !containers.is_empty() && any_restarts_all(pod) {
        return;
    }
    let lives = now.iter().filter(|status| !has(status, "state.terminated"));
    let lives: BTreeSet<&str> = lives.map(|status| text(status, "name")).collect();
    // The first of a name counts.
    let known = list(pod, &format!("spec.{containers}")).iter().rev();
    let known: BTreeMap<&str, &Value> = known.map(|container| (text(container, "name"), container)).collect();
    for (index, ended) in before.iter().enumerate().filter(|(_, status)| has(status, "state.terminated")) {
        let name = text(ended, "name");
        let (container, code) = (known.get(name), integer(ended, "state.terminated.exitCode"));
        if lives.contains(name) && !container.is_some_and(|container| may_restart(container, pod, code)) {
            errors.forbidden(&path.index(index).child("state"), "may not be transitioned to non-terminated state");
        }
    }
}

fn any_restarts_all(pod: &Value) -> bool {
    let all = |key: &str| list(pod, key).iter().flat_map(|c| list(c, "restartPolicyRules"));
    let mut rules = all("spec.containers").chain(all("spec.initContainers"));
    rules.any(|rule| text(rule, "action") == "RestartAllContainers")
}

/// By the rules of the container, or its policy, or that of its pod.
fn may_restart(container: &Value, pod: &Value, exit_code: i64) -> bool {
    let matches = |rule: &&Value| {
        let listed = list(rule, "exitCodes.values").iter().any(|code| code.as_i64() == Some(exit_code));
        match text(rule, "exitCodes.operator") {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    };
    if let Some(rule) = list(container, "restartPolicyRules").iter().find(matches) {
        return text(rule, "action") == "Restart";
    }
    match [text(container, "restartPolicy"), text(pod, "spec.restartPolicy")].into_iter().find(|p| !p.is_empty()) {
        Some("Always") => true,
        Some("OnFailure") => exit_code != 0,
        _ => false,
    }
}

fn claims(errors: &mut Errors, pod: &Value, path: &Path) {
    let known: BTreeSet<&str> = list(pod, "spec.resourceClaims").iter().map(|claim| text(claim, "name")).collect();
    let mut seen = BTreeSet::new();
    for (index, status) in list(pod, "status.resourceClaimStatuses").iter().enumerate() {
        let (path, name) = (path.index(index), text(status, "name"));
        if !known.contains(name) {
            let detail = "must match the name of an entry in `spec.resourceClaims`";
            errors.invalid(&path.child("name"), &name, detail);
        }
        if !seen.insert(name) {
            errors.duplicate(&path.child("name"), &name);
        }
        if has(status, "resourceClaimName") {
            let name = text(status, "resourceClaimName");
            errors.named(&path.child("resourceClaimName"), name, names::dns1123_subdomain);
        }
    }
}

/// The single address is the first of the list, which has one of each family.
fn addresses(errors: &mut Errors, status: &Value, before: &Value, path: &Path) {
    for (single, plural) in [("podIP", "podIPs"), ("hostIP", "hostIPs")] {
        let path = path.child(plural);
        let of = |status: &'_ Value| -> Vec<String> {
            list(status, plural).iter().map(|entry| text(entry, "ip").to_string()).collect()
        };
        let (all, had) = (of(status), of(before));
        let had: Vec<&str> = had.iter().map(String::as_str).collect();
        for (index, address) in all.iter().enumerate() {
            ip::address(errors, &path.index(index), address, &had);
        }
        let parsed: Vec<IpAddr> = all.iter().filter_map(|address| ip::parse_sloppy(address)).collect();
        let pair = matches!(parsed.as_slice(), [one, other] if one.is_ipv4() != other.is_ipv4());
        if all.len() > 1 && !pair {
            errors.invalid(&path, &part(status, plural), "may specify no more than one IP for each IP family");
        }
        // A pod's single address decides what the first of the list is, so only a host's can differ.
        let own = text(status, single);
        if let Some(first) = all.first().filter(|first| single == "hostIP" && *first != own) {
            errors.invalid(&path.index(0).child("ip"), first, "must be equal to `hostIP`");
        }
    }
}
