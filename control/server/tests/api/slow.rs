//! Clients that take their time at every stage of a request: each is dropped in time, and others are served meanwhile.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{MAPS, PATIENCE, map};
use crate::wire::{END_HEADERS, Frames, HTTP1, Site, ends, frame, head, kind, tuned};

const SHORT: Duration = Duration::from_millis(400);
/// How many at a time.
const MANY: usize = 40;

#[tokio::test]
async fn a_handshake_ends_in_time() {
    let site = Site::start(tuned(|config| config.limits.handshake_timeout = SHORT)).await;
    let mut clients = Vec::new();
    for index in 0..MANY {
        let mut client = TcpStream::connect(site.address).await.unwrap();
        if index % 2 == 0 {
            // The beginning of a record that never comes.
            client.write_all(&[0x16, 0x03, 0x01, 0x40, 0x00, 0x01]).await.unwrap();
        }
        clients.push(client);
    }
    assert_eq!(site.honest().await, 200);
    for client in &mut clients {
        let mut byte = [0; 1];
        let read = tokio::time::timeout(PATIENCE, client.read(&mut byte)).await.expect("it is dropped");
        assert!(matches!(read, Ok(0) | Err(_)));
    }
    site.until("apiserver_tls_handshake_errors", |errors| errors >= MANY as f64).await;
    site.until("apiserver_connections ", |open| open <= 1.0).await;
}

