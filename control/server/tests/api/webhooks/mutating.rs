//! Webhooks that change objects.

use axum::Router;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Hook, MUTATING, VALIDATING, configure, patch, refused, rules, webhook};
use crate::remote::Remote;
use crate::support::{Cluster, MAPS, PODS, map, pod};

#[tokio::test]
async fn mutating_webhooks_change_objects_in_the_order_of_their_names() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |request| {
        let count = request["object"]["data"].as_object().unwrap().len();
        patch(json!([{ "op": "add", "path": format!("/data/n{count}"), "value": count.to_string() }]))
    })
    .await;
    configure(&cluster, MUTATING, "b", json!([hook.named("second", json!({}))])).await;
    configure(&cluster, MUTATING, "a", json!([hook.named("first", json!({}))])).await;
    configure(&cluster, VALIDATING, "v", json!([hook.named("sees", json!({ "failurePolicy": "Ignore" }))])).await;
    let created = cluster.post(MAPS, map("a", json!({}))).await.ok();
    assert_eq!(created["data"], json!({ "k": "v", "n1": "1", "n2": "2" }));
    let counts: Vec<usize> =
        hook.asked().iter().map(|request| request["object"]["data"].as_object().unwrap().len()).collect();
    assert_eq!(counts, [1, 2, 3]);
}

#[tokio::test]
async fn a_webhook_sees_later_changes_once_if_it_wants_to() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |request| {
        let data = request["object"]["data"].as_object().unwrap();
        match (data.contains_key("first"), data.contains_key("second")) {
            (false, _) => patch(json!([{ "op": "add", "path": "/data/first", "value": "1" }])),
            (true, false) => patch(json!([{ "op": "add", "path": "/data/second", "value": "1" }])),
            (true, true) => patch(json!([{ "op": "add", "path": "/data/again", "value": "1" }])),
        }
    })
    .await;
    let (again, once) = (json!({ "reinvocationPolicy": "IfNeeded" }), json!({}));
    configure(&cluster, MUTATING, "m", json!([hook.named("a", again), hook.named("b", once)])).await;
    let created = cluster.post(MAPS, map("a", json!({}))).await.ok();
    assert_eq!(created["data"], json!({ "k": "v", "first": "1", "second": "1", "again": "1" }));
    assert_eq!(hook.asked().len(), 3);
}

#[tokio::test]
async fn the_other_plugins_see_what_webhooks_change_and_repeat_nothing() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |_| {
        let container = json!({ "name": "side", "image": "example.com/side:1" });
        patch(json!([{ "op": "add", "path": "/spec/containers/-", "value": container }]))
    })
    .await;
    configure(&cluster, MUTATING, "m", json!([hook.named("m", rules(&["CREATE"], "", &["pods"]))])).await;
    let spec = cluster.post(PODS, pod("a")).await.ok()["spec"].clone();
    let mounts = |index: usize| spec["containers"][index]["volumeMounts"].as_array().unwrap().len();
    assert_eq!((mounts(0), mounts(1), spec["volumes"].as_array().unwrap().len()), (1, 1, 1));
    assert_eq!(spec["containers"][1]["terminationMessagePath"], "/dev/termination-log");
    assert_eq!((spec["tolerations"].as_array().unwrap().len(), hook.asked().len()), (2, 1));
}

