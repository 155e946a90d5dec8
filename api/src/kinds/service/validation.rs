//! Validation of Services.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};
use serde_json::{Value, json};

use super::addresses::{self, is_headless};
use super::endpoint_validation::no_endpoint;
use super::policies;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::ip;
use crate::kinds::json::{decode, json};
use crate::kinds::pod::{self, PROTOCOLS};
use crate::{meta, metadata, names};

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const NOT_EXTERNAL: &str = "may not be set for ExternalName services";
/// A day: the longest a client sticks to an endpoint.
const MAX_AFFINITY_SECONDS: i32 = 86_400;
/// Where a node listens for the API server.
const NODE_PORT: i32 = 10_250;
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";

pub(super) fn validate(service: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    topology(&mut errors, service);
    match decode::<ServiceSpec>(service, "spec") {
        Ok(spec) => {
            self::spec(&mut errors, &spec, &Path::root("spec"));
            policies::validate(&mut errors, &spec, service);
        }
        Err(error) => errors.0.push(error),
    }
    errors.0
}

pub(super) fn is_set(text: Option<&String>) -> bool {
    text.is_some_and(|t| !t.is_empty())
}

/// Two annotations say the same thing.
fn topology(errors: &mut Errors, service: &Value) {
    let annotations = meta::annotations(service);
    if let (Some(mode), Some(hints)) = (annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS))
        && mode != hints
    {
        let path = Path::root("metadata").child("annotations").key(TOPOLOGY_MODE);
        errors.invalid(&path, mode, &format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified"));
    }
}

fn spec(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let kind = spec.type_.as_deref().unwrap_or_default();
    if spec.ports.as_ref().is_none_or(Vec::is_empty) && !is_headless(spec) && kind != "ExternalName" {
        errors.required(&path.child("ports"), "");
    }
    of_type(errors, spec, kind, path);
    ports(errors, spec, &path.child("ports"));
    errors.0.extend(metadata::labels(spec.selector.as_ref().map(json).as_ref(), &path.child("selector")));
    affinity(errors, spec, path);
    if kind != "ExternalName" {
        addresses::validate(errors, spec, path);
    }
    for (index, address) in spec.external_ips.iter().flatten().enumerate() {
        let path = path.child("externalIPs").index(index);
        match ip::address_error(address, &[]) {
            Some(detail) => errors.invalid(&path, address, detail),
            None => no_endpoint(errors, address, &path),
        }
    }
    errors.one_of(&path.child("type"), spec.type_.as_ref(), TYPES);
    repeated(errors, spec, kind, &path.child("ports"));
}

fn of_type(errors: &mut Errors, spec: &ServiceSpec, kind: &str, path: &Path) {
    if kind == "LoadBalancer" {
        for (index, port) in spec.ports.iter().flatten().enumerate().filter(|(_, port)| port.port == NODE_PORT) {
            let detail = format!("may not expose port {NODE_PORT} externally since it is used by kubelet");
            errors.invalid(&path.child("ports").index(index).child("port"), &port.port, &detail);
        }
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.invalid(&path.child("clusterIPs").index(0), &"None", &detail);
        }
        "ExternalName" => external_name(errors, spec, path),
        _ => {}
    }
}

fn external_name(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    if spec.cluster_ips.as_ref().is_some_and(|ips| !ips.is_empty()) {
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

fn ports(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let all = spec.ports.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (index, port) in all.iter().enumerate() {
        let path = path.index(index);
        match port.name.as_deref().unwrap_or_default() {
            "" if all.len() > 1 => errors.required(&path.child("name"), ""),
            "" => {}
            name => {
                errors.named(&path.child("name"), name, names::dns1123_label);
                if !seen.insert(name) {
                    errors.duplicate(&path.child("name"), &name);
                }
            }
        }
        port_fields(errors, port, &path);
    }
}

fn port_fields(errors: &mut Errors, port: &ServicePort, path: &Path) {
    names::port_number(i64::from(port.port)).iter().for_each(|d| errors.invalid(&path.child("port"), &port.port, d));
    errors.one_of(&path.child("protocol"), port.protocol.as_ref(), PROTOCOLS);
    if let Some(target) = &port.target_port {
        pod::port(errors, target, &path.child("targetPort"));
    }
    if let Some(protocol) = &port.app_protocol {
        errors.named(&path.child("appProtocol"), protocol, names::qualified_name);
    }
}

/// Ports that are there twice, and node ports where none can be.
fn repeated(errors: &mut Errors, spec: &ServiceSpec, kind: &str, path: &Path) {
    let all = || spec.ports.iter().flatten().enumerate();
    let node_ports = || all().filter_map(|(index, port)| Some((index, port, port.node_port.filter(|n| *n != 0)?)));
    if kind == "ClusterIP" {
        for (index, ..) in node_ports() {
            errors.forbidden(&path.index(index).child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    let (mut node_ports_seen, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (index, port, number) in node_ports() {
        if !node_ports_seen.insert((number, &port.protocol)) {
            errors.duplicate(&path.index(index).child("nodePort"), &number);
        }
    }
    for (index, port) in all() {
        if !seen.insert((port.port, &port.protocol)) {
            errors.duplicate(&path.index(index), &json!({ "port": port.port, "protocol": port.protocol }));
        }
    }
}

fn affinity(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    errors.one_of(&path.child("sessionAffinity"), spec.session_affinity.as_ref(), &["ClientIP", "None"]);
    let config = path.child("sessionAffinityConfig");
    match (spec.session_affinity.as_deref(), &spec.session_affinity_config) {
        (Some("None"), Some(_)) => errors.forbidden(&config, "must not be set when session affinity is None"),
        (Some("ClientIP"), set) => {
            let (why, client) = ("when session affinity type is ClientIP", config.child("clientIP"));
            let seconds_path = client.child("timeoutSeconds");
            let Some(set) = set else { return errors.required(&config, why) };
            let Some(of_client) = &set.client_ip else { return errors.required(&client, why) };
            match of_client.timeout_seconds {
                None => errors.required(&seconds_path, why),
                Some(seconds) if !(1..=MAX_AFFINITY_SECONDS).contains(&seconds) => {
                    let detail = format!("must be greater than 0 and less than {MAX_AFFINITY_SECONDS}");
                    errors.invalid(&seconds_path, &seconds, &detail);
                }
                Some(_) => {}
            }
        }
        _ => {}
    }
}

/// What may not change: the first address and family, the class of a load balancer, the port of its health checks.
pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (Ok(new_spec), Ok(old_spec)) = (decode::<ServiceSpec>(new, "spec"), decode::<ServiceSpec>(old, "spec")) else {
        return errors.0;
    };
    let is_external = |spec: &ServiceSpec| spec.type_.as_deref() == Some("ExternalName");
    if !is_external(&new_spec) && !is_external(&old_spec) {
        addresses::validate_update(&mut errors, &new_spec, &old_spec);
    }
    policies::validate_update(&mut errors, &new_spec, &old_spec);
    errors.0
}
