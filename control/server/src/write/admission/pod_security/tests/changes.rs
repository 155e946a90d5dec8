use serde_json::{Value, json};

use super::super::significant::is_significant;

fn pod(containers: Value) -> Value {
    json!({ "metadata": { "name": "p", "labels": { "a": "b" } }, "spec": { "containers": containers } })
}

#[test]
fn metadata_and_resources_do_not_matter() {
    let old = pod(json!([{ "name": "a", "image": "x:1" }]));
    let mut new = pod(json!([{ "name": "a", "image": "x:1", "resources": { "limits": { "cpu": "1" } } }]));
    new["metadata"]["labels"] = json!({});
    new["spec"]["tolerations"] = json!([{ "operator": "Exists" }]);
    assert!(!is_significant(&new, &old));
}

#[test]
fn images_containers_and_profiles_matter() {
    let old = pod(json!([{ "name": "a", "image": "x:1" }]));
    assert!(is_significant(&pod(json!([{ "name": "a", "image": "x:2" }])), &old));
    assert!(is_significant(&pod(json!([{ "name": "a", "image": "x:1" }, { "name": "b", "image": "x:1" }])), &old));
    let mut new = old.clone();
    new["spec"]["initContainers"] = json!([{ "name": "i", "image": "x:1" }]);
    assert!(is_significant(&new, &old));
    let mut new = old.clone();
    let key = "container.seccomp.security.alpha.kubernetes.io/a";
    new["metadata"]["annotations"] = json!({ key: "unconfined", "other": "x" });
    assert!(is_significant(&new, &old));
}

#[test]
fn a_debug_container_matters_when_it_is_new_or_has_another_image() {
    let mut old = pod(json!([{ "name": "a", "image": "x:1" }]));
    old["spec"]["ephemeralContainers"] = json!([{ "name": "d", "image": "x:1" }]);
    let with = |containers: Value| {
        let mut new = old.clone();
        new["spec"]["ephemeralContainers"] = containers;
        new
    };
    assert!(!is_significant(&with(json!([{ "name": "d", "image": "x:1" }])), &old));
    assert!(is_significant(&with(json!([{ "name": "d", "image": "x:2" }])), &old));
    assert!(is_significant(&with(json!([{ "name": "d", "image": "x:1" }, { "name": "e", "image": "x:1" }])), &old));
}
