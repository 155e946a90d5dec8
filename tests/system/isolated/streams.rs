//! exec, attach, cp, logs, and how a pod with a process of its own is told to stop.

use super::{ISOLATED, cluster, isolated, pod, ready, shows};
use crate::harness::boxes::{asks_by_http, copies_files, is_attached_to, runs_commands, with_a_box};
use crate::harness::{Cluster, eventually, guests};

#[test]
fn commands_run_beside_the_program() {
    let cluster = with_a_box(ISOLATED);
    runs_commands(&cluster);
    // More than any pipe holds, both ways.
    let long = "a line of some length that is repeated\n".repeat(50_000);
    assert_eq!(cluster.kubectl_with_input("exec -i box -- stdin", &long).ok(), long);
}

#[test]
fn files_are_copied_in_and_out() {
    copies_files(&with_a_box(ISOLATED));
}

#[test]
fn an_attached_program_reads_and_hears_the_end() {
    is_attached_to(ISOLATED);
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

#[test]
fn servers_are_asked_by_the_hosts_client() {
    asks_by_http(&with_a_box(ISOLATED));
}