/// The last word is a webhook's when it is asked for the second time: nobody fills in anything afterwards.
#[tokio::test]
async fn what_webhooks_put_into_a_pod_must_be_there_too() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |request| {
        let step = |path: &str, value: Value| json!({ "op": "add", "path": path, "value": value });
        let labels = &request["object"]["metadata"]["labels"];
        patch(match (labels["first"].is_null(), labels["second"].is_null(), request["name"].as_str().unwrap()) {
            (true, ..) => json!([step("/metadata/labels", json!({ "first": "1" }))]),
            (_, true, _) => json!([step("/metadata/labels/second", json!("1"))]),
            (.., "account") => json!([step("/spec/serviceAccountName", json!("none"))]),
            (.., "class") => json!([step("/spec/runtimeClassName", json!("none"))]),
            (.., "same") => json!([step("/spec/overhead", json!({ "memory": "10240Ki" }))]),
            (.., "gone") => json!([{ "op": "remove", "path": "/spec/overhead" }]),
            _ => json!([step("/spec/overhead", json!({ "memory": "1Mi" }))]),
        })
    })
    .await;
    let hooked = |again: &str| {
        let mut more = rules(&["CREATE"], "", &["pods"]);
        more["reinvocationPolicy"] = json!(again);
        more
    };
    let hooks = json!([hook.named("a", hooked("IfNeeded")), hook.named("b", hooked("Never"))]);
    configure(&cluster, MUTATING, "m", hooks).await;
    let runtime = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": { "name": "r" }, "handler": "h",
        "overhead": { "podFixed": { "memory": "10Mi" } },
    });
    cluster.post("/apis/node.k8s.io/v1/runtimeclasses", runtime).await.ok();
    let of_class = |name: &str| {
        let mut pod = pod(name);
        pod["spec"]["runtimeClassName"] = json!("r");
        pod
    };
    let mismatch = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
    for (pod, name, why) in [
        (pod("account"), "account", "error looking up service account default/none: serviceaccount \"none\" not found"),
        (pod("class"), "class", "pod rejected: RuntimeClass \"none\" not found"),
        (of_class("other"), "other", mismatch),
        (of_class("gone"), "gone", mismatch),
        (
            pod("unfounded"),
            "unfounded",
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ] {
        cluster.post(PODS, pod).await.fails(403, &format!("pods \"{name}\" is forbidden: {why}"));
    }
    cluster.post(PODS, of_class("same")).await.ok();
}

#[tokio::test]
async fn a_patch_that_does_not_fit_is_an_internal_error() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |request| match request["name"].as_str().unwrap() {
        "path" => patch(json!([{ "op": "add", "path": "/x/y", "value": 1 }])),
        "type" => patch(json!([{ "op": "replace", "path": "/data/k", "value": 1 }])),
        "place" => patch(json!([{ "op": "replace", "path": "/metadata/namespace", "value": "kube-system" }])),
        _ => json!({ "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode("{}") }),
    })
    .await;
    configure(&cluster, MUTATING, "m", json!([hook.named("m", json!({}))])).await;
    let path = cluster.post(MAPS, map("path", json!({}))).await;
    let text = "Internal error occurred: add operation does not apply: doc is missing path: \"/x/y\": missing value";
    assert_eq!(refused(&path), (500, text));
    assert_eq!(cluster.post(MAPS, map("type", json!({}))).await.code, 500);
    let place = cluster.post(MAPS, map("place", json!({}))).await;
    let text = "the namespace of the provided object does not match the namespace sent on the request";
    assert_eq!(refused(&place), (400, text));
    let odd = cluster.post(MAPS, map("odd", json!({}))).await;
    let text = "Internal error occurred: failed calling webhook \"m.example.com\": received undecodable patch in webhook \
                response: ";
    assert!(odd.message().starts_with(text), "{}", odd.message());
}

#[tokio::test]
async fn the_old_version_of_reviews_is_spoken_with_who_lists_it_first() {
    let cluster = Cluster::new().await;
    let old = |axum::Json(review): axum::Json<Value>| async move {
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1beta1");
        let steps = STANDARD.encode(json!([{ "op": "add", "path": "/data/x", "value": "y" }]).to_string());
        axum::Json(json!({ "response": { "allowed": true, "patch": steps } }))
    };
    let remote = Remote::start("hook.default.svc", None, Router::new().route("/ask", post(old))).await;
    remote.behind(&cluster, "hook").await;
    let versions = json!({ "admissionReviewVersions": ["v0", "v1beta1", "v1"] });
    configure(&cluster, MUTATING, "m", json!([webhook("m", &remote.bundle, versions)])).await;
    assert_eq!(cluster.post(MAPS, map("a", json!({}))).await.ok()["data"], json!({ "k": "v", "x": "y" }));
}
