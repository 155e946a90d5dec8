//! Programs of WASI 0.3 as pods: the samples, and a node that has it switched off.

use crate::harness::guests::{pod, push};
use crate::harness::{Cluster, Options, coracle, eventually, get, run, sample};

/// A command of WASI 0.3 that does nothing.
const QUICK: &str = r#"(component
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (type $run-type (func async (result (result))))
    (func $run (type $run-type) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.3.0" (instance $run)))"#;

#[test]
fn the_hello_sample_serves() {
    let cluster = Cluster::with_sample("hello-p3");
    let url = cluster.line("url");
    let answer = get(&url).unwrap();
    assert!(answer.starts_with("Hello from hello-p3-") && answer.contains("by WASI 0.3"), "{answer}");
    let answer = get(&format!("{}/upstream", url.trim_end_matches('/'))).unwrap();
    assert!(answer.starts_with("Hello from hello-p3-"), "through the Service: {answer}");
}

#[test]
fn the_toolbox_sample_prints_dials_and_is_entered() {
    let cluster = Cluster::with_sample("toolbox-p3");
    cluster.kubectl("wait --for=condition=Complete job/dial-p3 --timeout=60s").ok();
    assert_eq!(cluster.kubectl("logs -l job-name=dial-p3").ok(), "hello over TCP");
    let exec = |args: &str| cluster.kubectl(&format!("exec deploy/echo-p3 -- toolbox-p3 {args}"));
    assert_eq!(exec("cat /config/greeting").ok(), "hello by WASI 0.3");
    let address = cluster.kubectl("get svc echo-p3 -o jsonpath={.spec.clusterIP}").ok();
    assert_eq!(exec("resolve echo-p3").ok(), format!("{address}\n"));
    let exited = exec("exit 7");
    assert_eq!(exited.code, 7, "{}", exited.stderr);
}

#[test]
fn a_node_may_have_it_switched_off() {
    let flags = vec!["--wasi-p3=false".to_owned()];
    let cluster = Cluster::start_with(Options { flags, ..Options::default() });
    push(&cluster, "quick", QUICK);
    cluster.apply(&pod("quick", "Never", ""));
    eventually("an event that says so", || {
        let events = cluster.kubectl("events --for pod/quick").ok();
        if events.contains("WASI 0.3 is switched off on this node") { Ok(()) } else { Err(events) }
    });
}

#[test]
fn an_image_says_which_wasi_it_speaks() {
    let wasm = sample("hello-p3").join("hello-p3.wasm");
    let inspected = run(coracle().args(["image", "inspect"]).arg(wasm)).ok();
    assert!(inspected.starts_with("kind:       component\nwasi:       0.3."), "{inspected}");
}
