//! What a node has to keep in order: its images, who may use them and where they come from; its disk, memory and process
//! numbers; what it counts; its end.

mod ending;
mod images;
mod layers;
mod mirrors;
mod order;
mod pressure;
mod secrets;

use std::path::Path;

use crate::harness::guests::image;
use crate::harness::{Cluster, coracle, eventually, run};

/// A pod of any image; `container` and `spec` are further lines of them, in YAML's short form.
fn pod(name: &str, image: &str, container: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  terminationGracePeriodSeconds: 1\n{}  \
         containers:\n  - name: main\n    image: {image}\n{}",
        lines(spec, 2),
        lines(container, 4)
    )
}

fn lines(text: &str, indent: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect()
}

/// A pod of a guest in the built-in registry.
fn guest(name: &str, guest: &str, container: &str, spec: &str) -> String {
    pod(name, &image(guest), container, spec)
}

/// A field of an object, by JSONPath; empty while there is none.
fn field(cluster: &Cluster, object: &str, path: &str) -> String {
    cluster.kubectl(&format!("get {object} -o jsonpath={{{path}}}")).result().unwrap_or_default()
}

/// Waits until a field of an object is this.
fn shows(cluster: &Cluster, object: &str, path: &str, wanted: &str) {
    eventually(&format!("{object} has {wanted:?} at {path}"), || {
        let found = field(cluster, object, path);
        if found == wanted { Ok(()) } else { Err(found) }
    });
}

/// Waits until the pod is Ready; if it does not get so, its description says why.
fn ready(cluster: &Cluster, pod: &str) {
    let path = ".status.conditions[?(@.type==\"Ready\")].status";
    eventually(&format!("{pod} is ready"), || match &*field(cluster, &format!("pod {pod}"), path) {
        "True" => Ok(()),
        _ => Err(cluster.kubectl(&format!("describe pod {pod}")).stdout),
    });
}

/// Waits until an event of the pod says this.
fn tells(cluster: &Cluster, pod: &str, wanted: &str) {
    eventually(&format!("an event of {pod} says {wanted:?}"), || {
        let events = cluster.kubectl(&format!("get events --field-selector involvedObject.name={pod}")).ok();
        if events.contains(wanted) { Ok(()) } else { Err(events) }
    });
}

/// Waits until the pod's container waits for this reason; gives the message.
fn waits(cluster: &Cluster, pod: &str, reason: &str) -> String {
    let at = |what: &str| {
        field(cluster, &format!("pod {pod}"), &format!(".status.containerStatuses[0].state.waiting.{what}"))
    };
    shows(cluster, &format!("pod {pod}"), ".status.containerStatuses[0].state.waiting.reason", reason);
    at("message")
}

/// The names of the images that the node has.
fn images_here(data_dir: &Path) -> String {
    run(coracle().args(["image", "ls", "--data-dir"]).arg(data_dir)).ok()
}
