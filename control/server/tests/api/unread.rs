//! Clients that ask for much and read nothing: they are dropped, not buffered for, and others get everything.

use std::time::Duration;

use coracle_store::StoreConfig;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Cluster, MAPS, PATIENCE, map, request};
use crate::wire::{END_STREAM, Frames, HTTP1, Site, Stream, ends, kind, large, tuned};

const STALL: Duration = Duration::from_millis(800);
/// Bytes of each object, and how many changes there are: more than sockets, buffers and the history have room for.
const OBJECT_BYTES: usize = 200_000;
const CHANGES: usize = 200;
const HISTORY_EVENTS: usize = 20;

fn little_history(store: &mut StoreConfig) {
    store.history_events = HISTORY_EVENTS;
    store.history_age = Duration::ZERO;
}

/// Asks over HTTP/1 and reads nothing but the first line of the answer.
async fn ask(site: &Site, path: &str) -> Stream {
    let mut client = site.connect(Some(&site.admin), HTTP1).await.unwrap();
    client.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut line = [0; 12];
    client.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 200");
    client
}

async fn change(cluster: &Cluster, number: usize) {
    let data = json!({ "data": { "k": "x".repeat(OBJECT_BYTES), "n": number.to_string() } });
    let path = format!("{MAPS}/a");
    let mut asked = request(Method::PATCH, &path, data);
    asked.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    cluster.send(asked).await.ok();
}

#[tokio::test]
async fn a_watcher_that_does_not_read_is_dropped_and_the_others_get_all() {
    let cluster = Cluster::with(tuned(|config| config.limits.answer_stall = STALL), little_history).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let site = Site::over(cluster).await;
    let path = format!("{MAPS}?watch=1");
    let mut silent = ask(&site, &path).await;
    // Another one does not read either, but its connection has another watch that is read.
    let mut frames = Frames::open(&site, Some(&site.admin), &[(4, 100_000)]).await;
    // The window of the connection is not used up by one stream.
    frames.send(kind::WINDOW_UPDATE, 0, 0, &1_000_000_u32.to_be_bytes()).await.unwrap();
    frames.get(1, &path).await.unwrap();
    frames.get(3, "/api/v1/namespaces/default/secrets?watch=1").await.unwrap();
    let mut others = [site.cluster.watch(&path).await, site.cluster.watch(&path).await];
    site.until("apiserver_longrunning_requests ", |watches| watches == 5.0).await;
    for number in 0..CHANGES {
        change(&site.cluster, number).await;
        for other in &mut others {
            let number = number.to_string();
            while other.next().await.unwrap()["object"]["data"]["n"] != *number {}
        }
    }
    // Both are gone, the second one without its connection.
    site.until("apiserver_longrunning_requests ", |watches| watches == 3.0).await;
    site.until("apiserver_stalled_answers", |stalled| stalled == 2.0).await;
    ends(&mut silent).await;
    let reset = frames.find(|frame| frame.kind == kind::RST_STREAM).await.expect("the connection lives on");
    assert_eq!(reset.stream, 1);
    site.cluster.post("/api/v1/namespaces/default/secrets", json!({ "metadata": { "name": "s" } })).await.ok();
    let event = frames.find(|frame| frame.stream == 3 && frame.kind == kind::DATA).await.expect("an event");
    assert!(String::from_utf8_lossy(&event.payload).starts_with("{\"type\":\"ADDED\""));
    assert_eq!(site.honest().await, 200);
}

/// Slow, but not standing still: what has been forgotten meanwhile is told as 410.
#[tokio::test]
async fn a_watcher_that_falls_behind_the_history_is_told_so() {
    let cluster = Cluster::with(tuned(|_| {}), little_history).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let site = Site::over(cluster).await;
    let mut slow = ask(&site, &format!("{MAPS}?watch=1")).await;
    for number in 0..CHANGES {
        change(&site.cluster, number).await;
    }
    let mut text = Vec::new();
    let reading = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = slow.read(&mut buffer).await {
            text.extend_from_slice(&buffer[..read]);
            if text.ends_with(b"0\r\n\r\n") {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the watch ends");
    let text = String::from_utf8_lossy(&text);
    let last = text.rfind("{\"type\":\"ERROR\"").map(|at| &text[at..]).expect("an error is the last event");
    assert!(last.contains("\"code\":410") && last.contains("\"reason\":\"Expired\""), "{last}");
    assert!(text.len() < CHANGES * OBJECT_BYTES, "not everything was kept for it");
    site.until("apiserver_longrunning_requests ", |watches| watches == 0.0).await;
}

#[tokio::test]
async fn a_large_list_that_nobody_reads_is_given_up() {
    let site = Site::start(tuned(|config| config.limits.answer_stall = STALL)).await;
    for index in 0..60 {
        site.cluster.post(MAPS, large(&format!("m{index}"), OBJECT_BYTES)).await.ok();
    }
    let mut clients = Vec::new();
    // In pieces, whole and in one, and indented.
    for path in [MAPS.to_owned(), format!("{MAPS}?pretty=1"), format!("{MAPS}?limit=50")] {
        clients.push(ask(&site, &path).await);
    }
    site.until("apiserver_stalled_answers", |stalled| stalled == 3.0).await;
    site.until("apiserver_connections ", |open| open == 0.0).await;
    for client in &mut clients {
        ends(client).await;
    }
    // Who reads slowly gets it: a piece within the time is enough.
    let mut slow = Frames::open(&site, Some(&site.admin), &[(4, 300_000)]).await;
    slow.send(kind::WINDOW_UPDATE, 0, 0, &100_000_000_u32.to_be_bytes()).await.unwrap();
    slow.get(1, MAPS).await.unwrap();
    let mut bytes = 0;
    loop {
        let frame = slow.next().await.expect("the connection goes on");
        assert!(!matches!(frame.kind, kind::RST_STREAM | kind::GOAWAY), "{frame:?}");
        if frame.kind == kind::DATA {
            bytes += frame.payload.len();
            if frame.flags & END_STREAM != 0 {
                break;
            }
            if bytes % 250_000 < frame.payload.len() {
                tokio::time::sleep(STALL / 20).await;
                slow.send(kind::WINDOW_UPDATE, 0, 1, &300_000_u32.to_be_bytes()).await.unwrap();
            }
        }
    }
    assert!(bytes > 60 * OBJECT_BYTES);
}
