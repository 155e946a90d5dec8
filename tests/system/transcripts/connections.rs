//! `exec`, `attach`, `cp` and `port-forward`.

use expect_test::expect_file;

use super::{toolbox, with_toolbox};
use crate::harness::guests::TOOLBOX;
use crate::harness::{Cluster, Transcript, get};

/// A cluster with `box` (two containers and a volume at /d) and `done`.
fn with_boxes() -> Cluster {
    let cluster = with_toolbox();
    let mounts = "    volumeMounts: [{name: d, mountPath: /d}]\n";
    let beside = format!("  - {{name: beside, image: '{TOOLBOX}', command: [tick, beside, '50']}}\n");
    let volumes = "  volumes: [{name: d, emptyDir: {}}]\n";
    let containers = format!("{mounts}{beside}{volumes}");
    cluster.apply(&toolbox("box", "[sleep, '1000']", &containers));
    cluster.apply(&toolbox("done", "[echo, done]", ""));
    cluster.apply(&toolbox("typed", "[stdin]", "    stdin: true\n    stdinOnce: true\n"));
    cluster.kubectl("wait --for=condition=Ready pod/box pod/typed --timeout=60s").ok();
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/done --timeout=60s").ok();
    cluster
}

#[test]
fn exec_and_attach() {
    let cluster = with_boxes();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("exec box -- echo hello")
        .kubectl("exec box -c main -- sh -c 'echo hello > /d/file; cat /d/file'")
        .kubectl("exec box -c beside -- ls /d")
        .kubectl("exec box -c main -- false")
        .kubectl("exec box -c main -- cat /nothing")
        .kubectl("exec box -c main -- bash")
        .kubectl("exec box -c nobody -- echo")
        .kubectl("exec box -c main")
        .kubectl("exec box echo")
        .kubectl("exec nobody -- echo")
        .kubectl("exec done -- echo")
        .kubectl("exec deploy/nobody -- echo")
        .kubectl("exec box -c main -n nowhere -- echo")
        .kubectl_with_input("exec -i box -c main -- stdin", "typed\n")
        .kubectl_with_input("exec box -c main -- stdin", "not passed on\n")
        .kubectl_for_lines("attach box -c beside", 2, |_| {})
        .kubectl("attach box -c nobody")
        .kubectl("attach done")
        .kubectl("attach nobody")
        .kubectl_with_input("attach -i typed", "hello\n");
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/typed --timeout=60s").ok();
    transcript.kubectl("logs typed").kubectl("attach -i typed");
    expect_file!["../golden/exec.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn exec_where_there_is_no_command() {
    let cluster = Cluster::with_sample("hello");
    cluster.kubectl("wait --for=condition=Available deploy/hello --timeout=60s").ok();
    let mut transcript = Transcript::new(&cluster);
    transcript.kubectl("exec deploy/hello -- ls").kubectl("exec deploy/hello -c nobody -- ls");
    transcript.kubectl_for_lines("attach deploy/hello", 0, |_| {});
    expect_file!["../golden/exec_http.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn cp() {
    let cluster = with_boxes();
    let here = cluster.scratch().join("here");
    std::fs::create_dir_all(here.join("deep")).unwrap();
    for (name, content) in [("one", "first\n"), ("deep/two", "second\n")] {
        std::fs::write(here.join(name), content).unwrap();
    }
    let here = here.display();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl(&format!("cp {here}/one box:/d/one -c main"))
        .kubectl("exec box -c main -- cat /d/one")
        .kubectl(&format!("cp {here} box:/d/all -c main"))
        .kubectl("exec box -c main -- cat /d/all/one /d/all/deep/two")
        .kubectl(&format!("cp box:/d/one {here}/back -c main"))
        .kubectl(&format!("cp default/box:d/all {here}/all -c main"))
        .kubectl(&format!("cp {here}/nothing box:/d/nothing -c main"))
        .kubectl(&format!("cp {here}/one box:/elsewhere -c main"))
        .kubectl(&format!("cp {here}/one box:/nowhere/one -c main"))
        .kubectl(&format!("cp {here}/one done:/d/one"))
        .kubectl(&format!("cp {here}/one nobody:/d/one"))
        .kubectl("cp box:/d/one box:/d/two");
    for (copied, content) in [("back", "first\n"), ("all/one", "first\n"), ("all/deep/two", "second\n")] {
        let copied = cluster.scratch().join("here").join(copied);
        assert_eq!(std::fs::read_to_string(&copied).unwrap(), content, "{}", copied.display());
    }
    let text = transcript.normalised().replace(&here.to_string(), "HERE");
    expect_file!["../golden/cp.txt"].assert_eq(&text);
}

#[test]
fn port_forward() {
    let cluster = with_toolbox();
    cluster.apply(&toolbox("web", "[serve, '8080']", "    ports: [{name: http, containerPort: 8080}]\n"));
    cluster.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n  \
         ports: [{port: 80, targetPort: http}]\n",
    );
    cluster.apply(&toolbox("done", "[echo, done]", ""));
    cluster.kubectl("wait --for=condition=Ready pod/web --timeout=60s").ok();
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/done --timeout=60s").ok();
    let ask = |line: &str| get(&format!("http://{}/hostname", line.split(' ').nth(2).unwrap()));
    let answered = |line: &str| assert_eq!(ask(line).as_deref(), Ok("web"));
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl_for_lines("port-forward --address=127.0.0.1 pod/web :8080", 2, answered)
        .kubectl_for_lines("port-forward --address=127.0.0.1 pod/web :http", 2, answered)
        .kubectl_for_lines("port-forward --address=127.0.0.1 svc/web :80", 2, answered)
        .kubectl_for_lines("port-forward --address=127.0.0.1 pod/web :81", 3, |line| {
            ask(line).unwrap_err();
        })
        .kubectl("port-forward svc/web :81")
        .kubectl("port-forward pod/web :nothing")
        .kubectl("port-forward pod/done :8080")
        .kubectl("port-forward pod/nobody :8080")
        .kubectl("port-forward svc/nobody :8080")
        .kubectl("port-forward pod/web");
    expect_file!["../golden/port_forward.txt"].assert_eq(&transcript.normalised());
}
