//! Objects of custom kinds: pruned, defaulted, validated, patched, selected and shown as their definition says.

use serde_json::{Value, json};

use crate::crontabs::{DEFINITION, V1, cluster, crontab};

const A: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs/a";

#[tokio::test]
async fn unknown_fields_are_dropped_and_defaults_filled_in() {
    let cluster = cluster().await;
    let object = crontab("v1", "a", json!({ "cronSpec": "1", "nonsense": true }));
    let answer = cluster.post(V1, object.clone()).await;
    assert_eq!(answer.warnings(), ["299 - \"unknown field \\\"spec.nonsense\\\"\""]);
    assert_eq!(answer.ok()["spec"], json!({ "cronSpec": "1", "image": "busybox" }));
    let refused = cluster.post(&format!("{V1}?fieldValidation=Strict"), object).await;
    assert_eq!(refused.code, 400);
    assert!(
        refused.message().contains("strict decoding error: unknown field \"spec.nonsense\""),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn what_the_schema_forbids_is_refused_in_the_words_of_kubernetes() {
    let cluster = cluster().await;
    let cases = [
        (json!({}), "spec.cronSpec: Required value"),
        (
            json!({ "cronSpec": "a" }),
            "spec.cronSpec: Invalid value: \"a\": spec.cronSpec in body should match '^[0-9* /]+$'",
        ),
        (
            json!({ "cronSpec": "1", "replicas": 11 }),
            "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10",
        ),
    ];
    for (spec, why) in cases {
        let refused = cluster.post(V1, crontab("v1", "a", spec)).await;
        refused.fails(422, &format!("CronTab.stable.example.com \"a\" is invalid: {why}"));
    }
}

#[tokio::test]
async fn generations_count_what_its_author_wants_and_status_is_apart() {
    let cluster = cluster().await;
    let mut object = crontab("v1", "a", json!({ "cronSpec": "1" }));
    object["status"] = json!({ "replicas": 5 });
    let created = cluster.post(V1, object).await.ok();
    assert_eq!(created["status"], Value::Null);
    let changed = cluster.merge(A, json!({ "spec": { "cronSpec": "2" }, "status": { "replicas": 5 } })).await.ok();
    assert_eq!((&changed["metadata"]["generation"], &changed["status"]), (&json!(2), &Value::Null));
    let status =
        json!({ "metadata": { "labels": { "x": "y" } }, "spec": { "cronSpec": "3" }, "status": { "replicas": 5 } });
    let changed = cluster.merge(&format!("{A}/status"), status).await.ok();
    assert_eq!((&changed["metadata"]["generation"], &changed["status"]["replicas"]), (&json!(2), &json!(5)));
    assert_eq!((&changed["spec"]["cronSpec"], &changed["metadata"]["labels"]), (&json!("2"), &Value::Null));
    let labelled = cluster.merge(A, json!({ "metadata": { "labels": { "x": "y" } } })).await.ok();
    assert_eq!(labelled["metadata"]["generation"], 2);
}

#[tokio::test]
async fn patches_of_every_kind_but_the_strategic_one() {
    let cluster = cluster().await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    let operations = json!([{ "op": "replace", "path": "/spec/cronSpec", "value": "2" }]);
    assert_eq!(cluster.patch(A, "json-patch+json", operations).await.ok()["spec"]["cronSpec"], "2");
    assert_eq!(cluster.patch(A, "strategic-merge-patch+json", json!({})).await.code, 415);
    let config = crontab("v1", "a", json!({ "cronSpec": "2", "replicas": 3 }));
    let applied = cluster.patch(&format!("{A}?fieldManager=me"), "apply-patch+yaml", config.clone()).await.ok();
    assert_eq!(applied["spec"]["replicas"], 3);
    let entries = applied["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.iter().any(|e| e["manager"] == "me" && e["fieldsV1"]["f:spec"]["f:replicas"] == json!({})));
    let mut other = config;
    other["spec"]["replicas"] = json!(4);
    assert_eq!(cluster.patch(&format!("{A}?fieldManager=you"), "apply-patch+yaml", other).await.code, 409);
}

#[tokio::test]
async fn scale_tables_and_selectors_follow_the_definition() {
    let cluster = cluster().await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1", "replicas": 1 }))).await.ok();
    cluster.post(V1, crontab("v1", "b", json!({ "cronSpec": "2", "image": "other" }))).await.ok();
    let scaled = cluster.merge(&format!("{A}/scale"), json!({ "spec": { "replicas": 4 } })).await.ok();
    assert_eq!((&scaled["kind"], &scaled["spec"]["replicas"]), (&json!("Scale"), &json!(4)));
    assert_eq!(cluster.get(A).await.ok()["spec"]["replicas"], 4);
    let chosen = cluster.get(&format!("{V1}?fieldSelector=spec.image=other")).await.ok();
    let names: Vec<&Value> = chosen["items"].as_array().unwrap().iter().map(|o| &o["metadata"]["name"]).collect();
    assert_eq!(names, ["b"]);
    let wrong = cluster.get(&format!("{V1}?fieldSelector=spec.other=x")).await;
    wrong.fails(400, "field label not supported: spec.other");
    let table = cluster.get_as(V1, "application/json;as=Table;g=meta.k8s.io;v=v1").await.ok();
    let columns: Vec<&Value> = table["columnDefinitions"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(columns, ["Name", "Spec", "Replicas"]);
    assert_eq!(table["rows"][0]["cells"], json!(["a", "1", 4]));
}

#[tokio::test]
async fn deprecated_versions_warn() {
    let cluster = crate::support::Cluster::new().await;
    let mut old = crate::crontabs::version("v1", true);
    old["deprecated"] = json!(true);
    cluster.post(crate::crontabs::DEFINITIONS, crate::crontabs::definition(vec![old])).await.ok();
    assert_eq!(cluster.get(V1).await.warnings(), ["299 - \"stable.example.com/v1 CronTab is deprecated\""]);
}

#[tokio::test]
async fn updates_may_keep_what_a_stricter_schema_would_refuse_and_are_warned_of_broken_rules() {
    let cluster = cluster().await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1", "image": "old", "replicas": 3 }))).await.ok();
    let mut definition = cluster.get(DEFINITION).await.ok();
    let spec = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    spec["properties"]["image"] = json!({
        "type": "string", "maxLength": 10, "x-kubernetes-validations": [{ "rule": "self != 'old'", "message": "too old" }],
    });
    spec["properties"]["replicas"]["maximum"] = json!(2);
    spec["properties"]["added"] = json!({ "type": "string", "default": "later" });
    cluster.put(DEFINITION, definition).await.ok();
    let stored = cluster.get(A).await.ok();
    assert_eq!(stored["spec"]["added"], "later", "defaults that came later are filled in when it is read");
    let changed = cluster.merge(A, json!({ "spec": { "cronSpec": "2" } })).await;
    assert_eq!(changed.warnings(), ["299 - \"spec.image: Invalid value: \\\"string\\\": too old\""]);
    assert_eq!(changed.ok()["spec"]["replicas"], 3);
    let refused = cluster.merge(A, json!({ "spec": { "replicas": 4 } })).await;
    let why = "spec.replicas: Invalid value: 4: spec.replicas in body should be less than or equal to 2";
    refused.fails(422, &format!("CronTab.stable.example.com \"a\" is invalid: {why}"));
}

#[tokio::test]
async fn watches_select_by_the_fields_that_the_definition_names() {
    let cluster = cluster().await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1", "image": "mine" }))).await.ok();
    let mut watch = cluster.watch(&format!("{V1}?watch=1&fieldSelector=spec.image=mine")).await;
    assert_eq!(watch.brief().await, "ADDED a");
    cluster.post(V1, crontab("v1", "b", json!({ "cronSpec": "1" }))).await.ok();
    cluster.merge(A, json!({ "spec": { "image": "other" } })).await.ok();
    assert_eq!(watch.brief().await, "DELETED a");
    cluster.merge(&format!("{V1}/b"), json!({ "spec": { "image": "mine" } })).await.ok();
    assert_eq!(watch.brief().await, "ADDED b");
}

#[tokio::test]
async fn finalizers_without_a_domain_are_warned_of() {
    let cluster = cluster().await;
    let mut object = crontab("v1", "a", json!({ "cronSpec": "1" }));
    object["metadata"]["finalizers"] = json!(["example.com/mine"]);
    assert_eq!(cluster.post(V1, object).await.warnings(), [""; 0]);
    let changed = cluster.merge(A, json!({ "metadata": { "finalizers": ["example.com/mine", "mine"] } })).await;
    assert!(changed.warnings()[0].contains("prefer a domain-qualified finalizer name"), "{:?}", changed.warnings());
    let again = cluster.merge(A, json!({ "metadata": { "labels": { "a": "b" } } })).await;
    assert_eq!(again.warnings(), [""; 0]);
}
