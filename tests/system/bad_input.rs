//! What kubectl users get wrong, and what they are told: golden texts.

use expect_test::expect_file;

use crate::harness::{Cluster, Transcript};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: x}]}\n";

#[test]
fn errors_are_kubernetes_own() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    let mut apply = |what: &str, manifest: &str| {
        transcript.kubectl_with_input(&format!("apply -f - '--field-manager={what}'"), manifest);
    };
    apply("malformed yaml", "kind: [\n");
    apply("unknown field", &POD.replace("image: x", "image: x, imagee: y"));
    apply("bad name", &POD.replace("name: p", "name: Bad_Name"));
    apply("no containers", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {}\n");
    apply("bad quantity", &POD.replace("image: x", "image: x, resources: {requests: {cpu: lots}}"));
    apply(
        "request over limit",
        &POD.replace("image: x", "image: x, resources: {requests: {cpu: 2}, limits: {cpu: 1}}"),
    );
    apply("missing namespace", &POD.replace("name: p", "name: p, namespace: nowhere"));
    apply("wrong type", &POD.replace("[{name: c, image: x}]", "all"));
    apply("bad label", &POD.replace("name: p", "name: p, labels: {a: 'not valid!'}"));
    apply("bad policy", &POD.replace("spec: {", "spec: {restartPolicy: Maybe, "));
    apply("fine", POD);
    apply("immutable", &POD.replace("image: x", "image: x, command: [other]"));
    transcript
        .kubectl("create deployment web --image=x --replicas=-1")
        .kubectl("patch pod p --type=json -p '[{\"op\":\"test\",\"path\":\"/metadata/name\",\"value\":\"q\"}]'")
        .kubectl("patch pod p -p {broken")
        .kubectl("delete pod nothing")
        .kubectl("delete pod p --grace-period=0 --force")
        .kubectl("get pods -l 'a in ('")
        .kubectl("get pods --field-selector=spec.nonsense=1");
    expect_file!["golden/errors.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn a_stale_resource_version_is_a_conflict() {
    let cluster = Cluster::start();
    cluster.kubectl("create configmap c --from-literal=a=1").ok();
    let old = cluster.kubectl("get cm c -o yaml").ok();
    cluster.kubectl("patch cm c -p {\"data\":{\"a\":\"2\"}}").ok();
    let error = cluster.kubectl_with_input("replace -f -", &old).failed();
    assert!(
        error.contains("Operation cannot be fulfilled on configmaps \"c\": the object has been modified"),
        "{error}"
    );
}

#[test]
fn a_body_over_three_mebibytes_is_refused() {
    let cluster = Cluster::start();
    let big =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big}}\ndata: {{a: {}}}\n", "x".repeat(4 << 20));
    let error = cluster.kubectl_with_input("create -f -", &big).failed();
    assert!(error.contains("Request entity too large: limit is 3145728"), "{error}");
}

#[test]
fn bad_flags_are_explained() {
    let run = |args: &[&str]| crate::harness::run(crate::harness::coracle().args(args)).failed();
    assert!(run(&["up", "/nowhere/at/all"]).contains("/nowhere/at/all"));
    assert!(run(&["up", "--port", "99999"]).contains("99999"));
    assert!(run(&["push", "x.wasm", "UPPER CASE"]).contains("UPPER CASE"));
    let overlap = run(&[
        "up",
        "--cluster-cidr",
        "127.9.0.0/16",
        "--service-cidr",
        "127.9.1.0/24",
        "--data-dir",
        "/nonexistent/x",
    ]);
    assert!(!overlap.is_empty());
}
