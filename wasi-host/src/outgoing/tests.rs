use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    PodConfig, PodLimits,
    test_support::{StaticNetwork, engine},
};

const POD: &str = "127.201.0.1";

fn pod(network: StaticNetwork) -> Pod {
    let config = PodConfig {
        name: "test".into(),
        hostname: "test-0".into(),
        address: POD.parse().unwrap(),
        network: Arc::new(network),
        limits: PodLimits::default(),
    };
    Pod::new(engine(), config)
}

fn post(uri: &str, body: &'static str) -> Request<WasiBody> {
    let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed_unsync();
    Request::post(uri).header("host", "test").body(body).unwrap()
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.201.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Takes one connection and one request, gives `response`, and tells who asked what.
async fn answer_one(listener: TcpListener, response: &'static str) -> (IpAddr, String) {
    let (mut stream, peer) = listener.accept().await.unwrap();
    let mut request = vec![0; 4096];
    let mut filled = 0;
    while !request[..filled].ends_with(b"body") {
        let read = stream.read(&mut request[filled..]).await.unwrap();
        assert!(read > 0, "the client left early");
        filled += read;
    }
    stream.write_all(response.as_bytes()).await.unwrap();
    request.truncate(filled);
    (peer.ip(), String::from_utf8(request).unwrap())
}

#[tokio::test]
async fn a_name_leads_through_the_route_from_the_pods_address() {
    let (listener, real) = listener().await;
    let network = StaticNetwork::default().name("api", "10.96.0.1").route("10.96.0.1:80", &real);
    let server = tokio::spawn(answer_one(listener, "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok"));
    let (response, connection) =
        send(&pod(network), post("http://api/path?q=1", "body"), RequestOptions::default()).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    let (peer, request) = server.await.unwrap();
    assert_eq!(peer, POD.parse::<IpAddr>().unwrap());
    assert!(request.starts_with("POST /path?q=1 HTTP/1.1\r\n"), "{request}");
    Box::into_pin(connection).await.unwrap();
}

#[tokio::test]
async fn what_the_network_refuses_is_told_by_its_name() {
    let network = StaticNetwork::default()
        .name("denied", "10.96.0.2")
        .no_route("10.96.0.2:80", NetworkError::Denied)
        .no_route("10.96.0.3:8080", NetworkError::Refused);
    let pod = pod(network);
    let failure = async |uri: &str| match send(&pod, post(uri, "body"), RequestOptions::default()).await {
        Ok(_) => panic!("{uri} was reached"),
        Err(error) => error,
    };
    assert!(
        matches!(failure("http://nowhere/").await, Error::DnsError { rcode: Some(code), .. } if code == "NXDOMAIN")
    );
    assert!(matches!(failure("http://denied/").await, Error::DestinationIpProhibited));
    assert!(matches!(failure("http://10.96.0.3:8080/").await, Error::ConnectionRefused));
    // Nobody in this pod listens there, whatever listens on the host's own localhost.
    assert!(matches!(failure("http://localhost:1/").await, Error::ConnectionRefused));
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let (_listener, real) = listener().await;
    let options = RequestOptions { first_byte_timeout: Some(Duration::from_millis(20)), ..RequestOptions::default() };
    let result = send(&pod(StaticNetwork::default()), post(&format!("http://{real}/"), "body"), options).await;
    assert!(matches!(result, Err(Error::ConnectionReadTimeout)));
}

#[tokio::test]
async fn a_body_that_falls_silent_times_out() {
    let (listener, real) = listener().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        std::future::pending::<()>().await;
    };
    let options =
        RequestOptions { between_bytes_timeout: Some(Duration::from_millis(20)), ..RequestOptions::default() };
    let client = async {
        let request = post(&format!("http://{real}/"), "body");
        let (response, _connection) = send(&pod(StaticNetwork::default()), request, options).await.unwrap();
        response.into_body().collect().await
    };
    tokio::select! {
        result = client => assert!(matches!(result, Err(Error::ConnectionReadTimeout))),
        () = server => {}
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_no_https_server() {
    let (listener, real) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let request = post(&format!("https://{real}/"), "body");
    let result = send(&pod(StaticNetwork::default()), request, RequestOptions::default()).await;
    assert!(matches!(result, Err(Error::Tls(_))));
    server.await.unwrap();
}

/// Serves one connection with bytes that never end: `head`, then `more` again and again.
async fn flood(listener: TcpListener, head: String, more: String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut written = stream.write_all(head.as_bytes()).await;
    while written.is_ok() && !more.is_empty() {
        written = stream.write_all(more.as_bytes()).await;
    }
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn servers_that_flood_their_heads_are_hung_up_on() {
    let status = "HTTP/1.1 200 OK\r\n".to_owned();
    for (head, more) in [
        (status.clone(), "x: y\r\n".to_owned()),
        (format!("{status}x: "), "y".repeat(10_000)),
        (status.clone(), "y".repeat(10_000)),
        ("HTTP/1.1 200 ".to_owned(), "y".repeat(10_000)),
        (String::new(), "y".repeat(10_000)),
        (format!("{status}content-length: 1\r\ncontent-length: 2\r\n\r\nab"), String::new()),
        (format!("{status}content-length: 99999999999999999999999\r\n\r\n"), String::new()),
        (format!("{status}x: a\0b\r\n\r\n"), String::new()),
    ] {
        let (listener, real) = listener().await;
        let request = post(&format!("http://{real}/"), "body");
        let what = format!("{head:.40}{more:.40}");
        let pod = pod(StaticNetwork::default());
        let client = timeout(Duration::from_secs(60), send(&pod, request, RequestOptions::default()));
        tokio::select! {
            result = client => assert!(result.expect(&what).is_err(), "{what}"),
            () = flood(listener, head, more) => {}
        }
    }
}

/// Answers that only announce the answer (RFC 9110, 15.2), for ever.
#[tokio::test]
async fn a_server_that_only_promises_times_out() {
    let (listener, real) = listener().await;
    let options = RequestOptions { first_byte_timeout: Some(Duration::from_millis(50)), ..RequestOptions::default() };
    let pod = pod(StaticNetwork::default());
    let client = timeout(Duration::from_secs(60), send(&pod, post(&format!("http://{real}/"), "body"), options));
    tokio::select! {
        result = client => assert!(result.expect("an end").is_err()),
        () = flood(listener, String::new(), "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)) => {}
    }
}
