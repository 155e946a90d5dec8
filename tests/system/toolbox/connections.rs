//! exec, cp, attach and port-forward with the tools of a program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use super::{cluster, pod, ready};
use crate::harness::{Cluster, get};

/// A cluster with the pod `box`, which only waits and has a volume at /d.
fn with_a_box() -> Cluster {
    let cluster = cluster();
    cluster.apply(&pod(
        "box",
        "[sleep, '1000']",
        "volumeMounts: [{ name: d, mountPath: /d }]",
        "volumes: [{ name: d, emptyDir: {} }]",
    ));
    ready(&cluster, "box");
    cluster
}

#[test]
fn commands_run_beside_the_program_with_its_files_and_their_own_exit_code() {
    let cluster = with_a_box();
    let script = "exec box -- sh -c 'echo one > /d/file; echo two >> /d/file; cat /d/file'";
    assert_eq!(cluster.kubectl(script).ok(), "one\ntwo\n");
    // WASI 0.2 knows two exit codes only.
    let failed = cluster.kubectl("exec box -- exit 7");
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(failed.stderr.contains("command terminated with exit code 1"), "{}", failed.stderr);
    assert_eq!(cluster.kubectl_with_input("exec -i box -- stdin", "typed\n").ok(), "typed\n");
    let unknown = cluster.kubectl("exec box -- bash");
    assert!(unknown.code != 0 && unknown.stderr.contains("there is no such tool"), "{}", unknown.stderr);
}

#[test]
fn files_are_copied_in_and_out() {
    let cluster = with_a_box();
    let (there, back) = (cluster.scratch().join("there"), cluster.scratch().join("back"));
    std::fs::write(&there, "carried").unwrap();
    cluster.kubectl(&format!("cp {} box:/d/file", there.display())).ok();
    assert_eq!(cluster.kubectl("exec box -- cat /d/file").ok(), "carried");
    cluster.kubectl(&format!("cp box:/d/file {}", back.display())).ok();
    assert_eq!(std::fs::read_to_string(back).unwrap(), "carried");
}

#[test]
fn a_port_is_forwarded() {
    let cluster = cluster();
    cluster.apply(&pod("web", "[serve, '8080']", "", ""));
    ready(&cluster, "web");
    let mut forward = cluster.kubectl_command();
    forward.args(["port-forward", "pod/web", ":8080"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut forward = forward.spawn().unwrap();
    let mut lines = BufReader::new(forward.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line.split(' ').nth(2).unwrap();
    for _ in 0..3 {
        assert_eq!(get(&format!("http://{address}/hostname")).unwrap(), "web");
    }
    forward.kill().unwrap();
    forward.wait().unwrap();
}

#[test]
fn a_program_with_stdin_is_attached_to() {
    let cluster = cluster();
    cluster.apply(&pod("box", "[stdin]", "stdin: true\nstdinOnce: true", ""));
    ready(&cluster, "box");
    let mut attach = cluster.kubectl_command();
    attach.args(["attach", "-i", "box"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut attach = attach.spawn().unwrap();
    let mut stdin = attach.stdin.take().unwrap();
    stdin.write_all(b"back and forth\n").unwrap();
    let mut lines = BufReader::new(attach.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "back and forth");
    drop(stdin);
    attach.wait().unwrap();
    // The first who attached has let go, so the program reads the end of its input.
    super::ended(&cluster, "box");
}
