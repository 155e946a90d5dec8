//! What lasts: it is counted for as long as it does, nobody keeps it in memory, and what should not last ends in time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{any, get};
use bytes::Bytes;
use coracle_server::{AuditConfig, LogConfig, Policy};
use futures::{StreamExt, stream};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::aggregating::{API_SERVICES, api_service, state};
use crate::auditing::events;
use crate::crontabs::eventually;
use crate::logs::running;
use crate::remote::Remote;
use crate::support::{Cluster, PATIENCE, PODS, config, request};
use crate::wire::{HTTP1, Site, Stream, ends, tuned};

const LASTING: &str = "apiserver_longrunning_requests ";
const FLUNDERS: &str = "/apis/wardle.example.com/v1/namespaces/default/flunders";

/// Something, and then nothing more for ever.
fn unfinished() -> Body {
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"begun"))]);
    Body::from_stream(begun.chain(stream::pending()))
}

#[tokio::test]
async fn an_answer_that_goes_on_is_not_read_for_the_audit_log_whatever_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogConfig { path: directory.path().join("audit.log"), max_megabytes: 100, max_backups: 0, max_days: 0 };
    let policy = r#"
        apiVersion: audit.k8s.io/v1
        kind: Policy
        omitStages: [RequestReceived]
        rules:
        - level: RequestResponse
          resources: [{ group: "", resources: [nodes/proxy, pods/log] }]
    "#;
    let mut config = config();
    config.audit = Some(AuditConfig { policy: Policy::parse(policy).unwrap(), log });
    let cluster = Cluster::with(config, |_| {}).await;
    cluster.post("/api/v1/nodes", json!({ "metadata": { "name": "n" } })).await.ok();
    cluster.nodes.register("n", Router::new().fallback(any(async || (StatusCode::NOT_FOUND, unfinished()))));
    let asking = cluster.open(request(Method::GET, "/api/v1/nodes/n/proxy/x", Value::Null));
    let answer = tokio::time::timeout(PATIENCE, asking).await.expect("the beginning of an answer");
    assert_eq!(answer.status(), 404);
    let mut pieces = answer.into_body().into_data_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "begun");
    let code = json!({ "metadata": {}, "code": 404 });
    let started = events(directory.path(), 1).await;
    assert_eq!((&started[0]["stage"], &started[0]["responseStatus"]), (&json!("ResponseStarted"), &code));
    drop(pieces);
    assert_eq!(events(directory.path(), 2).await[1]["stage"], "ResponseComplete");
    // What has come to nothing before it could last is told as any other error.
    assert_eq!(cluster.get(&format!("{PODS}/none/log?follow=true")).await.code, 404);
    let refused = &events(directory.path(), 3).await[2];
    let told = (&refused["stage"], &refused["responseStatus"]["reason"]);
    assert_eq!(told, (&json!("ResponseComplete"), &json!("NotFound")));
}

/// A site with a pod whose log is this.
async fn with_log(tune: impl FnOnce(&mut coracle_server::ServerConfig), log: fn() -> Body) -> Site {
    let site = Site::start(tuned(tune)).await;
    running(&site.cluster, json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } })).await;
    let log = get(move || async move { log() });
    site.cluster.nodes.register("n", Router::new().route("/containerLogs/{ns}/{pod}/{container}", log));
    site
}

/// Changes the protocol.
async fn upgrade(site: &Site, path: &str, protocol: &str) -> Stream {
    let mut client = site.connect(Some(&site.admin), HTTP1).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: {protocol}\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(tokio::time::timeout(PATIENCE, client.read_u8()).await.expect("an answer").unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    client
}

#[tokio::test]
async fn a_log_over_a_websocket_is_counted_while_it_is_open() {
    let site = with_log(|_| {}, || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())).await;
    let client = upgrade(&site, &format!("{PODS}/p/log"), "websocket").await;
    assert_eq!(site.metric(LASTING).await, 1.0);
    drop(client);
    site.until(LASTING, |requests| requests == 0.0).await;
}

#[tokio::test]
async fn a_log_over_a_websocket_that_nobody_reads_ends() {
    let endless = || Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![b'x'; 100_000]))));
    let site = with_log(|config| config.limits.answer_stall = Duration::from_millis(500), endless).await;
    let mut client = upgrade(&site, &format!("{PODS}/p/log"), "websocket").await;
    site.until("apiserver_stalled_answers", |stalled| stalled == 1.0).await;
    site.until(LASTING, |requests| requests == 0.0).await;
    ends(&mut client).await;
}

