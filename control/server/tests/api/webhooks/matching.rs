//! Which requests webhooks are asked about, and as what.

use serde_json::{Value, json};

use super::{Hook, MUTATING, VALIDATING, configure, patch, refused, rules};
use crate::crontabs::{DEFINITIONS, V1, crontab, definition, version};
use crate::support::{Cluster, DEPLOYMENTS, MAPS, PODS, deployment, map, pod};

#[tokio::test]
async fn selectors_and_conditions_choose_what_is_asked_about() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |_| json!({ "allowed": true })).await;
    let webhooks = json!([
        hook.named("labelled", json!({ "objectSelector": { "matchLabels": { "watch": "me" } } })),
        hook.named("elsewhere", json!({ "namespaceSelector": { "matchLabels": { "team": "x" } } })),
        hook.named(
            "named",
            json!({ "matchConditions": [
            { "name": "only-b", "expression": "object == null || object.metadata.name == 'b'" },
            { "name": "not-nodes", "expression": "!('system:nodes' in request.userInfo.groups)" },
        ] })
        ),
    ]);
    configure(&cluster, VALIDATING, "v", webhooks).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    assert_eq!(hook.asked().len(), 0);
    cluster.post(MAPS, map("b", json!({ "watch": "me" }))).await.ok();
    assert_eq!(hook.asked().len(), 2);
    // The old object counts too.
    cluster.merge(&format!("{MAPS}/b"), json!({ "metadata": { "labels": null } })).await.ok();
    assert_eq!(hook.asked().len(), 2);
    cluster.merge("/api/v1/namespaces/default", json!({ "metadata": { "labels": { "team": "x" } } })).await.ok();
    cluster.post(MAPS, map("c", json!({}))).await.ok();
    assert_eq!(hook.asked().len(), 1);
}

#[tokio::test]
async fn a_condition_that_fails_refuses_or_skips() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |_| json!({ "allowed": true })).await;
    let wrong = json!([{ "name": "c", "expression": "object.spec.x == 1" }]);
    let webhooks =
        |policy: &str| json!([hook.named("v", json!({ "failurePolicy": policy, "matchConditions": wrong }))]);
    configure(&cluster, VALIDATING, "v", webhooks("Fail")).await;
    let closed = cluster.post(MAPS, map("a", json!({}))).await;
    let text = "configmaps \"a\" is forbidden: expression 'object.spec.x == 1' resulted in error: no such key: spec";
    assert_eq!(refused(&closed), (403, text));
    cluster.merge(&format!("{VALIDATING}/v"), json!({ "webhooks": webhooks("Ignore") })).await.ok();
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    assert_eq!(hook.asked().len(), 0);
}

#[tokio::test]
async fn nobody_is_asked_about_what_configures_webhooks() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |_| json!({ "allowed": false })).await;
    let all = rules(&["*"], "*", &["*/*"]);
    configure(&cluster, VALIDATING, "v", json!([hook.named("v", all)])).await;
    assert_eq!(cluster.post(MAPS, map("a", json!({}))).await.code, 400);
    cluster.delete(&format!("{VALIDATING}/v")).await.ok();
    cluster.post(MAPS, map("a", json!({}))).await.ok();
}

#[tokio::test]
async fn subresources_and_connections_are_asked_about_as_what_they_are() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |request| match request["operation"].as_str().unwrap() {
        "CONNECT" => json!({ "allowed": false, "status": { "message": "no shells" } }),
        _ if request["subResource"] == "scale" => {
            patch(json!([{ "op": "replace", "path": "/spec/replicas", "value": 3 }]))
        }
        _ => json!({ "allowed": true }),
    })
    .await;
    let all = rules(&["*"], "*", &["pods/exec", "pods/portforward", "services/proxy", "pods/binding", "*/scale"]);
    configure(&cluster, MUTATING, "m", json!([hook.named("m", all)])).await;
    cluster.post(PODS, pod("a")).await.ok();
    let denied = "admission webhook \"m.example.com\" denied the request: no shells";
    let exec = cluster.post(&format!("{PODS}/a/exec?command=ls&stdout=true"), Value::Null).await;
    assert_eq!(refused(&exec), (400, denied));
    let asked = hook.asked();
    assert_eq!(asked[0]["kind"], json!({ "group": "", "version": "v1", "kind": "PodExecOptions" }));
    assert_eq!((&asked[0]["subResource"], &asked[0]["options"]), (&json!("exec"), &Value::Null));
    assert_eq!((&asked[0]["object"]["command"], &asked[0]["name"]), (&json!(["ls"]), &json!("a")));
    assert_eq!(refused(&cluster.post(&format!("{PODS}/a/portforward"), Value::Null).await), (400, denied));
    let proxied = cluster.get("/api/v1/namespaces/default/services/hook/proxy/x").await;
    assert_eq!(refused(&proxied), (400, denied));
    assert_eq!(hook.asked()[1]["object"]["path"], "/x");
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n" } });
    cluster.post("/api/v1/nodes", node).await.ok();
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "a" }, "target": { "kind": "Node", "name": "n" },
    });
    cluster.post(&format!("{PODS}/a/binding"), binding).await.ok();
    let asked = hook.asked();
    assert_eq!((&asked[0]["kind"]["kind"], &asked[0]["operation"]), (&json!("Binding"), &json!("CREATE")));
    cluster.post(DEPLOYMENTS, deployment("d")).await.ok();
    let scaled = cluster.merge(&format!("{DEPLOYMENTS}/d/scale"), json!({ "spec": { "replicas": 9 } })).await.ok();
    assert_eq!(scaled["spec"]["replicas"], 3);
    let asked = hook.asked();
    assert_eq!(asked[0]["kind"], json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" }));
    assert_eq!(asked[0]["oldObject"]["spec"]["replicas"], 1);
}

