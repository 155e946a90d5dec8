//! The pods: each has a volume at /d, by which a test tells them what to do without asking the server.

use serde_json::{Value, json};

use crate::harness::guests::TOOLBOX;

/// A pod on the node `edge`; `spec` are its further fields.
pub fn pod(name: &str, spec: &Value) -> Value {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": {
            "nodeSelector": { "kubernetes.io/hostname": "edge" }, "terminationGracePeriodSeconds": 1,
            "volumes": [{ "name": "d", "emptyDir": {} }],
        },
    });
    with_spec(pod, spec)
}

/// A container that runs a script of the toolbox.
pub fn container(name: &str, script: &str) -> Value {
    json!({
        "name": name, "image": TOOLBOX, "command": ["sh", "-c", script],
        "volumeMounts": [{ "name": "d", "mountPath": "/d" }],
    })
}

/// A container whose probes ask this every second: once it has started, one refusal ends it.
pub fn probed(container: Value, handler: &Value) -> Value {
    with(with(container, "startupProbe", probe(handler, 60)), "livenessProbe", probe(handler, 1))
}

/// A probe of every second that so many refusals in a row make fail.
fn probe(handler: &Value, failures: u32) -> Value {
    with(with(handler.clone(), "periodSeconds", json!(1)), "failureThreshold", json!(failures))
}

/// An object with one more field.
pub fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

/// Asks for a file by running a program.
pub fn exec(path: &str) -> Value {
    json!({ "exec": { "command": ["cat", path] } })
}

/// A container that stays until somebody takes its file away, and makes that anew when it starts.
fn healthy(name: &str, then: &str, handler: &Value) -> Value {
    probed(container(name, &format!("echo ok > /d/health; echo up; {then}")), handler)
}

/// A container that is probed by running a program.
pub fn by_exec() -> Value {
    pod("exec", &json!({ "containers": [healthy("main", "sleep 1000", &exec("/d/health"))] }))
}

/// One that is asked for the file by HTTP.
pub fn by_http() -> Value {
    let handler = json!({ "httpGet": { "path": "/file/d/health", "port": 8080 } });
    pod("http", &json!({ "containers": [healthy("main", "serve 8080", &handler)] }))
}

/// One that lives as long as its neighbour listens, which needs a file for that.
pub fn by_tcp() -> Value {
    let main = probed(container("main", "echo up; sleep 1000"), &json!({ "tcpSocket": { "port": 8081 } }));
    let peer = container("peer", "cat /d/health && listen 8081");
    let peer = with(peer, "livenessProbe", probe(&exec("/d/health"), 1));
    let opens = container("opens", "echo ok > /d/health");
    pod("tcp", &json!({ "initContainers": [opens], "containers": [main, peer] }))
}

/// An init container that counts its runs, a sidecar with a probe, and a container beside it.
pub fn with_sidecar(name: &str) -> Value {
    let side = with(healthy("side", "sleep 1000", &exec("/d/health")), "restartPolicy", json!("Always"));
    let first = container("first", "echo one >> /d/first");
    pod(
        name,
        &json!({ "initContainers": [first, side], "containers": [container("main", "cat /d/first; sleep 1000")] }),
    )
}

/// An init container that fails until it finds a file.
pub fn waiting() -> Value {
    let first = container("first", "cat /d/go");
    pod("waits", &json!({ "initContainers": [first], "containers": [container("main", "echo up; sleep 1000")] }))
}

/// A command that fails until it finds a file.
pub fn job() -> Value {
    let main = container("main", "echo trying; cat /d/go && echo done || exit 1");
    pod("job", &json!({ "restartPolicy": "OnFailure", "containers": [main] }))
}

/// A command that counts its runs and stays.
pub fn counting(name: &str, spec: &Value) -> Value {
    let main = container("main", "echo again >> /d/runs; cat /d/runs; sleep 1000");
    with_spec(pod(name, &json!({ "containers": [main] })), spec)
}

/// The pod with further fields of its spec.
pub fn with_spec(mut pod: Value, spec: &Value) -> Value {
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().cloned().unwrap());
    pod
}

/// A pod with a process of its own.
pub fn isolated(pod: Value) -> Value {
    with_spec(pod, &json!({ "runtimeClassName": "wasm-isolated" }))
}
