//! Linux capabilities that containers add and must drop.

use serde_json::Value;

use super::{Pod, Texts, Violation, containers_named, name, quoted};
use crate::value::items;

/// What runtimes give to containers anyway, but for `NET_RAW`.
const DEFAULT: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// `check_capabilities_baseline.go`
pub(super) fn baseline(pod: Pod<'_>) -> Option<Violation> {
    let detail = added_beyond(pod, &DEFAULT)?;
    Some(Violation::new("non-default capabilities", detail))
}

/// `check_capabilities_restricted.go`
pub(super) fn restricted(pod: Pod<'_>) -> Option<Violation> {
    let keeps = pod.containers_where(|container| !texts(container, "drop").any(|name| name == "ALL"));
    let missing = (!keeps.is_empty())
        .then(|| format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers_named(&keeps)));
    let details: Vec<String> = missing.into_iter().chain(added_beyond(pod, &["NET_BIND_SERVICE"])).collect();
    (!details.is_empty()).then(|| Violation::new("unrestricted capabilities", details.join("; ")))
}

/// Which containers add what they may not.
fn added_beyond(pod: Pod<'_>, allowed: &[&str]) -> Option<String> {
    let (mut containers, mut added) = (Vec::new(), Texts::new());
    for container in pod.containers() {
        let bad: Texts<'_> = texts(container, "add").filter(|name| !allowed.contains(name)).collect();
        if !bad.is_empty() {
            containers.push(name(container));
        }
        added.extend(bad);
    }
    (!containers.is_empty()).then(|| {
        let who = containers_named(&containers);
        format!("{who} must not include {} in securityContext.capabilities.add", quoted(added))
    })
}

fn texts<'a>(container: &'a Value, list: &str) -> impl Iterator<Item = &'a str> {
    items(&container["securityContext"]["capabilities"][list]).map(|item| item.as_str().unwrap_or_default())
}
