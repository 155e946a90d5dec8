//! Environment and arguments: `[sig-node] ConfigMap`, `[sig-api-machinery] Secrets` and `[k8s.io] Variable
//! Expansion`

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

/// `[k8s.io] Variable Expansion should allow substituting values in a container's args [NodeConformance] [Conformance]`
#[test]
fn substitution_in_args() {
    let env = json!([{"name": "TEST_VAR", "value": "test-value"}]);
    let more = json!({"env": env, "args": ["$(TEST_VAR);$(UNKNOWN);$$(TEST_VAR)"]});
    assert_eq!(Site::new().output(&pod("printer", &["echo"], &more)), "test-value;$(UNKNOWN);$(TEST_VAR)\n");
}
