//! Probes that ask by gRPC.

use serde_json::{Value, json};

use super::{condition, shows, tells};
use crate::conformance_node::site::{Site, pod};
use crate::harness::guests::{image, push};

const HEALTH: &str = include_str!("guests/health.wat");

/// A pod that is ready if it says by gRPC that `service` is served.
fn asked(name: &str, service: &str) -> Value {
    let probe = json!({"grpc": {"port": 8080, "service": service}, "periodSeconds": 1});
    pod(name, &["sleep", "600"], &json!({"readinessProbe": probe}))
}

/// A pod of a server of the health protocol.
fn server(name: &str, service: &str) -> Value {
    let mut pod = asked(name, service);
    pod["spec"]["containers"][0]["image"] = json!(image("health"));
    pod
}

/// A container is ready if the server says that it serves what the probe names, and otherwise its event tells why not.
#[test]
fn a_server_is_believed_what_it_says_of_its_service() {
    let site = Site::new();
    push(site.cluster(), "health", HEALTH);
    site.apply(&server("whole", ""));
    site.apply(&server("up", "up"));
    site.apply(&server("down", "down"));
    site.apply(&asked("nobody", "up"));
    for ready in ["whole", "up"] {
        shows(&site, ready, &condition("Ready"), "True||");
    }
    let failure = "Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")";
    tells(&site, "down", "Unhealthy", failure);
    let place = format!("{}:8080", site.field("nobody", "{.status.podIP}"));
    let failure = format!("failed to connect service \"{place}\" within 1s: context deadline exceeded");
    tells(&site, "nobody", "Unhealthy", &format!("Readiness probe failed: timeout: {failure}"));
    for unready in ["down", "nobody"] {
        let wanted = "False|ContainersNotReady|containers with unready status: [main]";
        shows(&site, unready, &condition("Ready"), wanted);
    }
}
