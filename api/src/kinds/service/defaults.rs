//! Defaults of Services. Addresses and node ports are allocated by the server.

use serde_json::{Map, Value, json};

use crate::kinds::json::{integer, items, list, sections, set_default, set_if_zero, text};

/// Three hours: how long a client sticks to an endpoint.
const AFFINITY_SECONDS: i64 = 10_800;

pub(super) fn defaults(service: &mut Value) {
    if let Some(map) = service.as_object_mut() {
        set_default(map, "status", json!({ "loadBalancer": {} }));
    }
    if let Some(balancer) = service.get_mut("status").and_then(|status| status.get_mut("loadBalancer")) {
        let with_address = items(balancer, "ingress").filter(|entry| !text(entry, "ip").is_empty());
        with_address.filter_map(Value::as_object_mut).for_each(|entry| set_default(entry, "ipMode", "VIP"));
    }
    sections(service, &["spec"]);
    let Some(spec) = service.get_mut("spec").filter(|s| s.is_object()) else { return };
    items(spec, "ports").for_each(port);
    let external = !list(spec, "externalIPs").is_empty();
    let Some(map) = spec.as_object_mut() else { return };
    set_if_zero(map, "sessionAffinity", "None");
    set_if_zero(map, "type", "ClusterIP");
    affinity(map);
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default().to_string();
    let reachable_from_outside = matches!(kind.as_str(), "NodePort" | "LoadBalancer");
    if reachable_from_outside || (kind == "ClusterIP" && external) {
        set_if_zero(map, "externalTrafficPolicy", "Cluster");
    }
    if reachable_from_outside || kind == "ClusterIP" {
        set_default(map, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set_default(map, "allocateLoadBalancerNodePorts", true);
    }
}

fn port(port: &mut Value) {
    let number = integer(port, "port");
    let no_target = match port.get("targetPort") {
        None | Some(Value::Null) => true,
        Some(target) => *target == json!(0) || *target == json!(""),
    };
    if let Some(map) = port.as_object_mut() {
        set_if_zero(map, "protocol", "TCP");
        if no_target {
            map.insert("targetPort".into(), json!(number));
        }
    }
}

fn affinity(spec: &mut Map<String, Value>) {
    match spec.get("sessionAffinity").and_then(Value::as_str) {
        Some("None") => {
            spec.remove("sessionAffinityConfig");
        }
        Some("ClientIP") => {
            let config = spec.get("sessionAffinityConfig").cloned().unwrap_or_default();
            if text_or_number_missing(&config) {
                let seconds = json!({ "clientIP": { "timeoutSeconds": AFFINITY_SECONDS } });
                spec.insert("sessionAffinityConfig".into(), seconds);
            }
        }
        _ => {}
    }
}

fn text_or_number_missing(config: &Value) -> bool {
    config.pointer("/clientIP/timeoutSeconds").is_none_or(Value::is_null)
}

/// Which address families a Service has when its author does not say; this is an IPv4 cluster.
pub(super) fn families(spec: &mut Value) {
    if text(spec, "type") == "ExternalName" {
        return;
    }
    let headless = text(spec, "clusterIP") == "None";
    let selectorless = spec.get("selector").and_then(Value::as_object).is_none_or(Map::is_empty);
    let address_family = if text(spec, "clusterIP").contains(':') { "IPv6" } else { "IPv4" };
    let Some(map) = spec.as_object_mut() else { return };
    let unset = |key: &str| map.get(key).is_none_or(Value::is_null);
    // Nobody can tell which families the endpoints of a headless Service without selector will have.
    if headless && selectorless && unset("ipFamilyPolicy") && unset("ipFamilies") {
        map.insert("ipFamilyPolicy".into(), json!("RequireDualStack"));
        map.insert("ipFamilies".into(), json!(["IPv4", "IPv6"]));
    }
    set_default(map, "ipFamilyPolicy", "SingleStack");
    if map.get("ipFamilies").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        map.insert("ipFamilies".into(), json!([address_family]));
    }
}
