//! exec, cp, attach and port-forward with the tools of a program.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{cluster, pod, ready};
use crate::harness::boxes::{asks_by_http, copies_files, is_attached_to, runs_commands, with_a_box};
use crate::harness::get;

#[test]
fn commands_run_beside_the_program_with_its_files_and_their_own_exit_code() {
    let cluster = with_a_box("");
    runs_commands(&cluster);
    let unknown = cluster.kubectl("exec box -- bash");
    assert!(unknown.code != 0 && unknown.stderr.contains("there is no such tool"), "{}", unknown.stderr);
}

#[test]
fn files_are_copied_in_and_out() {
    copies_files(&with_a_box(""));
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
fn servers_are_asked_by_the_hosts_client() {
    asks_by_http(&with_a_box(""));
}

#[test]
fn a_program_with_stdin_is_attached_to() {
    is_attached_to("");
}
