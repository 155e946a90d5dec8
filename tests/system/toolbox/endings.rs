//! How containers end, and how they are told to: what ARCHITECTURE.md says of exit codes and the README of stopping.
//! (139, a fault of the host, can't be provoked from outside; wasi-host's own tests show it.)

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use super::{cluster, pod, ready, shows};
use crate::harness::guests::{self, TOOLBOX};
use crate::harness::{Cluster, DEADLINE, eventually};

/// Deletes pods that stay to be looked at, because of [`kept`].
fn delete(cluster: &Cluster, pods: &str) {
    cluster.kubectl(&format!("delete pod {pods} --wait=false")).ok();
}

/// A manifest whose pod is still there when nothing of it runs any more; `grace_s` is its grace period.
fn kept(manifest: &str, grace_s: u32) -> String {
    let manifest = manifest.replace("metadata:\n", "metadata:\n  finalizers: [test.example.com/kept]\n");
    manifest.replace("terminationGracePeriodSeconds: 1\n", &format!("terminationGracePeriodSeconds: {grace_s}\n"))
}

/// Waits until a pod's container has ended in this way.
fn ends(cluster: &Cluster, name: &str, container: usize, wanted: &str) {
    let state = format!(".status.containerStatuses[{container}].state.terminated");
    let path = format!("{{{state}.exitCode}}/{{{state}.reason}}");
    eventually(&format!("{name} ends with {wanted}"), || {
        match cluster.kubectl(&format!("get pod {name} -o jsonpath={path}")).result()? {
            found if found == wanted => Ok(()),
            found => Err(found),
        }
    });
}

#[test]
fn every_end_has_its_code() {
    let cluster = cluster();
    for (name, wat, more, wanted) in guests::ENDS {
        guests::push(&cluster, name, wat);
        cluster.apply(&guests::pod(name, "Never", more));
        ends(&cluster, name, 0, wanted);
    }
    shows(&cluster, "loop", ".status.reason", "DeadlineExceeded");
    // Both would listen at the same port of the pod.
    let http = http_guest(&cluster);
    cluster.apply(&guests::pod("http", "Never", &format!("  - {{name: second, image: '{http}'}}\n")));
    ends(&cluster, "http", 1, "128/StartError");
}

#[test]
fn a_command_hears_the_end_of_its_input_and_ends_as_it_likes() {
    let cluster = cluster();
    let (stdin, signal) = ("stdin: true", "stdin: true\nlifecycle: { stopSignal: SIGUSR1 }");
    let rows = [
        // Nothing waits for a grace period that is not needed.
        ("hears", "[stdin]", stdin, "", 3600, "0/Completed"),
        ("answers", "[sh, -c, 'stdin; false']", stdin, "", 3600, "1/Error"),
        ("signalled", "[stdin]", signal, "os: { name: linux }", 3600, "0/Completed"),
        ("busy", "[sleep, '1000']", stdin, "", 1, "137/Error"),
        ("deaf", "[sleep, '1000']", "", "", 1, "137/Error"),
        // The time of a hook is a part of the grace period.
        (
            "hooked",
            "[sleep, '1000']",
            "lifecycle: { preStop: { exec: { command: [sleep, '1000'] } } }",
            "",
            2,
            "137/Error",
        ),
    ];
    for (name, command, more, spec, grace_s, _) in rows {
        cluster.apply(&kept(&pod(name, command, more, spec), grace_s));
    }
    for (name, ..) in rows {
        ready(&cluster, name);
        delete(&cluster, name);
    }
    for (name, .., wanted) in rows {
        ends(&cluster, name, 0, wanted);
    }
}

/// The guest of wasi-host's tests that answers by HTTP: at `/wait` after a while, at `/loop` never.
fn http_guest(cluster: &Cluster) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("wasi-host/tests/guests/http.wat");
    guests::push(cluster, "http", &std::fs::read_to_string(file).unwrap());
    guests::image("http")
}

/// A preStop hook that waits until the test lets it go.
struct Gate(TcpListener);

impl Gate {
    fn new() -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Gate(listener)
    }

    fn hook(&self) -> String {
        let port = self.0.local_addr().unwrap().port();
        format!("lifecycle: {{ preStop: {{ httpGet: {{ host: 127.0.0.1, port: {port} }} }} }}")
    }

    /// Waits until a pod is at the gate.
    fn reached(&self) -> TcpStream {
        eventually("the hook", || self.0.accept().map_err(|error| error.to_string())).0
    }
}

