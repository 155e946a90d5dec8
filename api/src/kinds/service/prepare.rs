//! What a Service keeps of its past: status, and values allocated for it that an update does not repeat.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::defaults;
use crate::kinds::generation;
use crate::kinds::json::{carry_over, has, integer, items, list, text};

pub(super) fn create(service: &mut Value) {
    generation::none(service);
    service["status"] = json!({ "loadBalancer": {} });
    let Some(spec) = service.get_mut("spec").filter(|s| s.is_object()) else { return };
    let address = text(spec, "clusterIP").to_string();
    if !address.is_empty() && list(spec, "clusterIPs").is_empty() {
        spec["clusterIPs"] = json!([address]);
    }
    defaults::families(spec);
}

pub(super) fn update(new: &mut Value, old: &Value) {
    carry_over(new, old, "status");
    let (Some(spec), Some(old_spec)) = (new.get_mut("spec").filter(|s| s.is_object()), old.get("spec")) else { return };
    normalize_addresses(spec, old_spec);
    keep_allocated(spec, old_spec);
    drop_unused(spec, old_spec);
    defaults::families(spec);
    status(new, old);
}

/// Leaving the type that has a load balancer behind leaves the balancer behind.
pub(super) fn status(new: &mut Value, _: &Value) {
    if text(new, "spec.type") != "LoadBalancer" && !list(new, "status.loadBalancer.ingress").is_empty() {
        new["status"]["loadBalancer"] = json!({});
    }
}

fn has_cluster_ip(spec: &Value) -> bool {
    matches!(text(spec, "type"), "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn has_node_ports(spec: &Value) -> bool {
    matches!(text(spec, "type"), "NodePort" | "LoadBalancer")
}

fn has_health_check(spec: &Value) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

fn remove(spec: &mut Value, keys: &[&str]) {
    if let Some(map) = spec.as_object_mut() {
        keys.iter().for_each(|key| drop(map.remove(*key)));
    }
}

/// Clients that know only `clusterIP` change it alone: `clusterIPs` follows.
fn normalize_addresses(spec: &mut Value, old: &Value) {
    let (address, old_address) = (text(spec, "clusterIP").to_string(), text(old, "clusterIP"));
    let list_unchanged = list(spec, "clusterIPs") == list(old, "clusterIPs");
    if address == old_address || !list_unchanged {
        return;
    }
    if address.is_empty() {
        remove(spec, &["clusterIPs"]);
    } else {
        spec["clusterIPs"] = json!([address]);
    }
}

/// A replacement that leaves allocated values out means to keep them.
fn keep_allocated(spec: &mut Value, old: &Value) {
    if has_cluster_ip(spec) && has_cluster_ip(old) && text(spec, "clusterIP").is_empty() {
        if list(spec, "clusterIPs").is_empty() {
            carry_over(spec, old, "clusterIPs");
        }
        carry_over(spec, old, "clusterIP");
    }
    if has_node_ports(spec) && has_node_ports(old) {
        let used: BTreeSet<i64> = list(spec, "ports").iter().map(|port| integer(port, "nodePort")).collect();
        // The last of a name counts.
        let named: BTreeMap<&str, &Value> = list(old, "ports").iter().map(|port| (text(port, "name"), port)).collect();
        for port in items(spec, "ports").filter(|p| integer(p, "nodePort") == 0) {
            let kept = named.get(text(port, "name"));
            if let Some(kept) = kept.filter(|o| !used.contains(&integer(o, "nodePort"))) {
                carry_over(port, kept, "nodePort");
            }
        }
    }
    if has_health_check(spec) && has_health_check(old) && integer(spec, "healthCheckNodePort") == 0 {
        carry_over(spec, old, "healthCheckNodePort");
    }
}

/// A change of type releases what the new type has no use for, unless the author changed it in the same step.
fn drop_unused(spec: &mut Value, old: &Value) {
    if has_cluster_ip(old) && !has_cluster_ip(spec) && spec.get("clusterIP") == old.get("clusterIP") {
        remove(spec, &["clusterIP", "clusterIPs"]);
    }
    if has_cluster_ip(old) && !has_cluster_ip(spec) {
        remove(spec, &["ipFamilies", "ipFamilyPolicy"]);
    }
    if has_node_ports(old) && !has_node_ports(spec) {
        let old_ports: BTreeSet<i64> = list(old, "ports").iter().map(|p| integer(p, "nodePort")).collect();
        for port in items(spec, "ports") {
            if old_ports.contains(&integer(port, "nodePort")) {
                remove(port, &["nodePort"]);
            }
        }
        if list(spec, "externalIPs").is_empty() && spec.get("externalTrafficPolicy") == old.get("externalTrafficPolicy")
        {
            remove(spec, &["externalTrafficPolicy"]);
        }
    }
    if has_health_check(old)
        && !has_health_check(spec)
        && integer(spec, "healthCheckNodePort") == integer(old, "healthCheckNodePort")
    {
        remove(spec, &["healthCheckNodePort"]);
    }
    if text(old, "type") == "LoadBalancer" && text(spec, "type") != "LoadBalancer" {
        if spec.get("allocateLoadBalancerNodePorts") == old.get("allocateLoadBalancerNodePorts") {
            remove(spec, &["allocateLoadBalancerNodePorts"]);
        }
        if has(spec, "loadBalancerClass") && spec.get("loadBalancerClass") == old.get("loadBalancerClass") {
            remove(spec, &["loadBalancerClass"]);
        }
    }
}
