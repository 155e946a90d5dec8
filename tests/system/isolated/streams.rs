//! exec, attach, cp, logs, and how a pod with a process of its own is told to stop.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use super::{cluster, isolated, pod, ready, shows};
use crate::harness::{Cluster, eventually, guests};

/// A cluster with the pod `box`, which only waits and has a volume at /d.
fn with_a_box() -> Cluster {
    let cluster = cluster();
    let (more, spec) = ("volumeMounts: [{ name: d, mountPath: /d }]", "volumes: [{ name: d, emptyDir: {} }]");
    cluster.apply(&pod("box", "[sleep, '1000']", more, spec));
    ready(&cluster, "box");
    cluster
}

#[test]
fn commands_run_beside_the_program() {
    let cluster = with_a_box();
    let script = "exec box -- sh -c 'echo one > /d/file; echo two >> /d/file; cat /d/file'";
    assert_eq!(cluster.kubectl(script).ok(), "one\ntwo\n");
    assert_eq!(cluster.kubectl("exec box -- exit 7").code, 1);
    assert_eq!(cluster.kubectl_with_input("exec -i box -- stdin", "typed\n").ok(), "typed\n");
    // More than any pipe holds, both ways.
    let long = "a line of some length that is repeated\n".repeat(50_000);
    assert_eq!(cluster.kubectl_with_input("exec -i box -- stdin", &long).ok(), long);
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
fn an_attached_program_reads_and_hears_the_end() {
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
    shows(&cluster, "box", ".status.phase", "Succeeded");
}

#[test]
fn a_log_is_complete_and_followed() {
    let cluster = Cluster::start();
    guests::push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&isolated(&guests::pod("ticker", "Never", "")));
    eventually("ticks", || match cluster.kubectl("logs ticker --tail=3").result()? {
        said if said == "tick\n".repeat(3) => Ok(()),
        said => Err(said),
    });
    // It does not listen, so it is killed when its second of grace is over; and nothing of it stays.
    cluster.kubectl("delete pod ticker --timeout=30s").ok();
    super::gone(&cluster, "ticker");
}

#[test]
fn a_command_hears_the_end_of_its_input_when_it_is_stopped() {
    let cluster = cluster();
    let manifest = pod("hears", "[stdin]", "stdin: true", "");
    let kept = manifest.replace("metadata:\n", "metadata:\n  finalizers: [test.example.com/kept]\n");
    cluster.apply(&kept.replace("terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 3600\n"));
    ready(&cluster, "hears");
    cluster.kubectl("delete pod hears --wait=false").ok();
    shows(&cluster, "hears", super::END, "0/Completed");
}
