//! Hooks of every kind, and what becomes of a container whose hook fails.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use super::{listener, restarting, seconds, shows, tells};
use crate::conformance_node::site::{Site, container, pod};
use crate::harness::eventually;

/// A container that ends when it is told to, and its hooks.
fn hooked(name: &str, hooks: &Value) -> Value {
    container(name, &["stdin"], &json!({"stdin": true, "lifecycle": hooks}))
}

/// A pod of these containers that stays to be looked at when it is deleted, and has more time than this test.
fn kept(name: &str, containers: &[Value]) -> Value {
    let mut pod = pod(name, &[], &json!({}));
    pod["metadata"]["finalizers"] = json!(["test.example.com/kept"]);
    pod["spec"]["terminationGracePeriodSeconds"] = json!(600);
    pod["spec"]["containers"] = json!(containers);
    pod
}

fn delete(site: &Site, pod: &str) {
    site.kubectl(&format!("delete pod {pod} --wait=false")).ok();
}

/// Waits until somebody connects.
fn visited(listener: &TcpListener) -> TcpStream {
    let (stream, _) = eventually("a visitor", || listener.accept().map_err(|error| error.to_string()));
    stream.set_nonblocking(false).unwrap();
    stream
}

/// Reads a request's first line and answers it.
fn answer(mut stream: TcpStream) -> String {
    let mut head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let first = head.next().unwrap();
    head.find(String::is_empty);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    first
}

/// After a start a hook asks, connects or sleeps, and holds up the next container and readiness so long; before an end
/// it holds up the end.
#[test]
fn hooks_ask_connect_and_sleep() {
    let site = Site::new();
    let [(ask, ask_at), (connect, connect_at), (end, end_at)] = [(); 3].map(|()| listener());
    let socket = |port: u16| json!({"tcpSocket": {"host": "127.0.0.1", "port": port}});
    let get = json!({"httpGet": {"host": "127.0.0.1", "port": ask_at, "path": "/began"}});
    let sleep = |seconds: u32| json!({"sleep": {"seconds": seconds}});
    let containers = [
        hooked("asks", &json!({"postStart": get, "preStop": socket(end_at)})),
        hooked("connects", &json!({"postStart": socket(connect_at), "preStop": sleep(3)})),
        hooked("sleeps", &json!({"postStart": sleep(3)})),
    ];
    site.apply(&kept("hooked", &containers));
    let asked = visited(&ask);
    assert!(connect.accept().is_err(), "the second container waits for the first one's hook");
    assert_eq!(answer(asked), "GET /began HTTP/1.1");
    visited(&connect);
    shows(&site, "hooked", "{.status.conditions[?(@.type==\"Ready\")].status}", "True");
    let ready = seconds(&site, "hooked", "{.status.conditions[?(@.type==\"Ready\")].lastTransitionTime}");
    let started = seconds(&site, "hooked", "{.status.containerStatuses[2].state.running.startedAt}");
    // All times are whole seconds.
    assert!(ready - started >= 2, "started {started}, ready {ready}");

    delete(&site, "hooked");
    visited(&end);
    let reasons = "{.status.containerStatuses[*].state.terminated.reason}";
    shows(&site, "hooked", reasons, "Completed Completed Completed");
    // The time of the deletion is that of the request and the grace period.
    let deleted = seconds(&site, "hooked", "{.metadata.deletionTimestamp}") - 600;
    let ended = |index: usize| {
        let path = format!("{{.status.containerStatuses[{index}].state.terminated.finishedAt}}");
        seconds(&site, "hooked", &path) - deleted
    };
    assert!(ended(1) >= 2, "{}", ended(1));
}

/// A container whose hook fails before its end ends all the same, and an event tells of it.
#[test]
fn a_hook_that_fails_before_the_end_changes_nothing() {
    let site = Site::new();
    let fails = json!({"preStop": {"exec": {"command": ["false"]}}});
    site.apply(&kept("ending", &[hooked("main", &fails)]));
    shows(&site, "ending", "{.status.containerStatuses[0].ready}", "true");
    delete(&site, "ending");
    tells(&site, "ending", "FailedPreStopHook", "PreStopHook failed");
    shows(&site, "ending", "{.status.containerStatuses[0].state.terminated.reason}", "Completed");
}

/// A container whose hook fails after its start is stopped as at any other time, and waits for the next start with that
/// reason, or has ended for good.
#[test]
fn a_hook_that_fails_after_the_start_ends_the_container() {
    let site = Site::new();
    let fails = json!({"postStart": {"exec": {"command": ["false"]}}});
    site.apply(&kept("once", &[hooked("main", &fails)]));
    site.apply(&restarting(kept("again", &[hooked("main", &fails)])));
    let waiting = ".status.containerStatuses[0].state.waiting";
    let error = "PostStartHookError/PostStartHook failed";
    shows(&site, "again", &format!("{{{waiting}.reason}}/{{{waiting}.message}}"), error);
    let end = |state: &str| {
        let state = format!(".status.containerStatuses[0].{state}.terminated");
        format!("{{{state}.exitCode}}/{{{state}.reason}}")
    };
    // It heard the end of its input; its grace period would outlast this test.
    shows(&site, "again", &end("lastState"), "0/Completed");
    shows(&site, "again", &format!("{{{waiting}.reason}}"), "CrashLoopBackOff");
    shows(&site, "once", &end("state"), "0/Completed");
    for name in ["once", "again"] {
        tells(&site, name, "FailedPostStartHook", "PostStartHook failed");
        tells(&site, name, "Killing", "FailedPostStartHook");
    }
}
