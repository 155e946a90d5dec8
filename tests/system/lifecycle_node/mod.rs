//! Probes, hooks, endings and restarts of containers, each with what Kubernetes says of it: reasons, messages, events.

mod gates;
mod grpc;
mod hooks;
mod messages;
mod policies;
mod siblings;
mod startup;
mod thresholds;
mod waiting;

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::conformance_node::site::Site;
use crate::harness::eventually;

/// The pod, whose containers are started again when they end.
fn restarting(mut pod: Value) -> Value {
    pod["spec"]["restartPolicy"] = json!("Always");
    pod
}

/// The pod with an empty directory `d`; its first container has it at `/d`.
fn with_directory(mut pod: Value) -> Value {
    pod["spec"]["volumes"] = json!([{"name": "d", "emptyDir": {}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = directory();
    pod
}

/// What mounts the directory in a container.
fn directory() -> Value {
    json!([{"name": "d", "mountPath": "/d"}])
}

/// Waits until a part of the pod, as a JSONPath says, is this.
fn shows(site: &Site, pod: &str, path: &str, wanted: &str) {
    eventually(&format!("{path} of {pod} is {wanted}"), || match site.field(pod, path) {
        found if found == wanted => Ok(()),
        found => Err(found),
    });
}

/// Where status, reason and message of a condition of a pod are.
fn condition(kind: &str) -> String {
    let part = |name: &str| format!("{{.status.conditions[?(@.type==\"{kind}\")].{name}}}");
    [part("status"), part("reason"), part("message")].join("|")
}

/// How often each message of the pod's events with this reason was said.
fn told(site: &Site, pod: &str, reason: &str) -> Vec<(u32, String)> {
    let selector = format!("involvedObject.name={pod},reason={reason}");
    let path = "{range .items[*]}{.count} {.message}{\"\\n\"}{end}";
    let text = site.kubectl(&format!("get events --field-selector {selector} -o 'jsonpath={path}'")).ok();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(count, message)| Some((count.parse().ok()?, message.to_owned()))).collect()
}

/// Waits until one of the pod's events with this reason has this message.
fn tells(site: &Site, pod: &str, reason: &str, message: &str) {
    eventually(&format!("{reason}: {message}"), || match told(site, pod, reason) {
        all if all.iter().any(|(_, said)| said == message) => Ok(()),
        all => Err(format!("{all:?}")),
    });
}

/// A time in a pod's status, in seconds.
fn seconds(site: &Site, pod: &str, path: &str) -> i64 {
    let time: k8s_openapi::jiff::Timestamp = site.field(pod, path).parse().unwrap();
    time.as_second()
}

/// Somebody on this machine who can be connected to.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}
