//! `MutatingAdmissionPolicy`

use serde_json::{Value, json};

use super::{GROUP, bind, mutating, validating, with};
use crate::crontabs::{DEFINITIONS, V1, crontab, definition, version};
use crate::support::{Cluster, DEPLOYMENTS, MAPS, PODS, deployment, map, pod};

fn configuration(expression: &str) -> Value {
    json!({ "patchType": "ApplyConfiguration", "applyConfiguration": { "expression": expression } })
}

fn steps(expression: &str) -> Value {
    json!({ "patchType": "JSONPatch", "jsonPatch": { "expression": expression } })
}

fn about(group: &str, plural: &str) -> Value {
    let rule = json!({ "operations": ["*"], "apiGroups": [group], "apiVersions": ["*"], "resources": [plural] });
    json!({ "resourceRules": [rule] })
}

#[tokio::test]
async fn objects_are_changed_by_configurations_and_patches_in_order() {
    let cluster = Cluster::new().await;
    let sidecar = "Object{metadata: Object.metadata{labels: Object.metadata.labels{from: namespaceObject.metadata.name}}, \
                   spec: Object.spec{initContainers: [Object.spec.initContainers{name: 'first', \
                   image: variables.image}]}}";
    let patch = "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a/b': object.spec.initContainers[0].image}}, \
                 JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('c/d'), value: 'e'}]";
    let spec = json!({
        "matchConstraints": about("", "pods"),
        "variables": [{ "name": "image", "expression": "'example.com/' + object.metadata.name" }],
        "mutations": [configuration(sidecar), steps(patch)],
    });
    mutating(&cluster, "p", spec).await;
    let created = cluster.post(PODS, pod("a")).await.ok();
    assert_eq!(created["metadata"]["labels"], json!({ "from": "default" }));
    assert_eq!(created["metadata"]["annotations"], json!({ "a/b": "example.com/a", "c/d": "e" }));
    let first = &created["spec"]["initContainers"][0];
    assert_eq!((&first["name"], &first["image"]), (&json!("first"), &json!("example.com/a")));
    // As if somebody had written it so: with defaults.
    assert_eq!(first["imagePullPolicy"], "Always");
}

#[tokio::test]
async fn custom_objects_and_other_versions_are_changed_too() {
    let cluster = Cluster::new().await;
    let versions = vec![version("v1", true), version("v2", false)];
    cluster.post(DEFINITIONS, definition(versions)).await.ok();
    let mut constraints = about("stable.example.com", "crontabs");
    constraints["resourceRules"][0]["apiVersions"] = json!(["v2"]);
    let many = "object.apiVersion == 'stable.example.com/v2' ? Object{spec: Object.spec{replicas: 7}} : Object{}";
    mutating(&cluster, "p", json!({ "matchConstraints": constraints, "mutations": [configuration(many)] })).await;
    let created = cluster.post(V1, crontab("v1", "c", json!({ "cronSpec": "* * * * *" }))).await.ok();
    assert_eq!((&created["apiVersion"], &created["spec"]["replicas"]), (&json!("stable.example.com/v1"), &json!(7)));
}

#[tokio::test]
async fn what_was_changed_is_judged_and_may_be_seen_again() {
    let cluster = Cluster::new().await;
    let count = |key: &str| {
        let expression = format!(
            "[JSONPatch{{op: 'add', path: '/data/{key}', value: has(object.data.{key}) ? object.data.{key} + 'x' : 'x'}}]"
        );
        json!([steps(&expression)])
    };
    mutating(&cluster, "a", json!({ "mutations": count("a"), "reinvocationPolicy": "IfNeeded" })).await;
    mutating(&cluster, "b", json!({ "mutations": count("b") })).await;
    let created = cluster.post(MAPS, map("m", json!({}))).await.ok();
    assert_eq!(created["data"], json!({ "k": "v", "a": "xx", "b": "x" }));
    let few = json!({ "validations": [{ "expression": "object.data.size() < 3", "message": "too many" }] });
    validating(&cluster, "v", few).await;
    bind(&cluster, "v", "v", json!({})).await;
    let text = "configmaps \"n\" is forbidden: ValidatingAdmissionPolicy 'v' with binding 'v' denied request: too many";
    cluster.post(MAPS, map("n", json!({}))).await.fails(422, text);
}

