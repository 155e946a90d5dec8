//! `debug` and `top`.

use expect_test::expect_file;
use regex::Regex;

use super::{toolbox, with_toolbox};
use crate::harness::guests::TOOLBOX;
use crate::harness::{Cluster, Transcript, eventually};

/// A cluster with the pod `web`, which serves at port 8080.
fn with_web() -> Cluster {
    let cluster = with_toolbox();
    cluster.apply(&toolbox("web", "[serve, '8080']", "    ports: [{name: http, containerPort: 8080}]\n"));
    cluster.kubectl("wait --for=condition=Ready pod/web --timeout=60s").ok();
    cluster
}

/// Waits until an ephemeral container of `web` is in a state.
fn debugger_is(cluster: &Cluster, name: &str, state: &str) {
    eventually(&format!("{name} is {state}"), || {
        let path = format!("{{.status.ephemeralContainerStatuses[?(@.name=='{name}')].state}}");
        let found = cluster.kubectl(&format!("get pod web -o jsonpath={}", path.replace('\'', "\""))).result()?;
        if found.contains(state) { Ok(()) } else { Err(found) }
    });
}

#[test]
fn debug_beside_the_program() {
    let cluster = with_web();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl(&format!("debug web --image={TOOLBOX} -c looker --profile=general -- get 127.0.0.1:8080/hostname"));
    debugger_is(&cluster, "looker", "terminated");
    transcript
        .kubectl("logs web -c looker")
        .kubectl(&format!("debug web --image={TOOLBOX} -c waiter --target=main --profile=restricted -- sleep 1000"));
    debugger_is(&cluster, "waiter", "running");
    transcript
        .kubectl("get pod web")
        .kubectl("exec web -c waiter -- get 127.0.0.1:8080/hostname")
        .kubectl("describe pod web")
        .kubectl("get pod web -o jsonpath={.spec.ephemeralContainers}")
        .kubectl("logs web")
        // Stdin's end is not the program's: only `stdinOnce` makes it that.
        .kubectl_for_lines(&format!("debug -i web --image={TOOLBOX} --profile=general -- tick word 50"), 3, |_| {})
        .kubectl(&format!("debug web --image={TOOLBOX} -c main --profile=general"))
        .kubectl(&format!("debug web --image={TOOLBOX} -c waiter --profile=general"))
        .kubectl(&format!("debug web --image={TOOLBOX} -c third --target=nobody --profile=general"))
        .kubectl(&format!("debug web --image={TOOLBOX} -c Wrong --profile=general"))
        .kubectl("debug web")
        .kubectl(&format!("debug nobody --image={TOOLBOX} --profile=general"));
    expect_file!["../golden/debug.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn debug_in_a_copy_and_on_a_node() {
    let cluster = with_web();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl(&format!("debug web --image={TOOLBOX} -c looker --profile=general --copy-to=copy -- sleep 1000"));
    cluster.kubectl("wait --for=condition=Ready pod/copy --timeout=60s").ok();
    transcript
        .kubectl("get pod copy")
        .kubectl("get pod copy -o jsonpath={.metadata.labels}{.spec.containers[*].name}{.spec.shareProcessNamespace}")
        .kubectl("exec copy -c looker -- get 127.0.0.1:8080/hostname")
        .kubectl(
            "debug web --copy-to=other --set-image=main=registry.coracle.internal/guest/absent:1 --profile=general",
        )
        .kubectl("get pod other -o jsonpath={.spec.containers[*].image}")
        .kubectl(&format!("debug web --image={TOOLBOX} --copy-to=copy --profile=general"))
        .kubectl("debug web --copy-to=main -c main --profile=general -- sleep 1000")
        .kubectl("get pod main -o jsonpath={.spec.containers[*].command}")
        .kubectl(&format!(
            "debug web --image={TOOLBOX} --copy-to=new --same-node --replace --profile=general -- sleep 1000"
        ));
    cluster.kubectl("wait --for=condition=Ready pod/new --timeout=60s").ok();
    transcript
        .kubectl("get pod new web")
        .kubectl(&format!("debug node/node --image={TOOLBOX} --profile=general -- ls /host/dev/null"));
    let pods = cluster.kubectl("get pods -o name").ok();
    let debugger = pods.lines().find(|name| name.contains("/node-debugger-node-")).unwrap();
    cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Succeeded {debugger} --timeout=60s")).ok();
    transcript
        .kubectl(&format!("get {debugger}"))
        .kubectl(&format!("logs {debugger}"))
        .kubectl(&format!("debug node/nobody --image={TOOLBOX} --profile=general"));
    expect_file!["../golden/debug_copies.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn top() {
    let cluster = with_web();
    let beside = format!("  - {{name: beside, image: '{TOOLBOX}', command: [tick, beside, '50']}}\n");
    cluster.apply(&toolbox("two", "[sleep, '1000']", &beside));
    // The node looks every few seconds, and a rate needs two looks.
    for pod in ["web", "two"] {
        eventually("the pod's usage", || cluster.kubectl(&format!("top pod {pod}")).result());
    }
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("top pod")
        .kubectl("top pod web")
        .kubectl("top pod --containers")
        .kubectl("top pod --sum")
        .kubectl("top pod -l app=two --no-headers")
        .kubectl("top pod -A")
        .kubectl("top pod -l app=nobody")
        .kubectl("top pod nobody")
        .kubectl("top pod -n nowhere")
        .kubectl("top node")
        .kubectl("top node node --no-headers")
        .kubectl("top node nobody")
        .kubectl("top pod --sort-by=disk");
    let mut text = transcript.normalised();
    for (figure, name) in [(r"\b\d+m\b", "CPU"), (r"\b\d+Mi\b", "MEMORY"), (r"\b\d+%", "SHARE"), (r"_+", "__")] {
        text = Regex::new(figure).unwrap().replace_all(&text, name).into_owned();
    }
    expect_file!["../golden/top.txt"].assert_eq(&text);
}
