//! Container ports.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec};

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::names;

/// Transport protocols.
pub(in crate::kinds) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

pub(super) fn validate(errors: &mut Errors, ports: &[ContainerPort], path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        if let Some(name) = port.name.as_ref().filter(|n| !n.is_empty()) {
            let before = errors.0.len();
            errors.named(&path.child("name"), name, names::port_name);
            if errors.0.len() == before && !seen.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
        }
        match i64::from(port.container_port) {
            0 => errors.required(&path.child("containerPort"), ""),
            number => number_in_range(errors, &path.child("containerPort"), number),
        }
        if let Some(number) = port.host_port.filter(|n| *n != 0) {
            number_in_range(errors, &path.child("hostPort"), i64::from(number));
        }
        errors.one_of(&path.child("protocol"), port.protocol.as_ref(), PROTOCOLS);
    }
}

fn number_in_range(errors: &mut Errors, path: &Path, number: i64) {
    names::port_number(number).iter().for_each(|detail| errors.invalid(path, &number, detail));
}

/// Two containers can't have one host port.
pub(super) fn conflicts(errors: &mut Errors, containers: &[Container], path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (port_index, port) in container.ports.iter().flatten().enumerate() {
            let number = port.host_port.unwrap_or_default();
            if number == 0 {
                continue;
            }
            let key =
                (port.protocol.as_deref().unwrap_or_default(), port.host_ip.as_deref().unwrap_or_default(), number);
            if !seen.insert(key) {
                let (protocol, address, number) = key;
                let path = path.index(index).child("ports").index(port_index).child("hostPort");
                errors.duplicate(&path, &format!("{protocol}/{address}/{number}"));
            }
        }
    }
}

/// On the host's network every container port is a host port. A template may leave that open.
pub(super) fn host_network(errors: &mut Errors, spec: &PodSpec, is_pod: bool, path: &Path) {
    if spec.host_network != Some(true) {
        return;
    }
    for (index, container) in spec.containers.iter().enumerate() {
        for (port_index, port) in container.ports.iter().flatten().enumerate() {
            let number = port.host_port.unwrap_or_default();
            if (is_pod || number != 0) && number != port.container_port {
                let path = path.index(index).child("ports").index(port_index).child("hostPort");
                errors.invalid(&path, &number, "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}
