//! What the tests share: one engine, pods at addresses of their own, a log to look at, an HTTP client.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use coracle_wasi_host::{
    ContainerConfig, Engine, EngineConfig, InstanceReuse, Network, NetworkError, Output, PodConfig, PodContext,
    PodLimits, Program, Stream,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long a condition may take that holds within milliseconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const HTTP: &str = include_str!("../guests/http.wat");
pub const COMMAND: &str = include_str!("../guests/command.wat");

/// One engine for all tests: each reserves address space, and they run in one process.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        Engine::new(EngineConfig { max_instances: 1_000, cache_key: [7; 32], ..EngineConfig::default() }).unwrap()
    })
}

pub fn program(text: &str) -> Program {
    engine().compile(text.as_bytes()).unwrap()
}

/// The HTTP guest, compiled once.
pub fn http_program() -> Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| program(HTTP)).clone()
}

/// A preview 1 module around `body`: `_start`'s instructions, with `extra` beside it.
pub fn module(extra: &str, body: &str) -> Program {
    program(&format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_create_directory"
                (func $path_create_directory (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            {extra}
            ;; Writes the $len bytes at $at to the descriptor $fd.
            (func $write (param $fd i32) (param $at i32) (param $len i32)
                (i32.store (i32.const 0) (local.get $at))
                (i32.store (i32.const 4) (local.get $len))
                (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func (export "_start") {body}))"#
    ))
}

/// A log in memory.
#[derive(Default)]
pub struct Log(Mutex<HashMap<Stream, Vec<u8>>>);

impl Output for Log {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        assert!(bytes.len() <= coracle_wasi_host::limits::OUTPUT_CHUNK_LIMIT_BYTES);
        self.0.lock().unwrap().entry(stream).or_default().extend_from_slice(bytes);
    }
}

impl Log {
    pub fn text(&self, stream: Stream) -> String {
        String::from_utf8(self.bytes(stream)).unwrap()
    }

    pub fn bytes(&self, stream: Stream) -> Vec<u8> {
        self.0.lock().unwrap().get(&stream).cloned().unwrap_or_default()
    }
}

/// A network of a few names and routes; all other addresses are what they are, unless denied.
#[derive(Default)]
pub struct TestNetwork {
    pub names: HashMap<String, IpAddr>,
    pub routes: HashMap<SocketAddr, Result<SocketAddr, NetworkError>>,
}

#[async_trait]
impl Network for TestNetwork {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        self.names.get(name).map(|address| vec![*address]).ok_or(NetworkError::NotFound)
    }

    fn route(&self, _from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        self.routes.get(&to).copied().unwrap_or(Ok(to))
    }
}

/// An address that no other test of this process has.
pub fn address() -> IpAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    // The process's number keeps runs of this binary that overlap apart.
    let run = (std::process::id() % 200) as u8 + 20;
    IpAddr::V4(Ipv4Addr::new(127, run, high, low))
}

pub fn pod_with(network: TestNetwork, memory_limit_bytes: Option<u64>) -> (PodContext, IpAddr) {
    pod_of(engine(), network, memory_limit_bytes)
}

/// A pod of another engine.
pub fn pod_of(engine: &Engine, network: TestNetwork, memory_limit_bytes: Option<u64>) -> (PodContext, IpAddr) {
    let address = address();
    let config = PodConfig {
        name: "test".into(),
        hostname: "test-0".into(),
        address,
        network: Arc::new(network),
        limits: PodLimits { memory_bytes: memory_limit_bytes, cpu_millis: None },
    };
    (PodContext::new(engine, config), address)
}

pub fn pod() -> PodContext {
    pod_with(TestNetwork::default(), None).0
}

/// A container of `program` with nothing but a name, and the log it writes to.
pub fn container(program: Program) -> (ContainerConfig, Arc<Log>) {
    let log = Arc::new(Log::default());
    let config = ContainerConfig {
        name: "main".into(),
        program,
        args: vec!["main".into()],
        env: Vec::new(),
        config: Vec::new(),
        working_dir: None,
        preopens: Vec::new(),
        buckets: Vec::new(),
        stdin: None,
        terminal: false,
        output: log.clone(),
        memory_limit_bytes: None,
        cpu_limit_millis: None,
        cpu_shares: coracle_wasi_host::limits::CPU_SHARES_MIN,
        http_port: 0,
        reuse: InstanceReuse::default(),
    };
    (config, log)
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Sends a GET for `path` and gives status and body, or what went wrong with the connection.
pub async fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let text = exchange(address, request.as_bytes()).await?;
    let malformed = || std::io::Error::other(format!("not a response: {text:?}"));
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    let (_, body) = text.split_once("\r\n\r\n").ok_or_else(malformed)?;
    Ok((status, body.to_owned()))
}

/// Sends bytes and gives all that comes back.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// An output whose host side is broken.
pub struct Broken;

impl Output for Broken {
    fn write(&self, _stream: Stream, _bytes: &[u8]) {
        panic!("the disk is on fire");
    }
}
