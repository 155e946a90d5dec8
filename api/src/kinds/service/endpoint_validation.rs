//! Validation of Endpoints and EndpointSlices.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, integer, list, text};
use crate::kinds::pod::PROTOCOLS;
use crate::names;

const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;
const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];

/// All errors in Endpoints.
pub(super) fn endpoints(object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("subsets");
    for (index, subset) in list(object, "subsets").iter().enumerate() {
        let path = path.index(index);
        if list(subset, "addresses").is_empty() && list(subset, "notReadyAddresses").is_empty() {
            errors.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for field in ["addresses", "notReadyAddresses"] {
            for (index, entry) in list(subset, field).iter().enumerate() {
                let path = path.child(field).index(index);
                address(&mut errors, text(entry, "ip"), &path.child("ip"));
                let (node, hostname) = (text(entry, "nodeName"), text(entry, "hostname"));
                if !hostname.is_empty() {
                    errors.named(&path.child("hostname"), hostname, names::dns1123_label);
                }
                if !node.is_empty() {
                    errors.named(&path.child("nodeName"), node, names::dns1123_subdomain);
                }
            }
        }
        let ports = list(subset, "ports");
        for (index, port) in ports.iter().enumerate() {
            let path = path.child("ports").index(index);
            match text(port, "name") {
                "" if ports.len() > 1 => errors.required(&path.child("name"), ""),
                "" => {}
                name => errors.named(&path.child("name"), name, names::dns1123_label),
            }
            port_number(&mut errors, integer(port, "port"), &path.child("port"));
            errors.one_of(&path.child("protocol"), Some(&text(port, "protocol").to_string()), PROTOCOLS);
        }
    }
    errors.0
}

/// All errors in an EndpointSlice.
pub(super) fn slice(object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let kind = text(object, "addressType").to_string();
    errors.one_of(&Path::root("addressType"), Some(&kind), ADDRESS_TYPES);
    slice_endpoints(&mut errors, object, &kind);
    let (path, ports) = (Path::root("ports"), list(object, "ports"));
    if ports.len() > MAX_PORTS {
        errors.0.push(FieldError::too_many(&path, ports.len(), MAX_PORTS));
        return errors.0;
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(port, "name");
        if !name.is_empty() {
            errors.named(&path.child("name"), name, names::dns1123_label);
        }
        if !seen.insert(name) {
            errors.duplicate(&path.child("name"), &name);
        }
        if has(port, "port") {
            port_number(&mut errors, integer(port, "port"), &path.child("port"));
        }
        errors.one_of(&path.child("protocol"), Some(&text(port, "protocol").to_string()), PROTOCOLS);
    }
    errors.0
}

fn slice_endpoints(errors: &mut Errors, object: &Value, kind: &str) {
    let (path, endpoints) = (Path::root("endpoints"), list(object, "endpoints"));
    if endpoints.len() > MAX_ENDPOINTS {
        errors.0.push(FieldError::too_many(&path, endpoints.len(), MAX_ENDPOINTS));
        return;
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let path = path.index(index).child("addresses");
        let addresses = list(endpoint, "addresses");
        if addresses.is_empty() {
            errors.required(&path, "must contain at least 1 address");
        } else if addresses.len() > MAX_ADDRESSES {
            errors.0.push(FieldError::too_many(&path, addresses.len(), MAX_ADDRESSES));
        }
        for (index, entry) in addresses.iter().filter_map(Value::as_str).enumerate() {
            let path = path.index(index);
            match kind {
                "IPv4" if entry.parse::<std::net::Ipv4Addr>().is_err() => {
                    errors.invalid(&path, &entry, "must be an IPv4 address");
                }
                "IPv6" if entry.parse::<std::net::Ipv6Addr>().is_err() => {
                    errors.invalid(&path, &entry, "must be an IPv6 address");
                }
                "IPv4" | "IPv6" => address(errors, entry, &path),
                "FQDN" => errors.named(&path, entry, names::dns1123_subdomain),
                _ => {}
            }
        }
    }
}

/// Addresses that no endpoint may have, because traffic to them would reach the node itself. Loopback is allowed, unlike
/// in Kubernetes: without root, the pods of a one-machine cluster have addresses out of 127.0.0.0/8.
fn address(errors: &mut Errors, text: &str, path: &Path) {
    match text.parse::<std::net::IpAddr>() {
        Err(_) => errors.invalid(path, &text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        Ok(ip) if ip.is_unspecified() => {
            errors.invalid(path, &text, &format!("may not be unspecified ({ip})"));
        }
        Ok(std::net::IpAddr::V4(ip)) if ip.is_link_local() => {
            errors.invalid(path, &text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
        }
        Ok(ip) if ip.is_multicast() => {
            errors.invalid(path, &text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
        }
        Ok(_) => {}
    }
}

fn port_number(errors: &mut Errors, number: i64, path: &Path) {
    names::port_number(number).iter().for_each(|detail| errors.invalid(path, &number, detail));
}
