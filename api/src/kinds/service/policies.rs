//! Validation of what traffic a Service takes and where it sends it, and of its load balancer.

use k8s_openapi::api::core::v1::ServiceSpec;
use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::ip;
use crate::kinds::json::{has, integer, list, text};
use crate::kinds::pod::PROTOCOLS;
use crate::{meta, names};

const BALANCER_ONLY: &str = "may only be used when `type` is 'LoadBalancer'";
const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const POLICIES: &[&str] = &["Cluster", "Local"];
const DISTRIBUTIONS: &[&str] = &["PreferClose", "PreferSameNode", "PreferSameZone"];

fn kind(spec: &ServiceSpec) -> &str {
    spec.type_.as_deref().unwrap_or_default()
}

fn is_checked(spec: &ServiceSpec) -> bool {
    kind(spec) == "LoadBalancer" && spec.external_traffic_policy.as_deref() == Some("Local")
}

pub(super) fn validate(errors: &mut Errors, spec: &ServiceSpec, service: &Value) {
    let path = Path::root("spec");
    let balanced = kind(spec) == "LoadBalancer";
    source_ranges(errors, spec, service, balanced);
    let node_ports = path.child("allocateLoadBalancerNodePorts");
    match spec.allocate_load_balancer_node_ports {
        Some(_) if !balanced => errors.forbidden(&node_ports, BALANCER_ONLY),
        None if balanced => errors.required(&node_ports, ""),
        _ => {}
    }
    match &spec.load_balancer_class {
        Some(class) if balanced => errors.named(&path.child("loadBalancerClass"), class, names::qualified_name),
        Some(_) => errors.forbidden(&path.child("loadBalancerClass"), BALANCER_ONLY),
        None => {}
    }
    external(errors, spec, &path);
    let internal = path.child("internalTrafficPolicy");
    if spec.internal_traffic_policy.is_none() && matches!(kind(spec), "ClusterIP" | "NodePort" | "LoadBalancer") {
        errors.required(&internal, "");
    }
    errors.one_of_if_set(&internal, spec.internal_traffic_policy.as_deref(), POLICIES);
    let distribution = spec.traffic_distribution.as_deref();
    errors.one_of_if_set(&path.child("trafficDistribution"), distribution, DISTRIBUTIONS);
}

/// From a field, or from the annotation that it was once. The field has had the wrong name in messages ever since.
fn source_ranges(errors: &mut Errors, spec: &ServiceSpec, service: &Value, balanced: bool) {
    let ranges = spec.load_balancer_source_ranges.as_deref().unwrap_or_default();
    let annotated = meta::annotations(service).get(RANGES).copied();
    if !ranges.is_empty() {
        let path = Path::root("spec").child("LoadBalancerSourceRanges");
        if !balanced {
            errors.forbidden(&path, BALANCER_ONLY);
        }
        ranges.iter().enumerate().for_each(|(index, range)| ip::range(errors, &path.index(index), range.trim(), &[]));
    } else if let Some(annotated) = annotated {
        let path = Path::root("metadata").child("annotations").key(RANGES);
        if !balanced {
            errors.forbidden(&path, BALANCER_ONLY);
        }
        if !annotated.trim().is_empty() {
            annotated.split(',').for_each(|range| ip::range(errors, &path, range.trim(), &[]));
        }
    }
}

fn external(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let policy_path = path.child("externalTrafficPolicy");
    let reachable = matches!(kind(spec), "NodePort" | "LoadBalancer")
        || (kind(spec) == "ClusterIP" && spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty()));
    if reachable {
        errors.one_of(&policy_path, spec.external_traffic_policy.as_ref(), POLICIES);
    } else if let Some(policy) = spec.external_traffic_policy.as_deref().filter(|p| !p.is_empty()) {
        errors.invalid(&policy_path, &policy, "may only be set for externally-accessible services");
    }
    // One that is missing gets allocated.
    let Some(port) = spec.health_check_node_port.filter(|port| *port != 0) else { return };
    let port_path = path.child("healthCheckNodePort");
    if is_checked(spec) {
        names::port_number(i64::from(port)).iter().for_each(|detail| errors.invalid(&port_path, &port, detail));
    } else {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.invalid(&port_path, &port, detail);
    }
}

pub(super) fn validate_update(errors: &mut Errors, new: &ServiceSpec, old: &ServiceSpec) {
    let path = Path::root("spec");
    let balanced = kind(new) == "LoadBalancer" && kind(old) == "LoadBalancer";
    if balanced && new.load_balancer_class != old.load_balancer_class {
        errors.invalid(&path.child("loadBalancerClass"), &new.load_balancer_class, "may not change once set");
    }
    if is_checked(new) && is_checked(old) && new.health_check_node_port != old.health_check_node_port {
        errors.forbidden(&path.child("healthCheckNodePort"), "field is immutable");
    }
}

/// All errors in a written status: how the load balancer is reached.
pub(super) fn validate_status(service: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("status").child("loadBalancer").child("ingress");
    let entries = list(service, "status.loadBalancer.ingress");
    if !entries.is_empty() && text(service, "spec.type") != "LoadBalancer" {
        errors.forbidden(&path, "may only be used when `spec.type` is \"LoadBalancer\"");
        return errors.0;
    }
    for (index, entry) in entries.iter().enumerate() {
        let (path, address, host) = (path.index(index), text(entry, "ip"), text(entry, "hostname"));
        if !address.is_empty() {
            ip::address(&mut errors, &path.child("ip"), address, &[]);
            if !has(entry, "ipMode") {
                errors.required(&path.child("ipMode"), "must be specified when `ip` is set");
            }
        } else if has(entry, "ipMode") {
            errors.forbidden(&path.child("ipMode"), "may not be specified when `ip` is not set");
        }
        errors.one_of_if_set(
            &path.child("ipMode"),
            Some(text(entry, "ipMode")).filter(|mode| !mode.is_empty()),
            &["Proxy", "VIP"],
        );
        if !host.is_empty() {
            errors.named(&path.child("hostname"), host, names::dns1123_subdomain);
            if host.parse::<std::net::IpAddr>().is_ok() {
                errors.invalid(&path.child("hostname"), &host, "must be a DNS name, not an IP address");
            }
        }
        for (index, port) in list(entry, "ports").iter().enumerate() {
            let (path, number) = (path.child("ports").index(index), integer(port, "port"));
            names::port_number(number).iter().for_each(|detail| errors.invalid(&path.child("port"), &number, detail));
            errors.one_of_if_set(&path.child("protocol"), Some(text(port, "protocol")), PROTOCOLS);
        }
    }
    errors.0
}
