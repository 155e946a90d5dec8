//! Parameters of policies.

use serde_json::{Value, json};

use super::{bind, validating, with};
use crate::crontabs::{DEFINITIONS, V1, crontab, definition, version};
use crate::support::{Cluster, MAPS, map};

fn limited(kind: (&str, &str)) -> Value {
    json!({
        "paramKind": { "apiVersion": kind.0, "kind": kind.1 },
        "validations": [{
            "expression": "params == null || object.data.size() <= int(params.data.limit)",
            "messageExpression": "'at most ' + params.data.limit",
        }],
    })
}

fn limit(name: &str, limit: &str, labels: Value) -> Value {
    with(map(name, labels), json!({ "data": { "limit": limit } }))
}

fn two(name: &str) -> Value {
    with(map(name, json!({})), json!({ "data": { "a": "1", "b": "2" } }))
}

async fn team(cluster: &Cluster) {
    let team = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team" } });
    cluster.post("/api/v1/namespaces", team).await.ok();
}

#[tokio::test]
async fn a_parameter_is_found_by_its_name_in_its_own_namespace_or_that_of_the_request() {
    let cluster = Cluster::new().await;
    team(&cluster).await;
    let there = "/api/v1/namespaces/team/configmaps";
    cluster.post(there, limit("limit", "1", json!({}))).await.ok();
    validating(&cluster, "p", limited(("v1", "ConfigMap"))).await;
    let reference = json!({ "name": "limit", "parameterNotFoundAction": "Allow" });
    bind(&cluster, "b", "p", json!({ "paramRef": reference })).await;
    cluster.post(MAPS, two("a")).await.ok();
    let why = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: at most 1";
    cluster.post(there, two("a")).await.fails(422, &format!("configmaps \"a\" is forbidden: {why}"));
    // The parameter of the next write is the one that was stored before it.
    cluster.merge(&format!("{there}/limit"), json!({ "data": { "limit": "2" } })).await.ok();
    cluster.post(there, two("a")).await.ok();
    let reference = json!({ "name": "other", "namespace": "team", "parameterNotFoundAction": "Deny" });
    bind(&cluster, "c", "p", json!({ "paramRef": reference })).await;
    let text = "configmaps \"b\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'c' denied request: failed to \
                configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    cluster.post(MAPS, two("b")).await.fails(422, text);
}

#[tokio::test]
async fn every_parameter_that_is_selected_has_its_say() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, limit("one", "3", json!({ "limits": "yes" }))).await.ok();
    validating(&cluster, "p", limited(("v1", "ConfigMap"))).await;
    let reference = json!({
        "selector": { "matchLabels": { "limits": "yes" } }, "parameterNotFoundAction": "Deny", "namespace": "default",
    });
    bind(&cluster, "b", "p", json!({ "paramRef": reference })).await;
    cluster.post(MAPS, two("a")).await.ok();
    cluster.post(MAPS, limit("two", "1", json!({ "limits": "yes" }))).await.ok();
    cluster.post(MAPS, limit("three", "0", json!({}))).await.ok();
    let text =
        "configmaps \"b\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: at most 1";
    cluster.post(MAPS, two("b")).await.fails(422, text);
}

#[tokio::test]
async fn parameters_may_be_of_a_kind_that_comes_later() {
    let cluster = Cluster::new().await;
    let spec = json!({
        "paramKind": { "apiVersion": "stable.example.com/v1", "kind": "CronTab" },
        "validations": [{ "expression": "object.data.size() <= params.spec.replicas" }],
    });
    validating(&cluster, "p", spec).await;
    let reference = json!({ "name": "limit", "parameterNotFoundAction": "Deny" });
    bind(&cluster, "b", "p", json!({ "paramRef": reference })).await;
    let text = "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: \
                failed to find resource referenced by paramKind: 'stable.example.com/v1, Kind=CronTab'";
    cluster.post(MAPS, two("a")).await.fails(422, text);
    cluster.post(DEFINITIONS, definition(vec![version("v1", true)])).await.ok();
    let limit = crontab("v1", "limit", json!({ "cronSpec": "* * * * *", "replicas": 1 }));
    cluster.post(V1, limit).await.ok();
    let why = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.data.size() <= \
               params.spec.replicas";
    cluster.post(MAPS, two("a")).await.fails(422, &format!("configmaps \"a\" is forbidden: {why}"));
    cluster.merge(&format!("{V1}/limit"), json!({ "spec": { "replicas": 2 } })).await.ok();
    cluster.post(MAPS, two("a")).await.ok();
}

#[tokio::test]
async fn references_that_make_no_sense_are_told() {
    let cluster = Cluster::new().await;
    validating(&cluster, "p", limited(("v1", "Namespace"))).await;
    let reference = json!({ "name": "default", "namespace": "default", "parameterNotFoundAction": "Allow" });
    bind(&cluster, "b", "p", json!({ "paramRef": reference })).await;
    let text = "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed to \
                configure binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`";
    cluster.post(MAPS, two("a")).await.fails(422, text);
    let rule = json!({ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["persistentvolumes"] });
    let spec = with(limited(("v1", "ConfigMap")), json!({ "matchConstraints": { "resourceRules": [rule] } }));
    validating(&cluster, "volumes", spec).await;
    let reference = json!({ "name": "limit", "parameterNotFoundAction": "Allow" });
    bind(&cluster, "volumes", "volumes", json!({ "paramRef": reference })).await;
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "v" },
        "spec": {
            "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"], "hostPath": { "path": "/x" },
        },
    });
    let text = "persistentvolumes \"v\" is forbidden: ValidatingAdmissionPolicy 'volumes' with binding 'volumes' denied \
                request: failed to configure binding: cannot use namespaced paramRef in policy binding that matches \
                cluster-scoped resources";
    cluster.post("/api/v1/persistentvolumes", volume).await.fails(422, text);
}

#[tokio::test]
async fn a_binding_without_a_reference_gives_none() {
    let cluster = Cluster::new().await;
    validating(&cluster, "p", limited(("v1", "ConfigMap"))).await;
    bind(&cluster, "b", "p", json!({})).await;
    cluster.post(MAPS, two("a")).await.ok();
}
