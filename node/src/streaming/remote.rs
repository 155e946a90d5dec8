//! A client at a program's streams: what it types goes in, what the program prints comes out, and at the end the client
//! is told how it went.

use std::{sync::Arc, time::Duration};

use coracle_wasi_host::Stream;
use futures::future::BoxFuture;

use super::{
    input::Input,
    options::Streams,
    pipe::OutputPipe,
    status::Outcome,
    upgrade::{Link, Offer},
    wire::{Connection, Event, SharedSink, Source},
};

/// What `exec` and `attach` speak, the newest first.
pub const OFFER: Offer = Offer {
    spdy: &["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"],
    websocket: &[
        "v5.channel.k8s.io",
        "v4.channel.k8s.io",
        "v4.base64.channel.k8s.io",
        "v3.channel.k8s.io",
        "v2.channel.k8s.io",
        "channel.k8s.io",
        "base64.channel.k8s.io",
    ],
};

/// A client opens its streams within this time (kubelet's `DefaultStreamCreationTimeout`).
const CREATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a client is asked for a sign of life: one that vanished without a word is noticed by that.
const PING_PERIOD: Duration = Duration::from_secs(30);
/// kubectl reads from a WebSocket (version 5) before it has made its streams, and throws away what comes too early for
/// them. It is nearer to this server than to any other, so this server gives it the time that a network would.
const HEAD_START: Duration = Duration::from_millis(10);
/// A client that was too slow gets what was kept for it, and is told, if it takes them within this time.
const LAST_READ: Duration = Duration::from_secs(60);
/// What a client may send before all of its streams are there.
const EARLY_EVENTS: usize = 64;

/// Which streams have which numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Roles {
    stdin: Option<u32>,
    stdout: Option<u32>,
    stderr: Option<u32>,
    error: Option<u32>,
    resize: Option<u32>,
}

impl Roles {
    /// The channels of a WebSocket.
    fn channels(streams: Streams) -> Roles {
        Roles {
            stdin: streams.stdin.then_some(0),
            stdout: streams.stdout.then_some(1),
            stderr: streams.stderr.then_some(2),
            error: Some(3),
            resize: streams.tty.then_some(4),
        }
    }

    fn assign(&mut self, kind: &str, stream: u32) -> bool {
        let role = match kind {
            "stdin" => &mut self.stdin,
            "stdout" => &mut self.stdout,
            "stderr" => &mut self.stderr,
            "error" => &mut self.error,
            "resize" => &mut self.resize,
            _ => return false,
        };
        role.replace(stream).is_none()
    }

    fn is_complete(&self, streams: Streams, resizes: bool) -> bool {
        self.error.is_some()
            && (!streams.stdin || self.stdin.is_some())
            && (!streams.stdout || self.stdout.is_some())
            && (!streams.stderr || self.stderr.is_some())
            && (!streams.tty || !resizes || self.resize.is_some())
    }

    fn all(&self) -> impl Iterator<Item = u32> {
        [self.error, self.stdout, self.stderr, self.stdin, self.resize].into_iter().flatten()
    }
}

/// A program as the client sees it.
pub struct Job {
    /// Where stdin goes.
    pub input: Input,
    /// What it prints.
    pub output: Arc<OutputPipe>,
    /// Completes with the program, after `output` has been closed. Dropping it ends what was started for this client.
    pub end: BoxFuture<'static, Outcome>,
}

/// Connects the client with what `start` starts, until either is gone.
pub async fn serve(link: Link, streams: Streams, start: impl AsyncFnOnce() -> Result<Job, String>) {
    let Link { mut connection, opens, protocol, closing } = link;
    let session = async {
        let (roles, early) = roles(&mut connection, opens, protocol, streams).await?;
        greet(&connection.sink, &roles, opens, protocol).await;
        let outcome = match start().await {
            Ok(job) => run(&mut connection, &roles, early, job).await?,
            Err(why) => Outcome::Failed(why),
        };
        let told = match protocol {
            "v4.channel.k8s.io" | "v4.base64.channel.k8s.io" | "v5.channel.k8s.io" => outcome.to_status(),
            _ => outcome.message().into_bytes(),
        };
        finish(&connection.sink, &roles, &told).await;
        Some(())
    };
    let _ = closing.run_until_cancelled(session).await;
    Link::close(connection, &closing).await;
}