#[tokio::test]
async fn who_reads_a_log_over_a_websocket_has_little_to_say() {
    let site = with_log(|_| {}, || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())).await;
    let mut client = upgrade(&site, &format!("{PODS}/p/log"), "websocket").await;
    // A binary message of 16 KiB, masked with zeros.
    let message = [&[0x82, 0x80 | 126, 0x40, 0, 0, 0, 0, 0][..], &[0; 0x4000]].concat();
    client.write_all(&message).await.unwrap();
    ends(&mut client).await;
    site.until(LASTING, |requests| requests == 0.0).await;
}

#[tokio::test]
async fn a_log_over_a_websocket_comes_in_pieces_to_its_end() {
    let site = with_log(|_| {}, || Body::from(vec![b'x'; 100_000])).await;
    let mut client = upgrade(&site, &format!("{PODS}/p/log"), "websocket").await;
    let mut said = Vec::new();
    // Whoever does not hang up himself is hung up on, without a farewell of TLS.
    let _ = tokio::time::timeout(PATIENCE, client.read_to_end(&mut said)).await.expect("it ends");
    let first = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[b'x'; 65_536]].concat();
    let second = [&[0x82, 126, 0x86, 0xa0][..], &[b'x'; 100_000 - 65_536]].concat();
    assert!(said == [first, second, vec![0x88, 2, 0x03, 0xe8]].concat(), "{} bytes", said.len());
}

/// A server behind this one, known and available.
async fn behind(cluster: &Cluster, router: Router) {
    let list = json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "wardle.example.com/v1", "resources": [] });
    let router = router.route("/apis/wardle.example.com/v1", get(move || async move { axum::Json(list) }));
    let remote = Remote::start("wardle.default.svc", None, router).await;
    remote.behind(cluster, "wardle").await;
    cluster.post(API_SERVICES, api_service(&remote.bundle)).await.ok();
    eventually("it is available", async || state(cluster).await == "True Passed").await;
}

/// Changes the protocol, and then says what it hears.
async fn echo(request: Request) -> Response<Body> {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let (mut reading, mut writing) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    });
    let head = Response::builder().status(101).header("connection", "Upgrade").header("upgrade", "echo");
    head.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_connection_to_a_server_behind_this_one_is_counted_while_it_is_open() {
    let site = Site::start(config()).await;
    behind(&site.cluster, Router::new().fallback(any(echo))).await;
    let mut client = upgrade(&site, &format!("{FLUNDERS}/a/console"), "echo").await;
    client.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    tokio::time::timeout(PATIENCE, client.read_exact(&mut heard)).await.expect("an echo").unwrap();
    assert_eq!((&heard, site.metric(LASTING).await), (b"hello", 1.0));
    drop(client);
    site.until(LASTING, |requests| requests == 0.0).await;
}

#[tokio::test]
async fn a_server_behind_this_one_answers_in_time_unless_it_is_watched() {
    let go = Arc::new(Notify::new());
    let going = go.clone();
    let answer = move |request: Request| {
        let going = going.clone();
        async move {
            match request.uri().query() {
                Some("watch=1") => going.notified().await,
                Some("half=1") => return unfinished(),
                _ => std::future::pending().await,
            }
            Body::from("{}")
        }
    };
    let cluster = Cluster::with(tuned(|config| config.limits.request_timeout = Duration::from_secs(1)), |_| {}).await;
    behind(&cluster, Router::new().fallback(any(answer))).await;
    let late = "Timeout: request did not complete within the allotted timeout";
    let watch = cluster.open(request(Method::GET, &format!("{FLUNDERS}?watch=1"), Value::Null));
    let others = async {
        cluster.get(FLUNDERS).await.fails(504, late);
        cluster.get(&format!("{FLUNDERS}/a?timeout=10ms")).await.fails(504, late);
        cluster.get("/openapi/v3/apis/wardle.example.com/v1").await.fails(504, late);
        let half = cluster.open(request(Method::GET, &format!("{FLUNDERS}?half=1"), Value::Null)).await;
        assert_eq!(half.status(), 200);
        let half = tokio::time::timeout(PATIENCE, half.into_body().collect()).await.expect("an end");
        assert!(half.is_err(), "a part is not taken for the whole");
        go.notify_one();
    };
    let (watch, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(watch, others) }).await.expect("all answers");
    assert_eq!(watch.status(), 200);
}
