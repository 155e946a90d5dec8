//! What the sandbox costs: from `start` to exit of a program that does nothing, requests per second of a small
//! HTTP component, and what the compile cache saves.
//!
//! `SANDBOX_BENCH_HTTP=FILE.wasm` measures another HTTP component, for example one built from Rust.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use coracle_wasi_host::{
    Container, ContainerConfig, Engine, EngineConfig, Network, NetworkError, Output, PodConfig, PodContext, Program,
    Stream,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

const HTTP: &str = include_str!("../tests/guests/http.wat");
const CORE: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
const COMMAND: &str = r#"(component
    (core module $m (memory 1) (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run)))"#;

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
        memory_limit_bytes: None,
    };
    PodContext::new(engine, config)
}

fn container(program: Program) -> ContainerConfig {
    ContainerConfig {
        name: "main".into(),
        program,
        args: vec!["main".into()],
        env: Vec::new(),
        working_dir: None,
        preopens: Vec::new(),
        stdin: None,
        terminal: false,
        output: Arc::new(Silent),
        memory_limit_bytes: None,
        cpu_limit_millis: None,
        http_port: 0,
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
        // The responses measured here are chunked and end so.
        while !buffer[..filled].ends_with(b"0\r\n\r\n") {
            let read = stream.read(&mut buffer[filled..]).await.unwrap();
            assert!(read > 0, "the connection was closed");
            filled += read;
        }
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

fn http_guest() -> Vec<u8> {
    match std::env::var_os("SANDBOX_BENCH_HTTP") {
        Some(path) => std::fs::read(path).unwrap(),
        None => HTTP.as_bytes().to_vec(),
    }
}

fn benches(criterion: &mut Criterion) {
    let engine = Engine::new(EngineConfig { max_instances: 1000, ..EngineConfig::default() }).unwrap();
    let runtime = Runtime::new().unwrap();
    let pod = pod(&engine);

    for (name, text) in [("core", CORE), ("component", COMMAND)] {
        let config = container(engine.compile(text.as_bytes()).unwrap());
        criterion.bench_function(&format!("start to exit/{name}"), |bencher| {
            bencher.to_async(&runtime).iter(|| async { pod.start(config.clone()).await.unwrap().wait().await });
        });
    }

    let program = engine.compile(&http_guest()).unwrap();
    let server: Container = runtime.block_on(pod.start(container(program.clone()))).unwrap();
    let address = server.address().unwrap();
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Elements(1));
    group.bench_function("requests", |bencher| {
        bencher.to_async(&runtime).iter_custom(|count| all_connections(address, count));
    });
    group.finish();
    runtime.block_on(server.stop(Duration::from_secs(5)));

    let compiled = engine.serialize(&program).unwrap();
    criterion.bench_function("load compiled", |bencher| bencher.iter(|| engine.deserialize(&compiled).unwrap()));
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("http", |bencher| bencher.iter(|| engine.compile(&http_guest()).unwrap()));
}

criterion_group!(sandbox, benches);
criterion_main!(sandbox);
