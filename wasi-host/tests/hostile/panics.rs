//! Faults of the host in code that serves one sandbox: that one ends, and nothing else.

use std::{net::IpAddr, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use coracle_wasi_host::{
    Exec, Exit, ExitReason, Network, NetworkError, PodConfig, PodContext, PodLimits, StdinPipe, Stream,
};

use crate::{
    end, kill,
    support::{Broken, address, container, engine, get, http_program, module, pod, program},
};

const TCP: &str = include_str!("../guests/tcp.wat");

#[tokio::test]
async fn siblings_in_the_pod_go_on() {
    let pod = pod();
    let server = pod.start(container(http_program()).0).await.unwrap();
    let reader = module("", "(drop (call $fd_read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 40)))");
    let (mut config, _) = container(reader);
    config.stdin = Some(StdinPipe::new());
    let waiting = pod.start(config).await.unwrap();
    for _ in 0..20 {
        let (mut config, _) = container(module("", "(call $write (i32.const 1) (i32.const 0) (i32.const 1))"));
        config.output = Arc::new(Broken);
        let exit = end(&pod.start(config).await.unwrap()).await;
        assert_eq!((exit.code, exit.reason), (Exit::CODE_HOST_PANIC, ExitReason::HostPanic));
        assert!(exit.message.unwrap().contains("host code failed"));
    }
    assert_eq!(get(server.address().unwrap(), "/").await.unwrap().0, 200);
    assert!(*waiting.ready().borrow());
    assert_eq!(waiting.stop(crate::DEADLINE).await.code, 0);
    kill(&server).await;
}

#[tokio::test]
async fn a_fault_in_a_command_beside_it_leaves_the_container() {
    let program = module(
        "",
        "(drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
         (if (i32.gt_u (i32.load (i32.const 16)) (i32.const 1)) (then (loop (br 0))))
         (call $write (i32.const 1) (i32.const 0) (i32.const 1))",
    );
    let (mut config, log) = container(program);
    config.args.push("loop".into());
    let container = pod().start(config).await.unwrap();
    let exec = Exec { args: vec!["x".into()], stdin: None, terminal: false, output: Arc::new(Broken) };
    assert_eq!(end(&container.exec(exec).unwrap()).await.reason, ExitReason::HostPanic);
    let exec = Exec { args: vec!["x".into()], stdin: None, terminal: false, output: log.clone() };
    assert_eq!(end(&container.exec(exec).unwrap()).await.code, 0);
    assert_eq!(log.bytes(Stream::Stdout).len(), 1);
    assert_eq!(kill(&container).await.reason, ExitReason::Killed);
}

/// A network that fails at everything.
struct BrokenNetwork;

#[async_trait]
impl Network for BrokenNetwork {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        panic!("the resolver is on fire");
    }

    fn route(&self, _from: IpAddr, _to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        panic!("the router is on fire");
    }
}

#[tokio::test]
async fn a_fault_of_the_network_ends_who_asked_it() {
    let config = PodConfig {
        name: "test".into(),
        hostname: "test-0".into(),
        address: address(),
        network: Arc::new(BrokenNetwork),
        limits: PodLimits::default(),
    };
    let pod = PodContext::new(engine(), config);
    let server = pod.start(container(http_program()).0).await.unwrap();
    let dial = "(call $ping (i32.const 10) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 80))";
    let guest = |data: &str, run: &str| program(&TCP.replace("{{DATA}}", data).replace("{{RUN}}", run));
    let exit = end(&pod.start(container(guest("", dial)).0).await.unwrap()).await;
    assert_eq!((exit.code, exit.reason), (139, ExitReason::HostPanic));
    // A lookup is a task of its own: the guest is told that it failed.
    let ask = "(call $ping_name (i32.const 512) (i32.const 2) (i32.const 80))";
    let exit = end(&pod.start(container(guest(r#"(data (i32.const 512) "db")"#, ask)).0).await.unwrap()).await;
    assert_eq!(exit.reason, ExitReason::Error, "{exit:?}");
    assert_eq!(get(server.address().unwrap(), "/").await.unwrap().0, 200);
    kill(&server).await;
}
