//! `[k8s.io] Docker Containers`: the specs about what an image starts when its pod does not say, with an image that has an
//! entrypoint and arguments of its own, and another program beside it, as upstream's.

use serde_json::{Value, json};

use super::site::{Site, pod};
use crate::harness::guests::image;
use crate::harness::layered::{Content, Says, put_layered};

/// What a container of the image prints, with these words of the pod. Its entrypoint prints the words that it sees, as
/// JSON; so does a copy elsewhere; the other program prints a line of its own.
fn output(command: &Value, args: &Value) -> String {
    let site = Site::new();
    let name = format!("defaults-{}", site.namespace);
    let config = json!({"Entrypoint": ["/bin/args", "entry"], "Cmd": ["default", "arguments"]});
    let programs = [
        ("bin/args", Content::Sample("toolbox")),
        ("copy/args", Content::Sample("toolbox")),
        ("bin/other", Content::Sample("batch")),
    ];
    put_layered(site.cluster(), &name, Says::Platform, &config, &[&programs]);
    let mut pod = pod("printer", &[], &json!({"image": image(&name)}));
    let container = pod["spec"]["containers"][0].as_object_mut().unwrap();
    for (field, value) in [("command", command), ("args", args)] {
        container.insert(field.into(), value.clone());
    }
    site.output(&pod)
}

fn words(command: &Value, args: &Value) -> Vec<String> {
    serde_json::from_str(&output(command, args)).unwrap()
}

/// `[k8s.io] Docker Containers should use the image defaults if command and args are blank [NodeConformance] [Conformance]`
#[test]
fn image_defaults() {
    assert_eq!(words(&Value::Null, &Value::Null), ["/bin/args", "entry", "default", "arguments"]);
}

/// `[k8s.io] Docker Containers should be able to override the image's default arguments (docker cmd) [NodeConformance]
/// [Conformance]`
#[test]
fn overridden_arguments() {
    assert_eq!(words(&Value::Null, &json!(["override"])), ["/bin/args", "entry", "override"]);
}

/// `[k8s.io] Docker Containers should be able to override the image's default command (docker entrypoint)
/// [NodeConformance] [Conformance]`
#[test]
fn overridden_command() {
    assert_eq!(output(&json!(["/bin/other"]), &Value::Null), "9592 primes up to 100000\n");
    assert_eq!(words(&json!(["args"]), &Value::Null), ["args"], "the image's arguments go with its command");
}

/// `[k8s.io] Docker Containers should be able to override the image's default command and arguments [NodeConformance]
/// [Conformance]`
#[test]
fn overridden_command_and_arguments() {
    let words = words(&json!(["/copy/args", "entry"]), &json!(["override", "arguments"]));
    assert_eq!(words, ["/copy/args", "entry", "override", "arguments"]);
}
