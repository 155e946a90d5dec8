//! Validation of Services.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};
use serde_json::{Value, json};

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{decode, json};
use crate::kinds::pod::{self, PROTOCOLS, valid_address};
use crate::{metadata, names};

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const NOT_EXTERNAL: &str = "may not be set for ExternalName services";
/// A day: the longest a client sticks to an endpoint.
const MAX_AFFINITY_SECONDS: i32 = 86_400;

pub(super) fn validate(service: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    match decode::<ServiceSpec>(service, "spec") {
        Ok(spec) => self::spec(&mut errors, &spec, &Path::root("spec")),
        Err(error) => errors.0.push(error),
    }
    errors.0
}

fn is_set(text: Option<&String>) -> bool {
    text.is_some_and(|t| !t.is_empty())
}

fn spec(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let kind = spec.type_.as_deref().unwrap_or_default();
    let headless = spec.cluster_ip.as_deref() == Some("None");
    errors.one_of(&path.child("type"), spec.type_.as_ref(), TYPES);
    match kind {
        "ExternalName" => external_name(errors, spec, path),
        "LoadBalancer" | "NodePort" if headless => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.invalid(&path.child("clusterIPs").index(0), &"None", &detail);
        }
        _ => {}
    }
    if kind != "ExternalName" && !headless && spec.ports.as_ref().is_none_or(Vec::is_empty) {
        errors.required(&path.child("ports"), "");
    }
    ports(errors, spec, kind, &path.child("ports"));
    errors.0.extend(metadata::labels(spec.selector.as_ref().map(json).as_ref(), &path.child("selector")));
    affinity(errors, spec, path);
    addresses(errors, spec, path);
    policies(errors, spec, kind, path);
}

fn external_name(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    if spec.cluster_ips.as_ref().is_some_and(|ips| !ips.is_empty()) || is_set(spec.cluster_ip.as_ref()) {
        errors.forbidden(&path.child("clusterIPs"), NOT_EXTERNAL);
    }
    if spec.ip_families.as_ref().is_some_and(|families| !families.is_empty()) {
        errors.forbidden(&path.child("ipFamilies"), NOT_EXTERNAL);
    }
    if spec.ip_family_policy.is_some() {
        errors.forbidden(&path.child("ipFamilyPolicy"), NOT_EXTERNAL);
    }
    let name = spec.external_name.as_deref().unwrap_or_default();
    let name_path = path.child("externalName");
    errors.required_name(&name_path, name.strip_suffix('.').unwrap_or(name), names::dns1123_subdomain);
}

