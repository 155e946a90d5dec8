//! Variables out of files that an init container writes (`fileKeyRef`).

use crate::harness::boxes::{cluster, output, pod};
use crate::harness::eventually;
use crate::harness::guests::TOOLBOX;

const VOLUME: &str = "volumes: [{ name: d, emptyDir: {} }]";

/// The volume, and an init container that writes two variables into a file of it.
fn prepared() -> String {
    let script = "echo \\\"COLOR='light blue'\\\" > /d/app.env; echo \\\"SIZE='2'\\\" >> /d/app.env";
    let mount = "volumeMounts: [{ name: d, mountPath: /d }]";
    format!("{VOLUME}\ninitContainers: [{{ name: first, image: {TOOLBOX}, command: [sh, -c, \"{script}\"], {mount} }}]")
}

fn variable(name: &str, key: &str, more: &str) -> String {
    let key_ref = format!("fileKeyRef: {{ volumeName: d, path: app.env, key: {key}{more} }}");
    format!("- {{ name: {name}, valueFrom: {{ {key_ref} }} }}\n")
}

/// A container has what an init container left for it, without mounting the volume; what is not there and need not be
/// is no variable, and what must be there keeps the container from starting.
#[test]
fn an_init_container_leaves_variables() {
    let cluster = cluster();
    let env =
        [variable("WHAT", "COLOR", ""), variable("HOW_MANY", "SIZE", ""), variable("NONE", "NONE", ", optional: true")];
    let env = format!("env:\n{}- {{ name: BOTH, value: $(WHAT)-$(HOW_MANY) }}", env.concat());
    let lines = output(&cluster, &pod("box", "[env]", &env, &prepared()), "box");
    for wanted in ["WHAT=light blue", "HOW_MANY=2", "BOTH=light blue-2"] {
        assert!(lines.lines().any(|line| line == wanted), "{wanted} is not in {lines}");
    }
    assert!(!lines.contains("NONE="), "{lines}");

    let env = format!("env:\n{}", variable("NONE", "NONE", ""));
    cluster.apply(&pod("waits", "[env]", &env, &prepared()));
    eventually("the container waits", || {
        let state =
            "{.status.containerStatuses[0].state.waiting.reason}: {.status.containerStatuses[0].state.waiting.message}";
        let found = cluster.kubectl(&format!("get pod waits -o jsonpath='{state}'")).ok();
        let why = "environment variable key \"NONE\" not found in file \"app.env\"";
        if found == format!("CreateContainerConfigError: {why}") { Ok(()) } else { Err(found) }
    });
}