/// Lets a pod that is at the gate go on.
fn open(mut waiting: TcpStream) {
    waiting.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
}

/// Asks for two paths on one connection, and returns when the first is answered: then the second is being worked on.
fn ask_for(cluster: &Cluster, name: &str, path: &str) -> TcpStream {
    let ip = cluster.kubectl(&format!("get pod {name} -o jsonpath={{.status.podIP}}")).ok();
    let mut stream = TcpStream::connect((ip.as_str(), 8080)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let requests: Vec<_> = ["/", path].map(|path| format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).into();
    stream.write_all(requests.concat().as_bytes()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.extend_from_slice(&byte);
    }
    stream
}

#[test]
fn a_server_finishes_what_it_has_and_gets_nothing_more() {
    let cluster = cluster();
    let http = http_guest(&cluster);
    let gate = Gate::new();
    let server = |name: &str, more: &str| pod(name, "[]", more, "").replace(TOOLBOX, &http);
    cluster.apply(&kept(&server("polite", &gate.hook()), 3600));
    cluster.apply(&kept(&server("stuck", ""), 1));
    ready(&cluster, "polite");
    ready(&cluster, "stuck");

    // While the hook runs, the server serves.
    delete(&cluster, "polite");
    let waiting = gate.reached();
    let mut asked = ask_for(&cluster, "polite", "/wait");
    open(waiting);
    let mut answer = String::new();
    asked.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("hello, world\n"), "{answer}");
    ends(&cluster, "polite", 0, "0/Completed");
    let ip = cluster.kubectl("get pod polite -o jsonpath={.status.podIP}").ok();
    assert!(TcpStream::connect((ip.as_str(), 8080)).is_err());

    let mut asked = ask_for(&cluster, "stuck", "/loop");
    delete(&cluster, "stuck");
    ends(&cluster, "stuck", 0, "137/Error");
    let mut answer = String::new();
    // The connection is reset, or just ends.
    let _ = asked.read_to_string(&mut answer);
    assert_eq!(answer, "");
}

#[test]
fn sidecars_follow_the_containers_the_last_one_first() {
    let cluster = cluster();
    let directory = cluster.scratch().join("order");
    std::fs::create_dir(&directory).unwrap();
    let container = |name: &str| {
        format!(
            "image: {TOOLBOX}, stdin: true, volumeMounts: [{{ name: d, mountPath: /d }}], \
             command: [sh, -c, 'stdin; echo {name} >> /d/order']"
        )
    };
    let sidecar = |name: &str| format!("- {{ name: {name}, restartPolicy: Always, {} }}\n", container(name));
    let spec = format!(
        "volumes: [{{ name: d, hostPath: {{ path: '{}' }} }}]\ninitContainers:\n{}{}",
        directory.display(),
        sidecar("first"),
        sidecar("second")
    );
    let mounts = "stdin: true\nvolumeMounts: [{ name: d, mountPath: /d }]";
    cluster.apply(&kept(&pod("crew", "[sh, -c, 'stdin; echo main >> /d/order']", mounts, &spec), 3600));
    ready(&cluster, "crew");
    delete(&cluster, "crew");
    eventually("the order", || match std::fs::read_to_string(directory.join("order")) {
        Ok(order) if order == "main\nsecond\nfirst\n" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let reasons = ".status.initContainerStatuses[*].state.terminated.reason";
    shows(&cluster, "crew", reasons, "Completed Completed");
}

#[test]
fn a_pod_runs_until_its_sidecars_are_stopped() {
    let cluster = cluster();
    let gate = Gate::new();
    let spec = format!(
        "initContainers:\n- {{ name: side, image: {TOOLBOX}, restartPolicy: Always, stdin: true, command: [stdin], {} }}",
        gate.hook()
    );
    cluster.apply(&kept(&pod("pair", "[echo, done]", "", &spec), 3600));
    let waiting = gate.reached();
    ends(&cluster, "pair", 0, "0/Completed");
    shows(&cluster, "pair", ".status.phase", "Running");
    open(waiting);
    shows(&cluster, "pair", ".status.phase", "Succeeded");
    shows(&cluster, "pair", ".status.initContainerStatuses[0].state.terminated.reason", "Completed");
}
