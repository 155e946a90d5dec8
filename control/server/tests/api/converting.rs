//! Conversion webhooks: versions that differ in shape.

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};

use crate::crontabs::{DEFINITIONS, V1, V2, crontab, definition, version};
use crate::remote::Remote;
use crate::support::Cluster;

/// v1 has `spec.cronSpec`, v2 has `spec.schedule`.
async fn convert(axum::Json(review): axum::Json<Value>) -> axum::Json<Value> {
    let request = &review["request"];
    let wanted = request["desiredAPIVersion"].as_str().unwrap();
    let objects: Vec<Value> =
        request["objects"].as_array().unwrap().iter().map(|object| turned(object, wanted)).collect();
    axum::Json(json!({
        "kind": "ConversionReview", "apiVersion": review["apiVersion"],
        "response": { "uid": request["uid"], "result": { "status": "Success" }, "convertedObjects": objects },
    }))
}

fn turned(object: &Value, wanted: &str) -> Value {
    let mut object = object.clone();
    let (from, to) = if wanted.ends_with("v2") { ("cronSpec", "schedule") } else { ("schedule", "cronSpec") };
    if let Some(value) = object["spec"].as_object_mut().and_then(|spec| spec.remove(from)) {
        object["spec"][to] = value;
    }
    object["apiVersion"] = json!(wanted);
    object["metadata"]["annotations"] = json!({ "converted-to": wanted });
    object
}

async fn cluster(webhook: Value) -> Cluster {
    let cluster = Cluster::new().await;
    let mut second = version("v2", false);
    second["schema"] = json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    second["selectableFields"].take();
    second.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let mut crontabs = definition(vec![version("v1", true), second]);
    crontabs["spec"]["conversion"] = json!({ "strategy": "Webhook", "webhook": webhook });
    cluster.post(DEFINITIONS, crontabs).await.ok();
    cluster
}

fn of_service(bundle: &str) -> Value {
    let service = json!({ "namespace": "default", "name": "hook", "path": "/convert" });
    json!({ "conversionReviewVersions": ["v1"], "clientConfig": { "service": service, "caBundle": bundle } })
}

#[tokio::test]
async fn objects_are_converted_on_every_way_in_and_out() {
    let remote = Remote::start("hook.default.svc", None, Router::new().route("/convert", post(convert))).await;
    let cluster = cluster(of_service(&remote.bundle)).await;
    remote.behind(&cluster, "hook").await;
    let mut watch = cluster.watch(&format!("{V2}?watch=1")).await;
    let created = cluster.post(V2, crontab("v2", "a", json!({ "schedule": "1" }))).await.ok();
    assert_eq!((&created["spec"]["schedule"], &created["spec"]["cronSpec"]), (&json!("1"), &Value::Null));
    let stored = cluster.get(&format!("{V1}/a")).await.ok();
    assert_eq!(stored["spec"]["cronSpec"], "1");
    assert_eq!(stored["metadata"]["uid"], created["metadata"]["uid"]);
    assert_eq!(stored["metadata"]["annotations"], json!({ "converted-to": "stable.example.com/v1" }));
    assert_eq!(cluster.get(V2).await.ok()["items"][0]["spec"]["schedule"], "1");
    assert_eq!(watch.next().await.unwrap()["object"]["spec"]["schedule"], "1");
    let patched = cluster.merge(&format!("{V2}/a"), json!({ "spec": { "schedule": "2" } })).await.ok();
    assert_eq!(patched["spec"]["schedule"], "2");
    assert_eq!(cluster.get(&format!("{V1}/a")).await.ok()["spec"]["cronSpec"], "2");
    cluster.delete(&format!("{V2}/a")).await.ok();
}

#[tokio::test]
async fn a_webhook_that_is_not_there_fails_only_what_needs_it() {
    let cluster = cluster(of_service("")).await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    cluster.get(&format!("{V1}/a")).await.ok();
    let refused = cluster.get(&format!("{V2}/a")).await;
    let text = "conversion webhook for stable.example.com/v1, Kind=CronTab failed: \
                Post \"https://hook.default.svc:443/convert?timeout=30s\": service/hook in \"default\" is not present";
    refused.fails(500, text);
}

#[tokio::test]
async fn an_authority_nobody_knows_is_refused() {
    let remote = Remote::start("hook.default.svc", None, Router::new().route("/convert", post(convert))).await;
    let other = Remote::start("hook.default.svc", None, Router::new()).await;
    let cluster = cluster(of_service(&other.bundle)).await;
    remote.behind(&cluster, "hook").await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    let refused = cluster.get(&format!("{V2}/a")).await;
    assert!(refused.message().starts_with("conversion webhook for stable.example.com/v1, Kind=CronTab failed: Post"));
    assert!(refused.message().contains("tls: "), "{}", refused.message());
}

/// Says that it has converted, but renames what it was given.
async fn rename(axum::Json(review): axum::Json<Value>) -> axum::Json<Value> {
    let axum::Json(mut answer) = convert(axum::Json(review)).await;
    for object in answer["response"]["convertedObjects"].as_array_mut().unwrap() {
        object["metadata"]["name"] = json!("other");
    }
    axum::Json(answer)
}

#[tokio::test]
async fn a_webhook_may_not_rename_objects() {
    let remote = Remote::start("hook.default.svc", None, Router::new().route("/convert", post(rename))).await;
    let cluster = cluster(of_service(&remote.bundle)).await;
    remote.behind(&cluster, "hook").await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    let refused = cluster.get(&format!("{V2}/a")).await;
    let text = "conversion webhook for stable.example.com/v1, Kind=CronTab returned invalid object: must have the same \
                name: a != other";
    refused.fails(500, text);
}

#[tokio::test]
async fn a_bundle_that_is_no_certificate_is_refused_with_the_definition() {
    let cluster = Cluster::new().await;
    let mut crontabs = definition(vec![version("v1", true)]);
    crontabs["spec"]["conversion"] = json!({ "strategy": "Webhook", "webhook": of_service("Cg==") });
    let refused = cluster.post(DEFINITIONS, crontabs).await;
    let text = "CustomResourceDefinition.apiextensions.k8s.io \"crontabs.stable.example.com\" is invalid: \
                spec.conversion.webhookClientConfig.caBundle: Invalid value: \"Cg==\": unable to load root certificates: unable \
                to parse bytes as PEM block";
    refused.fails(422, text);
}
