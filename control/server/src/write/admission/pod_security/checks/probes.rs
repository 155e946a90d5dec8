//! Probes and hooks that have the node call somebody else than the pod (baseline).

use serde_json::Value;

use super::{Pod, Texts, Violation, name, plural, quoted};

/// `check_hostProbesAndhostLifecycle.go`
pub(super) fn hosts(pod: Pod<'_>) -> Option<Violation> {
    let (mut containers, mut hosts) = (Texts::new(), Texts::new());
    for container in pod.containers() {
        let called: Texts<'_> = hosts_of(container).collect();
        if !called.is_empty() {
            containers.insert(name(container));
        }
        hosts.extend(called);
    }
    (!containers.is_empty()).then(|| {
        let count = containers.len();
        let detail = format!(
            "{} {} {} {} {}",
            plural(count, "container", "containers"),
            quoted(containers),
            plural(count, "uses", "use"),
            plural(hosts.len(), "probe or lifecycle host", "probe or lifecycle hosts"),
            quoted(hosts)
        );
        Violation::new("probe or lifecycle host", detail)
    })
}

/// The hosts that a container's probes and hooks name.
fn hosts_of(container: &Value) -> impl Iterator<Item = &str> {
    let lifecycle = &container["lifecycle"];
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"].map(|probe| &container[probe]);
    let handlers = probes.into_iter().chain([&lifecycle["postStart"], &lifecycle["preStop"]]);
    let hosts = handlers.flat_map(|handler| ["httpGet", "tcpSocket"].map(|call| &handler[call]["host"]));
    hosts.filter_map(Value::as_str).filter(|host| !host.is_empty())
}
