//! Webhooks that fail, hang or wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};

use super::{VALIDATING, configure, refused, webhook};
use crate::remote::Remote;
use crate::support::{Cluster, MAPS, map};

#[tokio::test]
async fn a_webhook_that_fails_closes_or_opens() {
    let cluster = Cluster::new().await;
    let broken = || async { (http::StatusCode::INTERNAL_SERVER_ERROR, "out of order") };
    let remote = Remote::start("hook.default.svc", None, Router::new().route("/ask", post(broken))).await;
    configure(&cluster, VALIDATING, "v", json!([webhook("v", &remote.bundle, json!({}))])).await;
    let failing = "Internal error occurred: failed calling webhook \"v.example.com\": failed to call webhook: ";
    let nobody = cluster.post(MAPS, map("a", json!({}))).await;
    let why = "Post \"https://hook.default.svc:443/ask?timeout=10s\": service/hook in \"default\" is not present";
    assert_eq!(refused(&nobody), (500, format!("{failing}{why}").as_str()));
    remote.behind(&cluster, "hook").await;
    let answered = cluster.post(MAPS, map("a", json!({}))).await;
    let why = "an error on the server (\"out of order\") has prevented the request from succeeding";
    assert_eq!(refused(&answered), (500, format!("{failing}{why}").as_str()));
    let opened = json!({ "webhooks": [webhook("v", &remote.bundle, json!({ "failurePolicy": "Ignore" }))] });
    cluster.merge(&format!("{VALIDATING}/v"), opened).await.ok();
    cluster.post(MAPS, map("a", json!({}))).await.ok();
}

#[tokio::test]
async fn a_webhook_that_hangs_holds_only_its_own_request() {
    let cluster = Cluster::new().await;
    let hangs = |axum::Json(review): axum::Json<Value>| async move {
        let request = &review["request"];
        if request["name"] == "slow" {
            std::future::pending::<()>().await;
        }
        let response = json!({ "uid": request["uid"], "allowed": true });
        axum::Json(json!({ "apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response }))
    };
    let remote = Remote::start("hook.default.svc", None, Router::new().route("/ask", post(hangs))).await;
    remote.behind(&cluster, "hook").await;
    let webhooks = json!([webhook("v", &remote.bundle, json!({ "timeoutSeconds": 2 }))]);
    configure(&cluster, VALIDATING, "v", webhooks).await;
    let slow = cluster.post(MAPS, map("slow", json!({})));
    let others = async {
        for name in ["a", "b", "c"] {
            cluster.post(MAPS, map(name, json!({}))).await.ok();
        }
    };
    let (slow, ()) = tokio::join!(slow, others);
    let text = "Internal error occurred: failed calling webhook \"v.example.com\": failed to call webhook: Post \
                \"https://hook.default.svc:443/ask?timeout=2s\": context deadline exceeded";
    assert_eq!(refused(&slow), (500, text));
}

#[tokio::test]
async fn validating_webhooks_are_asked_at_once() {
    /// How many are being answered, and the most there have been.
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let cluster = Cluster::new().await;
    let waits = |axum::Json(review): axum::Json<Value>| async move {
        MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Until the others are here too; alone it gives up, and the test fails.
        for _ in 0..500 {
            if MOST.load(Ordering::SeqCst) == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let response = json!({ "uid": review["request"]["uid"], "allowed": true });
        axum::Json(json!({ "apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response }))
    };
    let remote = Remote::start("hook.default.svc", None, Router::new().route("/ask", post(waits))).await;
    remote.behind(&cluster, "hook").await;
    let three = ["a", "b", "c"].map(|name| webhook(name, &remote.bundle, json!({})));
    configure(&cluster, VALIDATING, "v", json!(three)).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
}