#[tokio::test]
async fn the_same_objects_are_seen_in_the_version_that_is_asked_for() {
    let cluster = Cluster::new().await;
    cluster.post(DEFINITIONS, definition(vec![version("v1", true), version("v2", false)])).await.ok();
    let hook = Hook::start(&cluster, |_| {
        patch(json!([{ "op": "add", "path": "/metadata/labels", "value": { "seen": "yes" } }]))
    })
    .await;
    let of_v2 = |policy: &str| {
        let rule = json!({
            "operations": ["CREATE"], "apiGroups": ["stable.example.com"], "apiVersions": ["v2"], "resources": ["*"],
        });
        json!({ "rules": [rule], "matchPolicy": policy })
    };
    configure(&cluster, MUTATING, "m", json!([hook.named("same", of_v2("Equivalent"))])).await;
    let exact = hook.named("exact", of_v2("Exact"));
    configure(&cluster, VALIDATING, "v", json!([exact])).await;
    let created = cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    assert_eq!(created["apiVersion"], "stable.example.com/v1");
    assert_eq!(created["metadata"]["labels"], json!({ "seen": "yes" }));
    let asked = hook.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (&asked[0]["resource"]["version"], &asked[0]["requestResource"]["version"]),
        (&json!("v2"), &json!("v1"))
    );
    assert_eq!((&asked[0]["kind"]["version"], &asked[0]["requestKind"]["version"]), (&json!("v2"), &json!("v1")));
    assert_eq!(asked[0]["object"]["apiVersion"], "stable.example.com/v2");
}

#[tokio::test]
async fn every_object_of_a_collection_is_asked_about() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |request| json!({ "allowed": request["name"] != "b" })).await;
    for name in ["a", "b", "c"] {
        cluster.post(MAPS, map(name, json!({ "all": "yes" }))).await.ok();
    }
    configure(&cluster, VALIDATING, "v", json!([hook.named("v", rules(&["DELETE"], "", &["configmaps"]))])).await;
    let refused = cluster.delete(&format!("{MAPS}?labelSelector=all")).await;
    assert_eq!(refused.message(), "admission webhook \"v.example.com\" denied the request without explanation");
    assert!(
        hook.asked().iter().any(|request| request["name"] == "b" && request["oldObject"]["metadata"]["name"] == "b")
    );
    cluster.get(&format!("{MAPS}/b")).await.ok();
    // Nothing is there to be patched.
    let patches =
        Hook::start_at(&cluster, "other", |_| patch(json!([{ "op": "add", "path": "/x", "value": 1 }]))).await;
    let mut changing = patches.named("m", rules(&["DELETE"], "", &["configmaps"]));
    changing["clientConfig"]["service"]["name"] = json!("other");
    configure(&cluster, MUTATING, "m", json!([changing])).await;
    let text = "Internal error occurred: admission webhook \"m.example.com\" attempted to modify the object, which is not \
                supported for this operation";
    cluster.delete(&format!("{MAPS}/b")).await.fails(500, text);
}

#[tokio::test]
async fn reviews_are_asked_about_too() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |_| json!({ "allowed": false })).await;
    let reviews = rules(&["CREATE"], "authorization.k8s.io", &["*"]);
    configure(&cluster, VALIDATING, "v", json!([hook.named("v", reviews)])).await;
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "nonResourceAttributes": { "path": "/x", "verb": "get" } },
    });
    let answer = cluster.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).await;
    let denied = "admission webhook \"v.example.com\" denied the request without explanation";
    assert_eq!(refused(&answer), (400, denied));
    assert_eq!(hook.asked()[0]["kind"]["kind"], "SelfSubjectAccessReview");
}
