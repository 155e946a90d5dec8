//! Tokens in volumes are replaced before they expire. The API grants none for less than ten minutes, so between node and
//! server stands somebody who tells the node that they are over sooner.

use std::net::SocketAddr;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde_json::{Value, json};

use super::{EdgeNode, ready};
use crate::client::client;
use crate::harness::guests::push_toolbox;
use crate::harness::{Cluster, boxes, eventually};

/// How long tokens live, as the node hears it: it replaces them after some ten seconds.
const LIFE: SignedDuration = SignedDuration::from_secs(20);
/// More than anything has that a node sends, or an answer with a token.
const BODY_BYTES: usize = 1 << 20;

/// Forwards a request, as the administrator.
async fn forward(State(client): State<Client>, request: Request) -> Response {
    let is_token = request.uri().path().ends_with("/token");
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES).await.unwrap();
    let response = match client.send(Request::from_parts(head, body.into())).await {
        Ok(response) => response.map(Body::new),
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    if is_token { shorten(response).await } else { response }
}

async fn shorten(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let mut answer: Value = serde_json::from_slice(&to_bytes(body, BODY_BYTES).await.unwrap()).unwrap();
    answer["spec"]["expirationSeconds"] = json!(LIFE.as_secs());
    answer["status"]["expirationTimestamp"] = json!((Timestamp::now() + LIFE).to_string());
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(Bytes::from(answer.to_string())))
}

/// Where the server listens that forwards to the cluster; it ends with the runtime of the test.
async fn forwarder(cluster: &Cluster) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = axum::Router::new().fallback(forward).with_state(client(cluster).await);
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// `[sig-auth] ServiceAccounts should mount projected service account token`, for as long as the pod lives.
#[test]
fn a_token_is_replaced_before_it_expires() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", runtime.block_on(forwarder(&cluster)))}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    });
    let mut node = EdgeNode::unstarted(&cluster, "edge");
    node.kubeconfig = cluster.scratch().join("kubeconfig-by-forwarder");
    std::fs::write(&node.kubeconfig, kubeconfig.to_string()).unwrap();
    node.boot();
    let selector = "nodeSelector: { kubernetes.io/hostname: edge }";
    cluster.apply(&boxes::pod("box", "[sleep, '1000']", "", selector));
    ready(&cluster, "box");

    let token = || cluster.kubectl("exec box -- cat /var/run/secrets/kubernetes.io/serviceaccount/token").ok();
    let first = token();
    let second = eventually("another token", || if token() == first { Err(first.clone()) } else { Ok(token()) });
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {"name": "r"},
        "spec": {"token": second}});
    let reviewed = cluster.kubectl_with_input("create -o json -f -", &review.to_string()).ok();
    let reviewed: Value = serde_json::from_str(&reviewed).unwrap();
    assert_eq!(reviewed["status"]["user"]["username"], "system:serviceaccount:default:default", "{reviewed}");
    assert_eq!(reviewed["status"]["user"]["extra"]["authentication.kubernetes.io/pod-name"], json!(["box"]));
}