fn ports(errors: &mut Errors, spec: &ServiceSpec, kind: &str, path: &Path) {
    let all = spec.ports.as_deref().unwrap_or_default();
    let (mut names_seen, mut numbers_seen, mut node_ports_seen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (index, port) in all.iter().enumerate() {
        let path = path.index(index);
        port_fields(errors, port, all.len() > 1, &path);
        if is_set(port.name.as_ref()) && !names_seen.insert(port.name.as_ref()) {
            errors.duplicate(&path.child("name"), &port.name);
        }
        if !numbers_seen.insert((port.port, &port.protocol)) {
            errors.duplicate(&path, port);
        }
        let Some(node_port) = port.node_port.filter(|n| *n != 0) else { continue };
        if kind == "ClusterIP" {
            errors.forbidden(&path.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        } else if !node_ports_seen.insert((node_port, &port.protocol)) {
            errors.duplicate(&path.child("nodePort"), &node_port);
        }
    }
}

fn port_fields(errors: &mut Errors, port: &ServicePort, name_required: bool, path: &Path) {
    match port.name.as_deref().unwrap_or_default() {
        "" if name_required => errors.required(&path.child("name"), ""),
        "" => {}
        name => errors.named(&path.child("name"), name, names::dns1123_label),
    }
    names::port_number(i64::from(port.port)).iter().for_each(|d| errors.invalid(&path.child("port"), &port.port, d));
    errors.one_of(&path.child("protocol"), port.protocol.as_ref(), PROTOCOLS);
    if let Some(target) = &port.target_port {
        pod::port(errors, target, &path.child("targetPort"));
    }
    if is_set(port.app_protocol.as_ref()) {
        errors.named_if_set(&path.child("appProtocol"), port.app_protocol.as_ref(), names::qualified_name);
    }
}

fn affinity(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    errors.one_of(&path.child("sessionAffinity"), spec.session_affinity.as_ref(), &["ClientIP", "None"]);
    let config = path.child("sessionAffinityConfig");
    match (spec.session_affinity.as_deref(), &spec.session_affinity_config) {
        (Some("None"), Some(_)) => {
            errors.forbidden(&config, "must not be set when session affinity is None");
        }
        (Some("ClientIP"), Some(set)) => {
            let seconds = set.client_ip.as_ref().and_then(|c| c.timeout_seconds).unwrap_or_default();
            if !(1..=MAX_AFFINITY_SECONDS).contains(&seconds) {
                let detail = format!("must be greater than 0 and less than {MAX_AFFINITY_SECONDS}");
                errors.invalid(&config.child("clientIP").child("timeoutSeconds"), &seconds, &detail);
            }
        }
        _ => {}
    }
}

fn addresses(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let list_path = path.child("clusterIPs");
    let list = spec.cluster_ips.as_deref().unwrap_or_default();
    if is_set(spec.cluster_ip.as_ref()) && list.is_empty() {
        errors.required(&list_path, "");
    }
    if let Some(first) = list.first().filter(|first| spec.cluster_ip.as_ref() != Some(first)) {
        errors.invalid(&list_path, first, "first value must match `clusterIP`");
    }
    for (index, address) in list.iter().enumerate() {
        match address.as_str() {
            "None" if list.len() > 1 => {
                errors.invalid(&list_path.index(index), address, "'None' must be the first and only value");
            }
            "None" => {}
            address => valid_address(errors, &list_path.index(index), address),
        }
    }
    if list.len() > 2 {
        errors.invalid(&list_path, &list, "may only hold up to 2 values");
    }
    let externals = path.child("externalIPs");
    for (index, address) in spec.external_ips.iter().flatten().enumerate() {
        valid_address(errors, &externals.index(index), address);
    }
}

fn policies(errors: &mut Errors, spec: &ServiceSpec, kind: &str, path: &Path) {
    let external = path.child("externalTrafficPolicy");
    let reachable = matches!(kind, "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty()));
    if let Some(policy) = spec.external_traffic_policy.as_deref().filter(|p| !p.is_empty()) {
        if !reachable {
            errors.invalid(&external, &policy, "may only be set for externally-accessible services");
        }
        errors.one_of_if_set(&external, Some(policy), &["Cluster", "Local"]);
    } else if reachable {
        errors.required(&external, "");
    }
    let internal = spec.internal_traffic_policy.as_deref();
    errors.one_of_if_set(&path.child("internalTrafficPolicy"), internal, &["Cluster", "Local"]);
    let policy = spec.ip_family_policy.as_deref();
    let supported = ["SingleStack", "PreferDualStack", "RequireDualStack"];
    errors.one_of_if_set(&path.child("ipFamilyPolicy"), policy, &supported);
    for (index, family) in spec.ip_families.iter().flatten().enumerate() {
        errors.one_of_if_set(&path.child("ipFamilies").index(index), Some(family), &["IPv4", "IPv6"]);
    }
    if kind != "LoadBalancer" {
        let detail = "may only be used when `type` is 'LoadBalancer'";
        if spec.allocate_load_balancer_node_ports.is_some() {
            errors.forbidden(&path.child("allocateLoadBalancerNodePorts"), detail);
        }
        if is_set(spec.load_balancer_class.as_ref()) {
            errors.forbidden(&path.child("loadBalancerClass"), detail);
        }
    }
}

/// The first address of a Service stays its address as long as its type has one.
pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (Ok(new_spec), Ok(old_spec)) = (decode::<ServiceSpec>(new, "spec"), decode::<ServiceSpec>(old, "spec")) else {
        return errors.0;
    };
    let is_external = |spec: &ServiceSpec| spec.type_.as_deref() == Some("ExternalName");
    if is_external(&new_spec) || is_external(&old_spec) {
        return errors.0;
    }
    if is_set(old_spec.cluster_ip.as_ref()) && new_spec.cluster_ip != old_spec.cluster_ip {
        let path = Path::root("spec").child("clusterIPs").index(0);
        errors.invalid(&path, &json!(new_spec.cluster_ips.unwrap_or_default()), "may not change once set");
    }
    errors.0
}
