//! exec and attach.

use super::{TRANSPORTS, cluster, kubectl, pod};
use crate::harness::{Cluster, guests};

#[test]
fn a_command_has_arguments_input_output_and_a_code() {
    let cluster = cluster();
    let text = "0123456789abcdef".repeat(1 << 16);
    for (transport, websockets) in TRANSPORTS {
        let args = kubectl(&cluster, websockets, "exec streams -- args one two", b"");
        assert_eq!(args.ok(), "args\none\ntwo\n", "{transport}");
        let copied = kubectl(&cluster, websockets, "exec -i streams -- cat", text.as_bytes()).ok();
        assert!(copied == text, "{transport}: {} bytes of {}", copied.len(), text.len());
        let failed = kubectl(&cluster, websockets, "exec streams -c main -- fail", b"");
        assert_eq!((failed.code, failed.stdout.as_str()), (3, ""), "{transport}: {}", failed.stderr);
        assert_eq!(failed.stderr, "wrong\ncommand terminated with exit code 3\n", "{transport}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let cluster = Cluster::with_sample("hello");
    guests::push(&cluster, "quick", guests::QUICK);
    cluster.apply(&guests::pod("quick", "Never", ""));
    cluster.kubectl("wait --for=condition=Available deploy/hello --timeout=60s").ok();
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/quick --timeout=60s").ok();
    for (transport, websockets) in TRANSPORTS {
        let failed = |line: &str| kubectl(&cluster, websockets, line, b"").failed();
        let error = failed("exec deploy/hello -- ls");
        assert!(error.contains("the container has no command to run"), "{transport}: {error}");
        let error = failed("exec deploy/hello -c other -- ls");
        assert!(error.contains("container other is not valid for pod hello-"), "{transport}: {error}");
        let error = failed("exec quick -- ls");
        assert!(error.contains("in a completed pod; current phase is Succeeded"), "{transport}: {error}");
        let error = failed("exec nobody -- ls");
        assert!(error.contains("pods \"nobody\" not found"), "{transport}: {error}");
    }
    let raw = |path: &str| cluster.kubectl(&format!("get --raw /api/v1/namespaces/default/pods/quick/{path}")).failed();
    for (path, why) in [
        ("exec?stdout=true", "you must specify at least 1 command for the container"),
        ("exec?command=ls", "you must specify at least 1 of stdin, stdout, stderr"),
        ("exec?command=ls&stdout=1", "cannot exec into a container in a completed pod; current phase is Succeeded"),
        ("portforward", "Upgrade request required"),
    ] {
        let error = raw(path);
        assert!(error.contains(why), "{path}: {error}");
    }
}

#[test]
fn a_client_attaches_to_a_program_that_waits_for_it() {
    let cluster = cluster();
    cluster.apply(&pod("second"));
    cluster.kubectl("wait --for=condition=Ready pod/second --timeout=60s").ok();
    for ((transport, websockets), pod) in TRANSPORTS.into_iter().zip(["streams", "second"]) {
        // The end of the first client's input is the end of the program's: stdinOnce.
        let attached = kubectl(&cluster, websockets, &format!("attach -i {pod}"), b"hello\n");
        assert_eq!(attached.code, 0, "{transport}: {}", attached.stderr);
        assert!(attached.stdout.ends_with("hello\n"), "{transport}: {}", attached.stdout);
        let ended = format!("wait --for=jsonpath={{.status.phase}}=Succeeded pod/{pod} --timeout=60s");
        cluster.kubectl(&ended).ok();
        assert_eq!(cluster.kubectl(&format!("logs {pod}")).ok(), "hello\n");
    }
}
