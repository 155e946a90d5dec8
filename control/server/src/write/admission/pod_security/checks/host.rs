//! What of the node a pod shares (baseline).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Pod, Violation, containers_named, culprits, name, plural};
use crate::value::items;

/// `check_hostNamespaces.go`
pub(super) fn namespaces(pod: Pod<'_>) -> Option<Violation> {
    let shared = ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|field| pod.spec[field] == true);
    let shared: Vec<String> = shared.map(|field| format!("{field}=true")).collect();
    (!shared.is_empty()).then(|| Violation::new("host namespaces", shared.join(", ")))
}

/// `check_hostPorts.go`
pub(super) fn ports(pod: Pod<'_>) -> Option<Violation> {
    let mut containers = Vec::new();
    // As texts, which is how they are sorted.
    let mut ports: BTreeSet<String> = BTreeSet::new();
    for container in pod.containers() {
        let used = items(&container["ports"]).filter_map(|port| port["hostPort"].as_i64()).filter(|port| *port != 0);
        let used: Vec<String> = used.map(|port| port.to_string()).collect();
        if !used.is_empty() {
            containers.push(name(container));
        }
        ports.extend(used);
    }
    (!containers.is_empty()).then(|| {
        let verb = plural(containers.len(), "uses", "use");
        let noun = plural(ports.len(), "hostPort", "hostPorts");
        let ports = ports.into_iter().collect::<Vec<_>>().join(", ");
        Violation::new("hostPort", format!("{} {verb} {noun} {ports}", containers_named(&containers)))
    })
}

/// `check_windowsHostProcess.go`
pub(super) fn processes(pod: Pod<'_>) -> Option<Violation> {
    let is_of_host = |owner: &Value| owner["securityContext"]["windowsOptions"]["hostProcess"] == true;
    let who = culprits(is_of_host(pod.spec), &pod.containers_where(is_of_host))?;
    Some(Violation::new("hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true")))
}
