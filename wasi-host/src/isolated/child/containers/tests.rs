//! A fault of host code in a child: the same loop that a child has, with a network that fails.

use std::{
    io::Read,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::time::timeout;

use super::*;
use crate::{
    Engine, ExitReason, InstanceReuse, Network, NetworkError, PodConfig, PodLimits, isolated::pumps::output_pipe,
    test_support::engine,
};

const TCP: &str = include_str!("../../../../tests/guests/tcp.wat");
const LOOP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;
const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "hello")
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// A network whose code is at fault.
struct Broken;

#[async_trait::async_trait]
impl Network for Broken {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        panic!("the resolver is on fire");
    }

    fn route(&self, _from: IpAddr, _to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        panic!("the router is on fire");
    }
}

struct Child {
    containers: Containers,
    told: mpsc::Receiver<FromChild>,
}

impl Child {
    fn new() -> Child {
        let config = PodConfig {
            name: "test".into(),
            hostname: "test-0".into(),
            address: [127, 0, 0, 1].into(),
            network: Arc::new(Broken),
            limits: PodLimits::default(),
        };
        let (news, told) = mpsc::channel(limits::ISOLATED_ORDERS);
        Child { containers: Containers::new(Arc::new(Pod::new(engine(), config)), news), told }
    }

    /// Starts a container. What it writes comes out of the pipe.
    async fn start(&mut self, id: Id, text: &str) -> File {
        let program = engine().compile(text.as_bytes()).unwrap();
        let code = Engine::serialize_under(&[0; 32], &program).unwrap();
        let (output, childs_output) = output_pipe().unwrap();
        let given = [memory_file::write_value(&start()).unwrap(), memory_file::write(&code).unwrap(), childs_output];
        self.containers.obey(ToChild::Start(id), given.into()).await;
        match self.next().await {
            FromChild::Started(started, Ok(())) if started == id => File::from(output),
            other => panic!("{other:?}"),
        }
    }

    /// What the child says next, and it says nothing of usage unless asked to.
    async fn next(&mut self) -> FromChild {
        timeout(Duration::from_secs(20), self.told.recv()).await.expect("it says something").expect("it is there")
    }

    /// The next end that the child tells must be this container's.
    async fn end(&mut self, id: Id) -> Exit {
        match self.next().await {
            FromChild::Ended(ended, exit, _) if ended == id => exit,
            other => panic!("{other:?}"),
        }
    }
}

/// A container that has nothing.
fn start() -> Start {
    Start {
        name: "main".into(),
        args: vec!["main".into()],
        env: Vec::new(),
        config: Vec::new(),
        working_dir: None,
        directories: Vec::new(),
        buckets: Vec::new(),
        terminal: false,
        has_stdin: false,
        has_listener: false,
        memory_limit_bytes: None,
        cpu_limit_millis: None,
        cpu_shares: limits::CPU_SHARES_MIN,
        reuse: InstanceReuse::default(),
    }
}

/// It ends as by a fault and says which, as often as it happens; the one beside it runs on, the next one runs as ever.
#[tokio::test]
async fn a_fault_of_the_host_ends_the_container_that_met_it_and_no_other() {
    let mut child = Child::new();
    let _neighbours = child.start(1, LOOP).await;
    let dial = "(call $ping (i32.const 10) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 80))";
    let faulty = TCP.replace("{{DATA}}", "").replace("{{RUN}}", dial);
    for id in 2..6 {
        let _output = child.start(id, &faulty).await;
        let exit = child.end(id).await;
        assert_eq!((exit.code, exit.reason), (Exit::CODE_HOST_PANIC, ExitReason::HostPanic));
        let why = exit.message.unwrap();
        assert!(why.contains("host code failed") && why.contains("the router is on fire"), "{why}");
    }
    let mut output = child.start(6, HELLO).await;
    let exit = child.end(6).await;
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Completed));
    let mut said = Vec::new();
    output.read_to_end(&mut said).unwrap();
    assert!(said.ends_with(b"hello"), "{said:?}");
    child.containers.obey(ToChild::Stop(1, Duration::ZERO), Vec::new()).await;
    assert_eq!(child.end(1).await.reason, ExitReason::Killed, "it has run until now");
}
