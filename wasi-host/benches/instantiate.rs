//! What the sandbox costs: from `start` to exit of a program that does nothing, requests per second of a small
//! HTTP component, by WASI 0.2 and 0.3, and what the compile cache saves.
//!
//! `SANDBOX_BENCH_HTTP=FILE.wasm` measures another HTTP component besides.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use coracle_wasi_host::{
    Container, ContainerConfig, Engine, EngineConfig, InstanceReuse, Network, NetworkError, Output, PodConfig,
    PodContext, PodLimits, Program, Stream,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

const HTTP: &str = include_str!("../tests/guests/http.wat");
const HTTP_P3: &str = include_str!("../tests/guests/http-p3.wat");
/// The same greeting from Rust.
const HELLO: &[u8] = include_bytes!("../../samples/hello/hello.wasm");
const HELLO_P3: &[u8] = include_bytes!("../../samples/hello-p3/hello-p3.wasm");
const CORE: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
const COMMAND: &str = r#"(component
    (core module $m (memory 1) (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run)))"#;

const COMMAND_P3: &str = r#"(component
    (core module $m (memory 1) (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (type $run-type (func async (result (result))))
    (func $run (type $run-type) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.3.0" (instance $run)))"#;

/// Connections that send requests at the same time.
const CONNECTIONS: u64 = 32;

struct Nowhere;

#[async_trait]
impl Network for Nowhere {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        Err(NetworkError::NotFound)
    }

    fn route(&self, _from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        Ok(to)
    }
}

struct Silent;

impl Output for Silent {
    fn write(&self, _stream: Stream, _bytes: &[u8]) {}
}

fn pod(engine: &Engine) -> PodContext {
    let config = PodConfig {
        name: "bench".into(),
        hostname: "bench".into(),
        address: IpAddr::V4(Ipv4Addr::new(127, 250, 0, 1)),
        network: Arc::new(Nowhere),
        limits: PodLimits::default(),
    };
    PodContext::new(engine, config)
}

fn container(program: Program) -> ContainerConfig {
    ContainerConfig {
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
        output: Arc::new(Silent),
        memory_limit_bytes: None,
        cpu_limit_millis: None,
        cpu_shares: coracle_wasi_host::limits::CPU_SHARES_MIN,
        http_port: 0,
        reuse: InstanceReuse::default(),
    }
}

/// Sends `count` requests on one connection, one after the other.
async fn requests(address: SocketAddr, count: u64) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 16 * 1024];
    for _ in 0..count {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n").await.unwrap();
        let mut filled = 0;
        while !is_whole(&buffer[..filled]) {
            let read = stream.read(&mut buffer[filled..]).await.unwrap();
            assert!(read > 0, "the connection was closed");
            filled += read;
        }
    }
}

/// Whether this is all of a response, chunked or of a length that is told.
fn is_whole(response: &[u8]) -> bool {
    let text = std::str::from_utf8(response).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    match length {
        Some(length) => body.len() == length.parse::<usize>().unwrap(),
        None => body.ends_with("0\r\n\r\n"),
    }
}

async fn all_connections(address: SocketAddr, count: u64) -> Duration {
    let each = count.div_ceil(CONNECTIONS);
    let started = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(requests(address, each))).collect();
    for client in clients {
        client.await.unwrap();
    }
    started.elapsed()
}

/// The HTTP components to measure, by name.
fn servers() -> Vec<(&'static str, Vec<u8>)> {
    let mut servers = vec![
        ("0.2", HTTP.as_bytes().to_vec()),
        ("0.2 from Rust", HELLO.to_vec()),
        ("0.3", HTTP_P3.as_bytes().to_vec()),
        ("0.3 from Rust", HELLO_P3.to_vec()),
    ];
    if let Some(path) = std::env::var_os("SANDBOX_BENCH_HTTP") {
        servers.push(("of yours", std::fs::read(path).unwrap()));
    }
    servers
}

fn serving(criterion: &mut Criterion, runtime: &Runtime, pod: &PodContext, name: &str, program: Program) {
    let server: Container = runtime.block_on(pod.start(container(program))).unwrap();
    let address = server.address().unwrap();
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("requests/{name}"), |bencher| {
        bencher.to_async(runtime).iter_custom(|count| all_connections(address, count));
    });
    group.finish();
    runtime.block_on(server.stop(Duration::from_secs(5)));
}

fn benches(criterion: &mut Criterion) {
    let engine = Engine::new(EngineConfig { max_instances: 1000, ..EngineConfig::default() }).unwrap();
    let runtime = Runtime::new().unwrap();
    let pod = pod(&engine);

    for (name, text) in [("core", CORE), ("component", COMMAND), ("component of 0.3", COMMAND_P3)] {
        let config = container(engine.compile(text.as_bytes()).unwrap());
        criterion.bench_function(&format!("start to exit/{name}"), |bencher| {
            bencher.to_async(&runtime).iter(|| async { pod.start(config.clone()).await.unwrap().wait().await });
        });
    }
    for (name, wasm) in servers() {
        serving(criterion, &runtime, &pod, name, engine.compile(&wasm).unwrap());
    }

    let program = engine.compile(HTTP.as_bytes()).unwrap();
    let compiled = engine.serialize(&program).unwrap();
    criterion.bench_function("load compiled", |bencher| bencher.iter(|| engine.deserialize(&compiled).unwrap()));
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("http", |bencher| bencher.iter(|| engine.compile(HTTP.as_bytes()).unwrap()));
}

criterion_group!(sandbox, benches);
criterion_main!(sandbox);