#[tokio::test]
async fn what_a_policy_wants_and_can_not_have_is_told() {
    let cluster = Cluster::new().await;
    let spec = |mutation: Value| json!({ "matchConstraints": about("apps", "deployments"), "mutations": [mutation] });
    mutating(&cluster, "p", spec(configuration("Object{spec: Object.spec{nothing: 1}}"))).await;
    let path = format!("{GROUP}/mutatingadmissionpolicies/p");
    for (mutation, why) in [
        (
            configuration("Object{spec: Object.spec{nothing: 1}}"),
            "error applying patch: failed to convert patch object to typed object: .spec.nothing: field not declared in \
             schema",
        ),
        (
            configuration("Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'a': 'b'}}}}"),
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector",
        ),
        (
            configuration("Object{spec: Object.other{replicas: 1}}"),
            "type mismatch: unexpected type name \"Object.other\", expected \"Object.spec\", which matches field name path \
             from root Object type",
        ),
        (
            steps("[JSONPatch{op: 'remove', path: '/spec/none'}]"),
            "JSONPath: error in remove for path: '/spec/none': Unable to remove nonexistent key: none: missing value",
        ),
        (
            steps("[JSONPatch{op: 'add', path: '/spec/replicas', value: object.spec.none}]"),
            "expression '[JSONPatch{op: 'add', path: '/spec/replicas', value: object.spec.none}]' resulted in error: no \
             such key: none",
        ),
    ] {
        cluster.merge(&path, json!({ "spec": { "mutations": [mutation] } })).await.ok();
        let refused = cluster.post(DEPLOYMENTS, deployment("d")).await;
        let text = format!("policy 'p' with binding 'p' denied request: {why}");
        let details = json!({ "name": "d", "group": "apps", "kind": "deployments", "causes": [{ "message": text }] });
        assert_eq!((&refused.body["reason"], &refused.body["details"]), (&json!("Invalid"), &details));
        refused.fails(403, &text);
    }
    cluster.merge(&path, json!({ "spec": { "failurePolicy": "Ignore" } })).await.ok();
    cluster.post(DEPLOYMENTS, deployment("d")).await.ok();
}

#[tokio::test]
async fn a_test_that_fails_leaves_the_object_as_it_is() {
    let cluster = Cluster::new().await;
    let patch =
        "[JSONPatch{op: 'test', path: '/data/k', value: 'v'}, JSONPatch{op: 'replace', path: '/data/k', value: 'w'}]";
    mutating(&cluster, "p", json!({ "mutations": [steps(patch)] })).await;
    assert_eq!(cluster.post(MAPS, map("a", json!({}))).await.ok()["data"]["k"], "w");
    let other = with(map("b", json!({})), json!({ "data": { "k": "x" } }));
    assert_eq!(cluster.post(MAPS, other).await.ok()["data"]["k"], "x");
}

#[tokio::test]
async fn conditions_and_missing_kinds_are_told_apart() {
    let cluster = Cluster::new().await;
    let change = configuration("Object{data: {'seen': 'yes'}}");
    let conditions = json!([{ "name": "c", "expression": "object.metadata.name == 'a'" }]);
    mutating(&cluster, "p", json!({ "matchConditions": conditions, "mutations": [change.clone()] })).await;
    assert_eq!(cluster.post(MAPS, map("a", json!({}))).await.ok()["data"]["seen"], "yes");
    assert_eq!(cluster.post(MAPS, map("b", json!({}))).await.ok()["data"], json!({ "k": "v" }));
    let kind = json!({ "apiVersion": "example.com/v1", "kind": "Gone" });
    mutating(&cluster, "q", json!({ "paramKind": kind, "mutations": [change] })).await;
    let refused = cluster.post(MAPS, map("c", json!({}))).await;
    assert_eq!(refused.body["reason"], "Forbidden");
    let text = "policy \"q\" denied request: failed to configure policy: failed to find resource referenced by paramKind: \
                'example.com/v1, Kind=Gone'";
    refused.fails(403, text);
}
