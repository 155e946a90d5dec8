//! Environment and arguments: `[sig-node] ConfigMap`, `[sig-api-machinery] Secrets`, `[k8s.io] Docker Containers` and
//! `[k8s.io] Variable Expansion`

use serde_json::{Value, json};

use super::site::{Site, pod};

fn prints(kind: &str, more: &Value, wanted: &str) {
    let site = Site::new();
    site.data(kind, "source", &json!({"data_1": "value-1"}));
    let printed = site.output(&pod("printer", &["env"], more));
    assert!(printed.lines().any(|line| line == wanted), "{printed}");
}

/// `[sig-node] ConfigMap should be consumable via environment variable [NodeConformance] [Conformance]`
#[test]
fn config_map_via_environment_variable() {
    let from = json!({"configMapKeyRef": {"name": "source", "key": "data_1"}});
    prints("ConfigMap", &json!({"env": [{"name": "WANTED", "valueFrom": from}]}), "WANTED=value-1");
}

/// `[sig-api-machinery] Secrets should be consumable from pods in env vars [NodeConformance] [Conformance]`
#[test]
fn secret_in_env_vars() {
    let from = json!({"secretKeyRef": {"name": "source", "key": "data_1"}});
    prints("Secret", &json!({"env": [{"name": "WANTED", "valueFrom": from}]}), "WANTED=value-1");
}

/// `[sig-api-machinery] Secrets should be consumable via the environment [NodeConformance] [Conformance]`
#[test]
fn secret_via_the_environment() {
    prints("Secret", &json!({"envFrom": [{"prefix": "p_", "secretRef": {"name": "source"}}]}), "p_data_1=value-1");
}

/// The arguments that a program sees behind its name; upstream's image has default arguments, an artifact image has
/// none.
fn said(command: Option<&[&str]>, args: Option<&[&str]>) -> Vec<String> {
    let mut pod = pod("printer", &[], &json!({"args": args}));
    let container = pod["spec"]["containers"][0].as_object_mut().unwrap();
    container.insert("command".into(), json!(command));
    let printed = Site::new().output(&pod);
    serde_json::from_str(&printed).unwrap()
}

/// `[k8s.io] Docker Containers should be able to override the image's default arguments (docker cmd) [NodeConformance]
/// [Conformance]`
#[test]
fn overridden_arguments() {
    assert!(said(None, Some(&["args", "override"])).ends_with(&["args".into(), "override".into()]));
}

/// `[k8s.io] Docker Containers should be able to override the image's default command and arguments [NodeConformance]
/// [Conformance]`
#[test]
fn overridden_command_and_arguments() {
    assert_eq!(said(Some(&["args"]), Some(&["override", "arguments"])), ["args", "override", "arguments"]);
}

/// `[k8s.io] Variable Expansion should allow substituting values in a container's args [NodeConformance] [Conformance]`
#[test]
fn substitution_in_args() {
    let env = json!([{"name": "TEST_VAR", "value": "test-value"}]);
    let more = json!({"env": env, "args": ["$(TEST_VAR);$(UNKNOWN);$$(TEST_VAR)"]});
    assert_eq!(Site::new().output(&pod("printer", &["echo"], &more)), "test-value;$(UNKNOWN);$(TEST_VAR)\n");
}
