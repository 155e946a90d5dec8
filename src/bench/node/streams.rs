//! How fast `exec` and `port-forward` carry bytes, over the WebSocket and the TLS that any client uses. What is dialled
//! by a port-forward is a native program at the pod's address, so that no guest's speed is measured there.

use std::net::IpAddr;
use std::time::Instant;

use anyhow::Context;
use futures::{SinkExt as _, StreamExt as _};
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::guests;
use super::target::Target;

/// What a client sends in one message, and a native program in one go.
const PIECE_BYTES: usize = 64 * 1024;
/// Each figure is the best of so many runs: the first one also warms up.
const RUNS: usize = 3;
/// The channels of a command.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
/// The channel of the only port of a port-forward, in both directions.
const PORT: u8 = 0;

/// What is said here ends the channel that it names.
const CLOSES: u8 = 255;

/// Measures and prints.
pub async fn measure(target: &Target, mib: u32) -> anyhow::Result<()> {
    let bytes = u64::from(mib) << 20;
    let talker = target.push("talker", guests::talker()).await?;
    target.create("talker", json!({ "name": "main", "image": talker, "args": ["0"] })).await?;
    let listener = target.push("listener", guests::listener()).await?;
    target.create("listener", json!({ "name": "main", "image": listener, "stdin": true })).await?;
    target.wait("Running", 2).await?;
    let address = target.address("talker").await?;
    let (source, source_port) = serve(address, move |stream| talk(stream, bytes)).await?;
    let (sink, sink_port) = serve(address, move |stream| listen(stream, bytes)).await?;
    for (name, path, way) in [
        ("exec, what a command prints", format!("talker/exec?command=x&command={mib}&stdout=true"), Way::Out(STDOUT)),
        (
            "exec, what a command reads",
            "listener/exec?command=x&stdin=true&stdout=true".into(),
            Way::In { channel: STDIN, answer: STDOUT },
        ),
        ("port-forward, from a pod", format!("talker/portforward?ports={source_port}"), Way::Out(PORT)),
        (
            "port-forward, to a pod",
            format!("talker/portforward?ports={sink_port}"),
            Way::In { channel: PORT, answer: PORT },
        ),
    ] {
        run(target, name, &path, way, bytes).await?;
    }
    source.abort();
    sink.abort();
    target.clear().await
}

/// A native program at the pod's address: what `answer` does with each connection. Its port is the kernel's choice.
async fn serve<F: Future<Output = std::io::Result<()>> + Send + 'static>(
    address: IpAddr,
    answer: impl Fn(TcpStream) -> F + Send + 'static,
) -> anyhow::Result<(AbortHandle, u16)> {
    let listener = TcpListener::bind((address, 0)).await?;
    let port = listener.local_addr()?.port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that has gone early is seen where it counts.
            let _ = answer(stream).await;
        }
    });
    Ok((task.abort_handle(), port))
}

async fn talk(mut stream: TcpStream, bytes: u64) -> std::io::Result<()> {
    let piece = vec![0; PIECE_BYTES];
    for _ in 0..bytes / PIECE_BYTES as u64 {
        stream.write_all(&piece).await?;
    }
    Ok(())
}

/// Reads so much and then says a word.
async fn listen(mut stream: TcpStream, bytes: u64) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        match stream.read(&mut piece).await? {
            0 => return Ok(()),
            read => left = left.saturating_sub(read as u64),
        }
    }
    stream.write_all(b"read").await
}

/// Which way the bytes go, and on which channel.
#[derive(Clone, Copy)]
enum Way {
    Out(u8),
    /// `answer`: where the other side says that it has read all.
    In {
        channel: u8,
        answer: u8,
    },
}

async fn run(target: &Target, name: &str, path: &str, way: Way, bytes: u64) -> anyhow::Result<()> {
    let (mut best, mut cpu) = (f64::MAX, 0.0);
    for _ in 0..RUNS {
        let before = target.up.cpu_time()?;
        let begun = Instant::now();
        match way {
            Way::Out(channel) => receive(target, path, channel, bytes).await?,
            Way::In { channel, answer } => send(target, path, (channel, answer), bytes).await?,
        }
        let seconds = begun.elapsed().as_secs_f64();
        if seconds < best {
            best = seconds;
            cpu = target.up.cpu_time()?.saturating_sub(before).as_secs_f64();
        }
    }
    let megabytes = bytes as f64 / 1e6;
    println!("{name}, {} MiB: {:.0} MB/s, {cpu:.2} s of CPU", bytes >> 20, megabytes / best);
    Ok(())
}

fn request(path: &str) -> anyhow::Result<Request<Vec<u8>>> {
    Ok(Request::get(format!("/api/v1/namespaces/default/pods/{path}")).body(Vec::new())?)
}

/// Reads until so much has come on the channel.
async fn receive(target: &Target, path: &str, channel: u8, bytes: u64) -> anyhow::Result<()> {
    let mut socket = target.client.connect(request(path)?).await?.into_stream();
    let mut left = bytes;
    while left > 0 {
        let message = socket.next().await.context("the stream ended early")??.into_data();
        if message.first() == Some(&channel) {
            left = left.saturating_sub(message.len() as u64 - 1);
        }
    }
    Ok(socket.close(None).await?)
}

/// Sends so much on the first channel and waits for a word on the second: that it has all been read.
async fn send(target: &Target, path: &str, (channel, answer): (u8, u8), bytes: u64) -> anyhow::Result<()> {
    let (mut sink, mut stream) = target.client.connect(request(path)?).await?.into_stream().split();
    let mut piece = vec![0; PIECE_BYTES + 1];
    piece[0] = channel;
    let sending = async {
        for _ in 0..bytes / PIECE_BYTES as u64 {
            sink.feed(piece.clone().into()).await?;
        }
        // That was all: version 5 of the protocol has a channel to say so on, and older ones don't mind.
        sink.send(vec![CLOSES, channel].into()).await?;
        Ok(())
    };
    let answered = async {
        loop {
            let message = stream.next().await.context("the stream ended early")??.into_data();
            // Each port's channel begins with its number, in two bytes; an exec's with nothing.
            if message.first() == Some(&answer) && message.len() > 3 {
                return Ok(());
            }
        }
    };
    tokio::try_join!(sending, answered).map(drop)
}
