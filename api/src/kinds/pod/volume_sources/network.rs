//! Storage that is reached over a network.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::Owner;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, has, integer, part, text, texts};
use crate::names;

const MAX_LUN: i64 = 255;
/// Longest `VOLUME:PORTAL` of an iSCSI volume with an initiator of its own.
const MAX_INTERFACE_BYTES: usize = 64;
const TOO_LONG: &str = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if \
     iscsi.initiatorName is specified.";
const MAX_TENANT_BYTES: usize = 64;
const HOST_PORTS: &str = "must be a host:port pair or multiple pairs separated by commas";

pub(super) fn nfs(errors: &mut Errors, source: &Value, path: &Path) {
    let exported = text(source, "path");
    if !exported.starts_with('/') {
        errors.invalid(&path.child("path"), &exported, "must be an absolute path");
    }
}

pub(super) fn gluster(errors: &mut Errors, source: &Value, path: &Path) {
    if !has(source, "endpointsNamespace") {
        return;
    }
    let path = path.child("endpointsNamespace");
    match text(source, "endpointsNamespace") {
        "" => errors.invalid(&path, &"", "if the endpointnamespace is set, it must be a valid namespace name"),
        namespace => errors.named(&path, namespace, names::dns1123_label),
    }
}

pub(super) fn ceph(errors: &mut Errors, kind: &str, source: &Value, path: &Path) {
    if texts(source, "monitors").is_empty() {
        errors.required(&path.child("monitors"), "");
    }
    if kind == "rbd" {
        errors.filled(path, source, "image");
    }
}

pub(super) fn quobyte(errors: &mut Errors, source: &Value, path: &Path) {
    let registry = text(source, "registry");
    if registry.is_empty() {
        errors.required(&path.child("registry"), HOST_PORTS);
    } else if text(source, "tenant").len() > MAX_TENANT_BYTES {
        errors.required(&path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else {
        for _ in registry.split(',').filter(|pair| !is_host_port(pair)) {
            errors.invalid(&path.child("registry"), &registry, HOST_PORTS);
        }
    }
    errors.filled(path, source, "volume");
}

/// What Go's `net.SplitHostPort` takes: one colon outside of brackets, and nothing between a bracket and it.
fn is_host_port(pair: &str) -> bool {
    match pair.strip_prefix('[') {
        Some(rest) => rest.split_once(']').is_some_and(|(host, port)| {
            !host.contains(['[', ']']) && port.starts_with(':') && !port[1..].contains([':', '[', ']'])
        }),
        None => pair
            .split_once(':')
            .is_some_and(|(host, port)| !host.contains(['[', ']']) && !port.contains([':', '[', ']'])),
    }
}

pub(super) fn fibre_channel(errors: &mut Errors, source: &Value, path: &Path) {
    let (targets, ids) = (!texts(source, "targetWWNs").is_empty(), !texts(source, "wwids").is_empty());
    let targets_path = path.child("targetWWNs");
    match (targets, ids) {
        (false, false) => errors.required(&targets_path, "must specify either targetWWNs or wwids, but not both"),
        (true, true) => {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            errors.invalid(&targets_path, &part(source, "targetWWNs"), detail);
        }
        _ => {}
    }
    if targets && !has(source, "lun") {
        errors.required(&path.child("lun"), "lun is required if targetWWNs is specified");
    } else if targets {
        lun(errors, source, path);
    }
}

fn lun(errors: &mut Errors, source: &Value, path: &Path) {
    let lun = integer(source, "lun");
    if !(0..=MAX_LUN).contains(&lun) {
        errors.invalid(&path.child("lun"), &lun, &names::out_of_range(0, MAX_LUN));
    }
}

/// An initiator or target of each naming scheme (RFC 3721).
static QUALIFIED: LazyLock<[(&str, Option<Regex>); 3]> = LazyLock::new(|| {
    let compiled = |pattern| Regex::new(pattern).ok();
    [
        ("iqn", compiled(r"iqn\.\d{4}-\d{2}\.([[:alnum:]\-.]+)(:[^,;*&$|\s]+)$")),
        ("eui", compiled(r"^eui.[[:alnum:]]{16}$")),
        ("naa", compiled(r"^naa.[[:alnum:]]{32}$")),
    ]
});

pub(super) fn iscsi(errors: &mut Errors, source: &Value, path: &Path, owner: Owner<'_>) {
    let portal = text(source, "targetPortal");
    errors.filled(path, source, "targetPortal");
    if let Owner::Persistent(name) = owner
        && has(source, "initiatorName")
        && name.len() + 1 + portal.len() > MAX_INTERFACE_BYTES
    {
        errors.invalid(&path.child("targetportal"), &portal, TOO_LONG);
    }
    match text(source, "iqn") {
        "" => errors.required(&path.child("iqn"), ""),
        name => qualified(errors, &path.child("iqn"), name, owner),
    }
    lun(errors, source, path);
    let chap = boolean(source, "chapAuthDiscovery") || boolean(source, "chapAuthSession");
    if chap && !has(source, "secretRef") {
        errors.required(&path.child("secretRef"), "");
    }
    if owner.is_persistent() && has(source, "secretRef") {
        errors.filled(&path.child("secretRef"), &source["secretRef"], "name");
    }
    if has(source, "initiatorName") {
        qualified(errors, &path.child("initiatorname"), text(source, "initiatorName"), owner);
    }
}

fn qualified(errors: &mut Errors, path: &Path, name: &str, owner: Owner<'_>) {
    match QUALIFIED.iter().find(|(scheme, _)| name.starts_with(scheme)) {
        None if owner.is_persistent() => errors.invalid(path, &name, "must be valid format"),
        None => errors.invalid(path, &name, "must be valid format starting with iqn, eui, or naa"),
        Some((_, form)) if form.as_ref().is_some_and(|form| !form.is_match(name)) => {
            errors.invalid(path, &name, "must be valid format");
        }
        Some(_) => {}
    }
}

/// In a pod the name of the volume counts, and is what is complained about.
pub(in crate::kinds::pod) fn interface_name(errors: &mut Errors, volume: &Value, path: &Path) {
    let (name, source) = (text(volume, "name"), part(volume, "iscsi"));
    let bytes = name.len() + 1 + text(&source, "targetPortal").len();
    if has(&source, "initiatorName") && bytes > MAX_INTERFACE_BYTES {
        errors.invalid(&path.child("name"), &name, TOO_LONG);
    }
}

#[cfg(test)]
mod tests {
    use super::is_host_port;

    #[test]
    fn pairs_of_host_and_port() {
        let good = ["a:1", "[::1]:1", ":1", "a:"];
        let bad = ["a", "a:1:2", "::1", "[::1]", "[::1]1", ""];
        assert!(good.iter().all(|pair| is_host_port(pair)) && !bad.iter().any(|pair| is_host_port(pair)));
    }
}
