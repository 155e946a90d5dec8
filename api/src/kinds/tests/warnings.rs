use expect_test::expect;
use serde_json::json;

use super::*;

#[test]
fn probably_not_meant() {
    let spec = json!({
        "nodeSelector": { "beta.kubernetes.io/os": "linux" },
        "imagePullSecrets": [{ "name": "" }],
        "containers": [{
            "name": "a",
            "image": "x",
            "env": [{ "name": "A" }, { "name": "A" }],
            "ports": [{ "containerPort": 80, "protocol": "TCP" }, { "containerPort": 80, "protocol": "TCP" }],
            "resources": { "limits": { "memory": "100m" } },
        }],
    });
    let of_pod = (row("pods").rules.warnings)(&pod(spec.clone()));
    let of_deployment =
        (row("deployments").rules.warnings)(&workload("Deployment", json!({ "template": { "spec": spec } })));
    expect![[r#"
        spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead
        spec.imagePullSecrets[0].name: invalid empty name ""
        spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer
        spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply
        spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"#]]
    .assert_eq(&of_pod.join("\n"));
    assert_eq!(of_deployment.len(), of_pod.len());
    assert!(of_deployment.iter().all(|w| w.starts_with("spec.template.spec.")));
    assert!((row("pods").rules.warnings)(&pod(json!({ "containers": [container()] }))).is_empty());
}
