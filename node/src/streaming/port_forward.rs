//! `portForward`: connections from a client to ports of a pod, many of them in one.

mod pairs;

use std::{
    borrow::Cow,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use pairs::{Half, NoPair, PAIR_TIMEOUT, Pair, Pairs};

use super::{
    options,
    upgrade::{Link, Offer},
    wire::{Connection, Event, Headers, SharedSink},
};

/// What it speaks. `v4` is an older form over WebSocket, with two channels for each port.
pub const OFFER: Offer = Offer {
    spdy: &["portforward.k8s.io"],
    websocket: &["SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"],
};

/// How long connecting to the pod may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pieces that may wait for a pod that reads slowly; then the client waits, with all of its connections.
const QUEUE: usize = 16;
/// How much is read from the pod at a time.
const READ_BYTES: usize = 64 * 1024;
/// How often a client is asked for a sign of life.
const PING_PERIOD: Duration = Duration::from_secs(30);

/// The pod that is forwarded to.
#[derive(Clone)]
pub struct Destination {
    /// Its address.
    pub address: IpAddr,
    /// Its name and UID, for errors.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

/// Forwards until the client is gone. `ports` are those of the query, which only the older form has.
pub async fn serve(link: Link, destination: Destination, ports: Vec<u16>) {
    let pairs = Pairs::new(PAIR_TIMEOUT);
    let forwarder = Forwarder::new(Arc::clone(&link.connection.sink), destination, pairs);
    run(link, forwarder, ports).await;
}

async fn run(link: Link, mut forwarder: Forwarder, ports: Vec<u16>) {
    let Link { connection, opens, closing, .. } = link;
    let Connection { mut source, sink } = connection;
    let session = async {
        if !opens {
            forwarder.open_channels(&ports).await?;
        }
        loop {
            tokio::select! {
                event = source.next() => forwarder.take(event?).await,
                Some(over) = forwarder.tasks.join_next() => {
                    if let Ok(data) = over {
                        forwarder.open.remove(&data);
                    }
                    // Over channels nothing new can come after the last connection.
                    if !opens && forwarder.tasks.is_empty() {
                        return Some(());
                    }
                }
                () = reached(forwarder.pairs.until()) => forwarder.give_up().await,
                () = tokio::time::sleep(PING_PERIOD) => sink.lock().await.ping().await.ok()?,
            }
        }
    };
    let _ = closing.run_until_cancelled(session).await;
    forwarder.tasks.shutdown().await;
    drop(forwarder);
    Link::close(Connection { source, sink }, &closing).await;
}

/// Completes at that time, if there is one.
async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

struct Forwarder {
    sink: SharedSink,
    destination: Destination,
    /// Streams whose partner has not come.
    pairs: Pairs,
    /// The connections, by data stream.
    open: HashMap<u32, Flow>,
    /// The connections' work; each tells its data stream in the end.
    tasks: JoinSet<u32>,
}

/// A connection, from the client's side.
struct Flow {
    /// Where the client's data goes; None once it sends no more.
    sender: Option<mpsc::Sender<Bytes>>,
    /// Cancelled when the client wants nothing of the connection any more.
    gone: CancellationToken,
}

impl Forwarder {
    fn new(sink: SharedSink, destination: Destination, pairs: Pairs) -> Forwarder {
        Forwarder { sink, destination, pairs, open: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Two channels for each port, the first message on each naming it.
    async fn open_channels(&mut self, ports: &[u16]) -> Option<()> {
        for (index, port) in (0_u32..).zip(ports) {
            let (data, error) = (index * 2, index * 2 + 1);
            let mut sink = self.sink.lock().await;
            for channel in [data, error] {
                sink.data(channel, &port.to_le_bytes()).await.ok()?;
            }
            drop(sink);
            self.forward(*port, data, error);
        }
        Some(())
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Open { stream, headers } => self.opened(stream, &headers).await,
            Event::Data { stream, bytes } => {
                if let Some(flow) = self.open.get_mut(&stream)
                    && let Some(sender) = &flow.sender
                    && sender.send(bytes).await.is_err()
                {
                    flow.sender = None;
                }
            }
            // A stream waits for its partner all the same: kubectl ends that for errors before it opens the other.
            Event::End { stream } => {
                if let Some(flow) = self.open.get_mut(&stream) {
                    flow.sender = None;
                }
            }
            Event::Reset { stream } => {
                self.pairs.forget(stream);
                if let Some(flow) = self.open.remove(&stream) {
                    flow.gone.cancel();
                }
            }
        }
    }

    async fn opened(&mut self, stream: u32, headers: &Headers) {
        let port = headers.get("port").and_then(|text| options::port(text).ok());
        let is_error = match headers.get("streamtype") {
            Some("error") => Some(true),
            Some("data") => Some(false),
            _ => None,
        };
        let (Some(port), Some(is_error)) = (port, is_error) else {
            let _ = self.sink.lock().await.reset(stream).await;
            return;
        };
        // Old clients give no request: their two streams follow each other, the error stream first.
        let pair = if is_error { stream } else { stream.saturating_sub(2) };
        let request = headers.get("requestid").map_or_else(|| pair.to_string().into(), Cow::Borrowed);
        match self.pairs.opened(&request, stream, is_error, Instant::now()) {
            Ok(Some(Pair { data, error })) => self.forward(port, data, error),
            Ok(None) => {}
            Err(why) => self.refuse(stream, &why).await,
        }
    }

    /// A stream that may not wait; who waits in its place is told of it.
    async fn refuse(&self, stream: u32, why: &NoPair) {
        tracing::debug!(%why, "a stream of a forwarded connection is refused");
        let mut sink = self.sink.lock().await;
        if let NoPair::Taken(Half { stream, is_error: true, .. }) = why {
            let _ = sink.data(*stream, why.to_string().as_bytes()).await;
        }
        let _ = sink.reset(stream).await;
    }

    /// Streams whose partner has not come in time are told so, and closed.
    async fn give_up(&mut self) {
        while let Some(Half { stream, is_error, request }) = self.pairs.expired(Instant::now()) {
            let mut sink = self.sink.lock().await;
            if is_error {
                let text = format!("(request={request}) timed out waiting for streams");
                let _ = sink.data(stream, text.as_bytes()).await;
            }
            // A client reads to the end; one that has not ended its side itself is not waited for.
            let _ = sink.end(stream).await;
            let _ = sink.reset(stream).await;
        }
    }

    /// Begins a connection.
    fn forward(&mut self, port: u16, data: u32, error: u32) {
        let (sender, inbound) = mpsc::channel(QUEUE);
        let gone = CancellationToken::new();
        self.open.insert(data, Flow { sender: Some(sender), gone: gone.clone() });
        let (sink, destination) = (Arc::clone(&self.sink), self.destination.clone());
        self.tasks.spawn(async move {
            let forwarding = forward(&sink, SocketAddr::new(destination.address, port), data, inbound);
            if let Some(Err(why)) = gone.run_until_cancelled(forwarding).await {
                let text =
                    format!("error forwarding port {port} to pod {}, uid {}: {why}", destination.name, destination.uid);
                let _ = sink.lock().await.data(error, text.as_bytes()).await;
            }
            let mut sink = sink.lock().await;
            let _ = sink.end(data).await;
            let _ = sink.end(error).await;
            data
        });
    }
}

/// One connection, from its beginning to the pod's end of it.
async fn forward(sink: &SharedSink, to: SocketAddr, data: u32, inbound: mpsc::Receiver<Bytes>) -> Result<(), String> {
    let dial = |why: &str| format!("dial tcp4 {to}: {why}");
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await;
    let stream = connected.map_err(|_| dial("i/o timeout"))?.map_err(|error| dial(&connect_text(&error)))?;
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let up = async {
        let _ = send(inbound, writer).await;
        // The client has no more to say, and listens on.
        std::future::pending().await
    };
    tokio::select! {
        done = receive(sink, data, reader) => done.map_err(|error| error.to_string()),
        () = up => Ok(()),
    }
}

async fn send(mut inbound: mpsc::Receiver<Bytes>, mut writer: OwnedWriteHalf) -> io::Result<()> {
    while let Some(bytes) = inbound.recv().await {
        writer.write_all(&bytes).await?;
    }
    writer.shutdown().await
}

async fn receive(sink: &SharedSink, data: u32, reader: OwnedReadHalf) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        // Idle connections hold no buffer.
        reader.readable().await?;
        buffer.clear();
        buffer.reserve(READ_BYTES);
        match reader.try_read_buf(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                if sink.lock().await.data(data, &buffer).await.is_err() {
                    // The client closed the stream; that is no error of the pod's.
                    return Ok(());
                }
                if buffer.len() < READ_BYTES / 8 {
                    buffer = BytesMut::new();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// In Go's words, which people search for.
fn connect_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::TimedOut => "connect: connection timed out".to_owned(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        _ => format!("connect: {error}"),
    }
}

#[cfg(test)]
mod tests;
