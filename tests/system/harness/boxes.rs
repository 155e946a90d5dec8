//! Pods of the toolbox, and what is asked of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use super::guests::{TOOLBOX, push_toolbox};
use super::{Cluster, eventually};

/// A cluster that has the toolbox in its registry.
pub fn cluster() -> Cluster {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    cluster
}

/// A pod of one container that runs `command` (a YAML list); `more` are further lines of the container, `spec` of the pod.
pub fn pod(name: &str, command: &str, more: &str, spec: &str) -> String {
    let indented =
        |text: &str, by: usize| -> String { text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect() };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{ app: {name} }}\n  annotations: {{ note: first }}\n\
         spec:\n  restartPolicy: Never\n  terminationGracePeriodSeconds: 1\n{}  containers:\n  - name: main\n    image: {TOOLBOX}\n    \
         command: {command}\n{}",
        indented(spec, 2),
        indented(more, 4)
    )
}

/// Applies a pod, waits for its end and gives its log.
pub fn output(cluster: &Cluster, manifest: &str, name: &str) -> String {
    cluster.apply(manifest);
    ended(cluster, name);
    cluster.kubectl(&format!("logs {name}")).ok()
}

/// Waits until the pod has succeeded.
pub fn ended(cluster: &Cluster, name: &str) {
    cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Succeeded pod/{name} --timeout=60s")).ok();
}

/// Waits until the pod is Ready.
pub fn ready(cluster: &Cluster, name: &str) {
    cluster.kubectl(&format!("wait --for=condition=Ready pod/{name} --timeout=60s")).ok();
}

/// Waits until a field of the pod is this; `path` is a JSONPath without its braces.
pub fn shows(cluster: &Cluster, name: &str, path: &str, wanted: &str) {
    eventually(&format!("{path} is {wanted}"), || {
        let found = cluster.kubectl(&format!("get pod {name} -o jsonpath={{{path}}}")).result()?;
        if found == wanted { Ok(()) } else { Err(found) }
    });
}

/// A cluster with the pod `box`, which only waits and has a volume at /d; `spec` are further lines of the pod.
pub fn with_a_box(spec: &str) -> Cluster {
    let cluster = cluster();
    let (more, volume) = ("volumeMounts: [{ name: d, mountPath: /d }]", "volumes: [{ name: d, emptyDir: {} }]");
    cluster.apply(&pod("box", "[sleep, '1000']", more, &format!("{volume}\n{spec}")));
    ready(&cluster, "box");
    cluster
}

/// A command of the box writes and reads its volume, one fails, one reads what is typed.
pub fn runs_commands(cluster: &Cluster) {
    let script = "exec box -- sh -c 'echo one > /d/file; echo two >> /d/file; cat /d/file'";
    assert_eq!(cluster.kubectl(script).ok(), "one\ntwo\n");
    // WASI 0.2 knows two exit codes only.
    let failed = cluster.kubectl("exec box -- exit 7");
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(failed.stderr.contains("command terminated with exit code 1"), "{}", failed.stderr);
    assert_eq!(cluster.kubectl_with_input("exec -i box -- stdin", "typed\n").ok(), "typed\n");
}

/// A file is copied into the box and out again.
pub fn copies_files(cluster: &Cluster) {
    let (there, back) = (cluster.scratch().join("there"), cluster.scratch().join("back"));
    std::fs::write(&there, "carried").unwrap();
    cluster.kubectl(&format!("cp {} box:/d/file", there.display())).ok();
    assert_eq!(cluster.kubectl("exec box -- cat /d/file").ok(), "carried");
    cluster.kubectl(&format!("cp box:/d/file {}", back.display())).ok();
    assert_eq!(std::fs::read_to_string(back).unwrap(), "carried");
}

/// Somebody attaches to a program that copies its input, and lets go: it reads the end, and succeeds.
pub fn is_attached_to(spec: &str) {
    let cluster = cluster();
    cluster.apply(&pod("box", "[stdin]", "stdin: true\nstdinOnce: true", spec));
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
    ended(&cluster, "box");
}

/// The box asks a Service, and places where nobody is, by `wasi:http/outgoing-handler`.
pub fn asks_by_http(cluster: &Cluster) {
    cluster.apply(&pod("web", "[serve, '8080']", "", ""));
    cluster.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n",
    );
    ready(cluster, "web");
    let asked =
        eventually("the Service answers", || cluster.kubectl("exec box -- fetch http://shop/hostname").result());
    assert_eq!(asked, "200\nweb");
    let asked = cluster.kubectl("exec box -- fetch http://shop.default.svc.cluster.local/status/404");
    assert!(asked.code != 0 && asked.stdout.starts_with("404\n"), "{}{}", asked.stdout, asked.stderr);
    for (url, why) in [
        ("http://127.0.0.1:9/", "ConnectionRefused"),
        ("http://nobody.example/", "NXDOMAIN"),
        ("https://shop:80/", "Tls"),
        ("ftp://shop/", "not http:// or https://"),
    ] {
        let asked = cluster.kubectl(&format!("exec box -- fetch {url}"));
        assert!(asked.code != 0 && asked.stderr.contains(&format!("fetch: {url}: ")), "{}", asked.stderr);
        assert!(asked.stderr.contains(why), "{}", asked.stderr);
    }
}
