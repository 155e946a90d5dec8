//! The runner of the WASI test suite, on a suite of a few modules in both formats: what it reports is what happened, in pods
//! of either runtime.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Finished, sample, skip};
use crate::hostile::isolation_is_possible;

const SUITE: &str = "tests/rust/testsuite/wasm32-wasip1";

/// A module that is the toolbox, and what is expected of it.
fn put(checkout: &Path, name: &str, spec: &Value) {
    let at = checkout.join(SUITE);
    fs::copy(sample("toolbox").join("toolbox.wasm"), at.join(format!("{name}.wasm"))).unwrap();
    fs::write(at.join(format!("{name}.json")), spec.to_string()).unwrap();
}

fn run_suite(checkout: &Path, flags: &[&str]) -> Finished {
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wasi-suite/run.py");
    let mut command = Command::new("python3");
    command.arg(runner).arg(checkout).args(["--coracle", env!("CARGO_BIN_EXE_coracle")]).args(flags);
    command.stdin(Stdio::null()).output().expect("Python starts").into()
}

fn python_is_there() -> bool {
    let is_there = Command::new("python3").arg("--version").output().is_ok();
    if !is_there {
        skip("no python3");
    }
    is_there
}

/// Five modules that do what is expected of them.
fn put_a_few(checkout: &Path) {
    let root = checkout.join(SUITE).join("fs-tests.dir");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("a.txt"), "hello").unwrap();
    fs::write(root.join("left.cleanup"), "of another run").unwrap();
    fs::write(checkout.join(SUITE).join("manifest.json"), r#"{"name": "Few"}"#).unwrap();
    let put = |name: &str, spec: Value| put(checkout, name, &spec);
    put("root", json!({"root": "fs-tests.dir", "args": ["ls", "/"], "stdout": "file 5 a.txt\n"}));
    put("dirs", json!({"dirs": ["fs-tests.dir"], "args": ["ls", "fs-tests.dir"], "stdout": "file 5 a.txt\n"}));
    put("code", json!({"args": ["false"], "exit_code": 1}));
    let run = json!({"type": "run", "args": ["env"], "env": {"A": "2 $(B) $$", "B": "1"}});
    let read = json!({"type": "read", "payload": "A=2 $(B) $$\nB=1\n"});
    put("env", json!({"operations": [run, read, {"type": "wait"}]}));
    let (write, read) =
        (json!({"type": "write", "id": "stdin", "payload": "ping"}), json!({"type": "read", "payload": "ping"}));
    put("stdin", json!({"operations": [{"type": "run", "args": ["stdin"]}, write, read, {"type": "wait"}]}));
}

fn all_five_pass(done: &Finished) {
    assert!(done.code == 0 && done.stdout.contains("5 passed, 0 failed as expected, 0 unexpected"), "{}", done.stdout);
}

#[test]
fn the_wasi_suite_runs_as_pods_and_tells_what_is_unexpected() {
    if !python_is_there() {
        return;
    }
    let checkout = tempfile::tempdir().unwrap();
    put_a_few(checkout.path());
    all_five_pass(&run_suite(checkout.path(), &[]));

    fs::remove_dir_all(checkout.path().join(SUITE)).unwrap();
    fs::create_dir_all(checkout.path().join(SUITE)).unwrap();
    put(checkout.path(), "wrong", &json!({"args": ["false"]}));
    put(checkout.path(), "unknown", &json!({"argz": []}));
    let done = run_suite(checkout.path(), &[]);
    assert!(done.code == 1 && done.stdout.contains("exit code 1, not 0"), "{}", done.stdout);
    assert!(done.stdout.contains("unknown fields ['argz']") && done.stdout.contains("2 unexpected"), "{}", done.stdout);
}

/// The RuntimeClass that is asked for is that of the pods: one that there is runs the same modules with the same result, and
/// one that there is not runs none.
#[test]
fn the_wasi_suite_runs_in_the_runtime_that_is_asked_for() {
    if !python_is_there() || !isolation_is_possible() {
        return;
    }
    let checkout = tempfile::tempdir().unwrap();
    put_a_few(checkout.path());
    all_five_pass(&run_suite(checkout.path(), &["--runtime-class", "wasm-isolated"]));

    let done = run_suite(checkout.path(), &["--runtime-class", "nobodys", "--only", "code"]);
    assert!(done.code == 1 && done.stdout.contains("RuntimeClass \"nobodys\" not found"), "{}", done.stdout);
}