/// The numbers of the streams, once they are all there, and what came before they were.
async fn roles(
    connection: &mut Connection,
    opens: bool,
    protocol: &str,
    streams: Streams,
) -> Option<(Roles, Vec<Event>)> {
    if !opens {
        return Some((Roles::channels(streams), Vec::new()));
    }
    // Sizes of terminals came with version 3.
    let resizes = matches!(protocol, "v3.channel.k8s.io" | "v4.channel.k8s.io");
    let (mut roles, mut early) = (Roles::default(), Vec::new());
    let gather = async {
        while !roles.is_complete(streams, resizes) {
            match connection.source.next().await? {
                Event::Open { stream, headers } => {
                    let kind = headers.get("streamtype").unwrap_or_default();
                    if !roles.assign(kind, stream) {
                        tracing::debug!(kind, "a client opened a stream that it did not ask for");
                        return None;
                    }
                }
                event if early.len() < EARLY_EVENTS => early.push(event),
                _ => return None,
            }
        }
        Some(())
    };
    tokio::time::timeout(CREATION_TIMEOUT, gather).await.ok()??;
    Some((roles, early))
}

/// An empty piece on the first stream tells clients over WebSocket that the connection is there; those of version 5 know.
async fn greet(sink: &SharedSink, roles: &Roles, opens: bool, protocol: &str) {
    if opens {
        return;
    }
    if protocol == "v5.channel.k8s.io" {
        return tokio::time::sleep(HEAD_START).await;
    }
    if let Some(first) = roles.stdout.or(roles.stderr).or(roles.error) {
        let _ = sink.lock().await.data(first, b"").await;
    }
}

/// Runs to the program's end; None: the client is gone.
async fn run(connection: &mut Connection, roles: &Roles, early: Vec<Event>, job: Job) -> Option<Outcome> {
    let Job { mut input, output, end } = job;
    let sink = &connection.sink;
    let printed = async {
        while let Some((stream, bytes)) = output.next().await {
            let role = match stream {
                Stream::Stdout => roles.stdout,
                Stream::Stderr => roles.stderr,
            };
            if let Some(stream) = role {
                sink.lock().await.data(stream, &bytes).await.ok()?;
            }
        }
        Some(())
    };
    let done = async {
        let (printed, outcome) = tokio::join!(printed, end);
        printed.map(|()| outcome)
    };
    let outcome = tokio::select! {
        done = done => done,
        () = feed(&mut *connection.source, roles, early, &mut input) => None,
        () = keep_alive(sink) => None,
        () = last_read(&output) => None,
    };
    // Whoever still writes is not to wait for somebody who is gone.
    output.close();
    outcome
}

/// Takes what the client sends until it is gone.
async fn feed(source: &mut dyn Source, roles: &Roles, early: Vec<Event>, input: &mut Input) {
    let mut early = early.into_iter();
    loop {
        let event = match early.next() {
            Some(event) => event,
            None => match source.next().await {
                Some(event) => event,
                None => return,
            },
        };
        match event {
            Event::Data { stream, bytes } if Some(stream) == roles.stdin => input.write(bytes).await,
            Event::End { stream } | Event::Reset { stream } if Some(stream) == roles.stdin => input.end(),
            // Sizes of the terminal, which WASI has no notion of, and streams that are none of ours.
            _ => {}
        }
    }
}

/// Pings until that fails.
async fn keep_alive(sink: &SharedSink) {
    loop {
        tokio::time::sleep(PING_PERIOD).await;
        if sink.lock().await.ping().await.is_err() {
            return;
        }
    }
}

/// Completes when a client that was too slow has had its time.
async fn last_read(output: &OutputPipe) {
    output.closed().await;
    if !output.is_overrun() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(LAST_READ).await;
}

async fn finish(sink: &SharedSink, roles: &Roles, told: &[u8]) {
    let mut sink = sink.lock().await;
    if let Some(error) = roles.error.filter(|_| !told.is_empty()) {
        let _ = sink.data(error, told).await;
    }
    for stream in roles.all() {
        let _ = sink.end(stream).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_that_were_asked_for_must_come() {
        let streams = Streams { stdin: true, stdout: true, stderr: false, tty: true };
        let mut roles = Roles::default();
        for (kind, stream) in [("error", 1), ("stdin", 3), ("stdout", 5)] {
            assert!(!roles.is_complete(streams, true));
            assert!(roles.assign(kind, stream));
        }
        assert!(roles.is_complete(streams, false) && !roles.is_complete(streams, true));
        assert!(roles.assign("resize", 7));
        assert!(roles.is_complete(streams, true));
        assert!(!roles.assign("stdin", 9) && !roles.assign("nonsense", 9));
    }
}
