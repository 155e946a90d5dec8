//! `wasi:http` requests per second, beside `wasmtime serve` with the same component and a bare hyper server.
//!
//! Each server is a process of its own; this process is the client, the same for all. On a machine of few cores the
//! client takes a good part of them, so the ratios say more than the figures.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::statistics::Sample;

/// A server must answer in this time after its start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// Flags of `coracle bench http`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component that exports wasi:http/incoming-handler.
    #[arg(long, value_name = "FILE", default_value = "samples/hello/hello.wasm")]
    wasm: PathBuf,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// How long each server is loaded.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,
    /// The `wasmtime` program to compare with; left out when it can't be started.
    #[arg(long, value_name = "PROGRAM", default_value = "wasmtime")]
    wasmtime: PathBuf,
}

/// Serves one constant answer: what HTTP costs without any Wasm.
pub async fn serve_plain(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let router = Router::new().fallback(get(|| async { "Hello from a pod without a name, you asked for /\n" }));
    axum::serve(listener, router).await.context("the plain server ended")
}

/// Measures all servers in turn and prints the ratios.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let ours = std::env::current_exe().context("cannot find this program")?;
    let wasm = args.wasm.to_string_lossy().into_owned();
    let coracle = measure(&args, "coracle run", |address| {
        let mut command = Command::new(&ours);
        command.args(["run", "--address", &address.ip().to_string(), "--port", &address.port().to_string(), &wasm]);
        command
    });
    let coracle = coracle.await?;
    let plain = measure(&args, "hyper, no Wasm", |address| {
        let mut command = Command::new(&ours);
        command.args(["bench", "http-plain", &address.to_string()]);
        command
    });
    let plain = plain.await?;
    println!("coracle / hyper: {:.2}", coracle / plain);
    if Command::new(&args.wasmtime).arg("--version").stdout(Stdio::null()).status().await.is_err() {
        println!("`{}` can't be started, so there is no comparison with it", args.wasmtime.display());
        return Ok(());
    }
    let wasmtime = measure(&args, "wasmtime serve", |address| {
        let mut command = Command::new(&args.wasmtime);
        command.args(["serve", "-Scli", "--addr", &address.to_string(), &wasm]);
        command
    });
    println!("coracle / wasmtime serve: {:.2}", coracle / wasmtime.await?);
    Ok(())
}

/// Requests per second of one server.
async fn measure(args: &Args, name: &str, command: impl Fn(SocketAddr) -> Command) -> anyhow::Result<f64> {
    let address = free_address().await?;
    let mut child = start(command(address), address).await.with_context(|| name.to_string())?;
    load(address, args.connections, WARM_UP).await?;
    let duration = Duration::from_secs(u64::from(args.seconds));
    let (requests, mut sample) = load(address, args.connections, duration).await?;
    child.kill().await.context("cannot stop the server")?;
    let rate = requests as f64 / duration.as_secs_f64();
    println!("{name}: {rate:.0} requests/s, {}", sample.summary());
    Ok(rate)
}

async fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port")?;
    Ok(listener.local_addr()?)
}

async fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot be started")?;
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("ended at once: {status}");
        }
        if begun.elapsed() > START_TIMEOUT {
            bail!("does not listen on {address} after {} s", START_TIMEOUT.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(child)
}

/// Loads the server on so many connections, and returns the requests answered and how long each took.
async fn load(address: SocketAddr, connections: u32, duration: Duration) -> anyhow::Result<(u64, Sample)> {
    let end = Instant::now() + duration;
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(client(address, end));
    }
    let mut all = Sample::default();
    let mut requests = 0;
    while let Some(done) = clients.join_next().await {
        let durations = done.context("a client panicked")??;
        requests += durations.len() as u64;
        durations.into_iter().for_each(|duration| all.push(duration));
    }
    Ok((requests, all))
}

async fn client(address: SocketAddr, end: Instant) -> anyhow::Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut durations = Vec::new();
    while Instant::now() < end {
        let request = hyper::Request::get("/").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
        let begun = Instant::now();
        let response = sender.send_request(request).await?;
        anyhow::ensure!(response.status().is_success(), "answered {}", response.status());
        response.into_body().collect().await?;
        durations.push(begun.elapsed());
    }
    Ok(durations)
}