/// Sends bytes one by one until the server has enough of it; how long that took.
async fn drip(site: &Site, protocol: &[u8], beginning: &[u8], endless: u8) -> Duration {
    let begun = Instant::now();
    let (mut reading, mut writing) = tokio::io::split(site.connect(Some(&site.admin), protocol).await.unwrap());
    let dripping = async {
        writing.write_all(beginning).await?;
        loop {
            writing.write_all(&[endless]).await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        #[expect(unreachable_code, reason = "it says of which type the error is")]
        Ok::<(), std::io::Error>(())
    };
    let ending = async {
        let mut buffer = [0; 1024];
        while reading.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        _ = dripping => {}
        () = ending => {}
        () = tokio::time::sleep(PATIENCE) => panic!("it goes on for ever"),
    }
    begun.elapsed()
}

#[tokio::test]
async fn a_head_byte_by_byte_ends_in_time() {
    let site = Site::start(tuned(|config| {
        (config.limits.head_timeout, config.limits.first_request) = (SHORT, 2 * SHORT);
    }))
    .await;
    let site = &site;
    let request = format!("GET {MAPS} HTTP/1.1\r\nx-endless: ");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    // A field whose value is said to be long, and comes slowly: one frame of HEADERS that never ends.
    let mut opened = [preface, &frame(kind::SETTINGS, 0, 0, &[])].concat();
    let whole = frame(kind::HEADERS, END_HEADERS, 1, &[head("GET", MAPS), vec![0; 16_000]].concat());
    opened.extend_from_slice(&whole[..60]);
    let slow = [
        (HTTP1, request.as_bytes(), b'a'),
        // Not even the version of HTTP is known.
        (b"h2", &preface[..8], b' '),
        (b"h2", &opened, 0),
    ];
    let dripping = slow.map(|(protocol, beginning, endless)| drip(site, protocol, beginning, endless));
    let (took, honest) = tokio::join!(futures::future::join_all(dripping), site.honest());
    assert_eq!(honest, 200);
    for took in took {
        assert!(took < 10 * SHORT, "{took:?}");
    }
    site.until("apiserver_connections ", |open| open <= 1.0).await;
}

#[tokio::test]
async fn a_connection_without_a_request_ends_in_time() {
    let site = Site::start(tuned(|config| {
        (config.limits.first_request, config.limits.idle) = (SHORT, SHORT);
    }))
    .await;
    let mut frames = Frames::open(&site, Some(&site.admin), &[]).await;
    frames.get(1, MAPS).await.unwrap();
    let answer = frames.find(|frame| frame.kind == kind::HEADERS).await;
    assert_eq!(answer.unwrap().stream, 1);
    // Keeping busy without asking anything does not help.
    let (mut reading, mut writing) = tokio::io::split(frames.stream);
    let pinging = async { while writing.write_all(&frame(kind::PING, 0, 0, &[7; 8])).await.is_ok() {} };
    let ending = async {
        let mut buffer = vec![0; 1 << 16];
        while reading.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        () = pinging => {}
        () = ending => {}
        () = tokio::time::sleep(PATIENCE) => panic!("it goes on for ever"),
    }
    let mut silent = site.connect(None, HTTP1).await.unwrap();
    ends(&mut silent).await;
    site.until("apiserver_connections ", |open| open == 0.0).await;
}

#[tokio::test]
async fn a_body_that_trickles_is_told_so_and_nobody_has_all_places() {
    let site = Site::start(tuned(|config| {
        config.limits.body_timeout = 2 * SHORT;
        (config.limits.read_only_in_flight, config.limits.mutating_in_flight) = (6, 4);
        // Who waits for a seat does so for a quarter of it.
        config.limits.request_timeout = 8 * SHORT;
    }))
    .await;
    let rule = serde_json::json!({ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"] });
    let role = serde_json::json!({ "metadata": { "name": "maps" }, "rules": [rule] });
    site.cluster.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", role).await.ok();
    let binding = serde_json::json!({
        "metadata": { "name": "maps" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "maps" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" }],
    });
    site.cluster.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).await.ok();
    let jane = site.identity("jane", "", Duration::from_secs(600));
    let mut clients = Vec::new();
    for _ in 0..MANY {
        let mut client = site.connect(Some(&jane), HTTP1).await.unwrap();
        let head = format!("POST {MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{");
        client.write_all(head.as_bytes()).await.unwrap();
        clients.push(client);
    }
    assert_eq!(site.honest().await, 200, "jane has her places and no more");
    site.cluster.post(MAPS, map("a", serde_json::json!({}))).await.ok();
    let mut codes = std::collections::BTreeMap::new();
    for client in &mut clients {
        let mut line = [0; 12];
        let read = tokio::time::timeout(PATIENCE, client.read_exact(&mut line)).await.expect("an answer in time");
        read.unwrap();
        *codes.entry(String::from_utf8_lossy(&line[9..]).into_owned()).or_insert(0) += 1;
    }
    let late = codes.remove("504").unwrap_or(0);
    assert!((1..=MANY).contains(&late) && codes.remove("429").unwrap_or(0) == MANY - late, "{late} late, {codes:?}");
    site.until("apiserver_current_inflight_requests{request_kind=\"mutating\"} ", |requests| requests == 0.0).await;
}

#[tokio::test]
async fn places_are_not_kept_from_who_has_business_here() {
    let site = Site::start(tuned(|config| config.limits.connections = 8)).await;
    let known = site.connect(Some(&site.admin), HTTP1).await.unwrap();
    let mut strangers = Vec::new();
    for _ in 0..MANY {
        strangers.push(TcpStream::connect(site.address).await.unwrap());
    }
    assert_eq!(site.honest().await, 200);
    assert!(site.metric("apiserver_connections ").await <= 8.0);
    assert!(site.metric("apiserver_connections_sent_away").await >= (MANY - 8) as f64);
    // Who had a certificate is still there.
    let (mut send, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(known)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(crate::wire::ask(&mut send, MAPS).await, 200);
}

#[tokio::test]
async fn a_user_who_has_taken_all_places_makes_room() {
    const PLACES: usize = 20;
    let site = Site::start(tuned(|config| config.limits.connections = PLACES)).await;
    let node = site.identity("system:node:n", "system:nodes", Duration::from_secs(600));
    let node = site.connect(Some(&node), HTTP1).await.unwrap();
    let jane = site.identity("jane", "", Duration::from_secs(600));
    let connect = async || tokio::time::timeout(PATIENCE, site.connect(Some(&jane), HTTP1)).await;
    let mut hers = Vec::new();
    for _ in 1..PLACES {
        hers.push(connect().await.expect("a place").unwrap());
    }
    for _ in 0..PLACES {
        assert_eq!(site.honest().await, 200);
        hers.push(connect().await.expect("a place at her own expense").unwrap());
    }
    assert!(site.metric("apiserver_connections ").await <= PLACES as f64);
    assert!(site.metric("apiserver_connections_sent_away").await >= PLACES as f64);
    // Who came first is gone, and the node, which was there before, is not.
    ends(&mut hers[0]).await;
    let (mut send, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(node)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(crate::wire::ask(&mut send, "/api/v1/services").await, 200);
}
