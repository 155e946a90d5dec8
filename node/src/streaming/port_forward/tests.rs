//! Against a client that is a queue of events and a record of what it is told.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use tokio::{io::AsyncReadExt as _, net::TcpListener, sync::Mutex, time::timeout};

use super::*;
use crate::streaming::wire::{Sink, Source};

/// For what comes by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a stream waits for its partner: the whole test, and a moment.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Data(u32, String),
    End(u32),
    Reset(u32),
}

struct Record(mpsc::UnboundedSender<Told>);

impl Record {
    fn note(&self, told: Told) -> io::Result<()> {
        self.0.send(told).map_err(io::Error::other)
    }
}

#[async_trait]
impl Sink for Record {
    async fn data(&mut self, stream: u32, bytes: &[u8]) -> io::Result<()> {
        self.note(Told::Data(stream, String::from_utf8_lossy(bytes).into_owned()))
    }

    async fn end(&mut self, stream: u32) -> io::Result<()> {
        self.note(Told::End(stream))
    }

    async fn reset(&mut self, stream: u32) -> io::Result<()> {
        self.note(Told::Reset(stream))
    }

    async fn ping(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Events(mpsc::UnboundedReceiver<Event>);

#[async_trait]
impl Source for Events {
    async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// The client of a connection that is served.
struct Client {
    does: mpsc::UnboundedSender<Event>,
    told: mpsc::UnboundedReceiver<Told>,
}

fn destination() -> Destination {
    Destination { address: Ipv4Addr::LOCALHOST.into(), name: "pod".into(), uid: "uid".into() }
}

/// One whose streams wait for so long.
fn client(pair_timeout: Duration) -> Client {
    let ((does, events), (record, told)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let connection = Connection { source: Box::new(Events(events)), sink: Arc::new(Mutex::new(Record(record))) };
    let closing = CancellationToken::new();
    let link = Link { connection, opens: true, protocol: "portforward.k8s.io", closing };
    let forwarder = Forwarder::new(Arc::clone(&link.connection.sink), destination(), Pairs::new(pair_timeout));
    tokio::spawn(run(link, forwarder, Vec::new()));
    Client { does, told }
}

impl Client {
    fn opens(&self, stream: u32, kind: &str, port: u16, request: &str) {
        let port = port.to_string();
        let headers = [("streamtype", kind), ("port", port.as_str()), ("requestid", request)];
        let headers = Headers(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        self.does.send(Event::Open { stream, headers }).unwrap();
    }

    fn resets(&self, stream: u32) {
        self.does.send(Event::Reset { stream }).unwrap();
    }

    async fn is_told(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.expect("something is told").unwrap()
    }
}

#[tokio::test]
async fn a_stream_whose_partner_does_not_come_is_given_up_in_time() {
    let mut client = client(SHORT);
    client.opens(1, "error", 80, "0");
    client.opens(3, "data", 80, "1");
    let text = "(request=0) timed out waiting for streams".to_owned();
    assert_eq!(client.is_told().await, Told::Data(1, text));
    for told in [Told::End(1), Told::Reset(1), Told::End(3), Told::Reset(3)] {
        assert_eq!(client.is_told().await, told);
    }
    // The partner that comes now waits in its turn.
    client.opens(5, "data", 80, "0");
    assert_eq!(client.is_told().await, Told::End(5));
}

#[tokio::test]
async fn long_names_and_streams_that_say_nothing_are_refused_at_once() {
    let mut client = client(LONG);
    client.opens(1, "error", 80, &"x".repeat(60_000));
    assert_eq!(client.is_told().await, Told::Reset(1));
    client.does.send(Event::Open { stream: 3, headers: Headers::default() }).unwrap();
    assert_eq!(client.is_told().await, Told::Reset(3));
}

#[tokio::test]
async fn a_stream_that_is_reset_waits_no_longer() {
    let mut client = client(SHORT);
    client.opens(1, "error", 80, "0");
    client.resets(1);
    client.opens(3, "data", 80, "0");
    assert_eq!(client.is_told().await, Told::End(3));
}

#[tokio::test]
async fn a_stream_that_ends_before_its_partner_comes_waits_for_it() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let number = port.local_addr().unwrap().port();
    let client = client(LONG);
    client.opens(1, "error", number, "0");
    client.does.send(Event::End { stream: 1 }).unwrap();
    client.opens(3, "data", number, "0");
    client.does.send(Event::Data { stream: 3, bytes: Bytes::from_static(b"hello") }).unwrap();
    client.does.send(Event::End { stream: 3 }).unwrap();
    let (mut stream, _) = timeout(PATIENCE, port.accept()).await.unwrap().unwrap();
    let mut said = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, "hello");
}

#[tokio::test]
async fn a_connection_that_the_client_resets_ends_whatever_the_pod_does() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (record, _told) = mpsc::unbounded_channel();
    let mut forwarder = Forwarder::new(Arc::new(Mutex::new(Record(record))), destination(), Pairs::new(LONG));
    forwarder.forward(port.local_addr().unwrap().port(), 3, 1);
    let (_pod, _) = timeout(PATIENCE, port.accept()).await.unwrap().unwrap();
    // It may go on to receive once it sends no more ...
    forwarder.take(Event::End { stream: 3 }).await;
    assert_eq!(forwarder.open.len(), 1);
    // ... until it wants nothing at all.
    forwarder.take(Event::Reset { stream: 3 }).await;
    assert!(forwarder.open.is_empty());
    assert_eq!(timeout(PATIENCE, forwarder.tasks.join_next()).await.expect("it ends").unwrap().unwrap(), 3);
}
