//! Validation of Endpoints and EndpointSlices.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::ip;
use crate::kinds::json::{has, integer, list, text};
use crate::kinds::pod::PROTOCOLS;
use crate::names;

const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;
const MAX_TOPOLOGY_LABELS: usize = 16;
const MAX_HINTS: usize = 8;
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
            if has(port, "appProtocol") {
                errors.named(&path.child("appProtocol"), text(port, "appProtocol"), names::qualified_name);
            }
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
        if has(port, "appProtocol") {
            errors.named(&path.child("appProtocol"), text(port, "appProtocol"), names::qualified_name);
        }
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
        let endpoint_path = path.index(index);
        let path = endpoint_path.child("addresses");
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
                "FQDN" => domain(errors, entry, &path),
                _ => {}
            }
        }
        place(errors, endpoint, &endpoint_path);
    }
}

/// A domain of at least two labels, perhaps with a dot at its end.
fn domain(errors: &mut Errors, name: &str, path: &Path) {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let details = names::dns1123_subdomain(bare);
    if name.is_empty() {
        errors.required(path, "");
    } else if !details.is_empty() {
        errors.invalid(path, &bare, &details.join(","));
    } else if !bare.contains('.') {
        errors.invalid(path, &bare, "should be a domain with at least two segments separated by dots");
    } else if let Some(label) = bare.split('.').find(|label| !names::dns1123_label(label).is_empty()) {
        errors.invalid(path, &label, &names::dns1123_label(label).join(","));
    }
}

/// Where an endpoint is and whom it serves.
fn place(errors: &mut Errors, endpoint: &Value, path: &Path) {
    if has(endpoint, "nodeName") {
        errors.named(&path.child("nodeName"), text(endpoint, "nodeName"), names::dns1123_subdomain);
    }
    let topology = endpoint.get("deprecatedTopology").filter(|t| t.is_object());
    let topology_path = path.child("deprecatedTopology");
    let labels = topology.and_then(Value::as_object).map_or(0, serde_json::Map::len);
    if labels > MAX_TOPOLOGY_LABELS {
        errors.0.push(FieldError::too_many(&topology_path, labels, MAX_TOPOLOGY_LABELS));
    }
    errors.0.extend(crate::metadata::labels(topology, &topology_path));
    if has(endpoint, "hostname") {
        errors.named(&path.child("hostname"), text(endpoint, "hostname"), names::dns1123_label);
    }
    for (field, rule) in
        [("forZones", names::label_value as fn(&str) -> Vec<String>), ("forNodes", names::dns1123_subdomain)]
    {
        hints(errors, list(endpoint, &format!("hints.{field}")), rule, &path.child("hints").child(field));
    }
}

/// Zones or nodes whose clients should use the endpoint, each once.
fn hints(errors: &mut Errors, hints: &[Value], rule: fn(&str) -> Vec<String>, path: &Path) {
    if hints.len() > MAX_HINTS {
        errors.0.push(FieldError::too_many(path, hints.len(), MAX_HINTS));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, hint) in hints.iter().enumerate() {
        let (path, name) = (path.index(index).child("name"), text(hint, "name"));
        if !seen.insert(name) {
            errors.duplicate(&path, &name);
        }
        errors.named(&path, name, rule);
    }
}

fn address(errors: &mut Errors, text: &str, path: &Path) {
    match ip::address_error(text, &[]) {
        Some(detail) => errors.invalid(path, &text, detail),
        None => no_endpoint(errors, text, path),
    }
}

/// Addresses that no endpoint may have, because traffic to them would reach the node itself. Loopback is allowed, unlike
/// in Kubernetes: without root, the pods of a one-machine cluster have addresses out of 127.0.0.0/8.
pub(super) fn no_endpoint(errors: &mut Errors, text: &str, path: &Path) {
    let Some(address) = ip::parse_sloppy(text) else { return };
    let (local, group) = match address {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => (ip.is_unicast_link_local(), ip.segments()[0] == 0xff02),
    };
    if address.is_unspecified() {
        errors.invalid(path, &text, &format!("may not be unspecified ({text})"));
    }
    if local {
        errors.invalid(path, &text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if group {
        errors.invalid(path, &text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

fn port_number(errors: &mut Errors, number: i64, path: &Path) {
    names::port_number(number).iter().for_each(|detail| errors.invalid(path, &number, detail));
}
