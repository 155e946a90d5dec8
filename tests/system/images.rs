//! Images: pushing, pulling, registries other than the built-in one, and everything that is wrong with an image.

mod tls;

use std::net::TcpListener;

use crate::harness::{Cluster, DockerRegistry, coracle, eventually, run, sample, skip};

fn push_hello(reference: &str) {
    run(coracle().arg("push").arg(sample("hello").join("hello.wasm")).arg(reference)).ok();
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: main, image: '{image}'}}]}}\n"
    )
}

/// Waits for a waiting reason of the pod's container and for an event that says why.
fn expect_waiting(cluster: &Cluster, pod: &str, reason: &str, event: &str) {
    eventually(reason, || {
        let found =
            cluster.kubectl(&format!("get pod {pod} -o jsonpath={{.status.containerStatuses[0].state.waiting}}")).ok();
        if found.contains(reason) { Ok(()) } else { Err(found) }
    });
    eventually(event, || {
        let events = cluster.kubectl(&format!("events --for pod/{pod}")).ok();
        if events.contains(event) { Ok(()) } else { Err(events) }
    });
}

#[test]
fn a_foreign_registry_serves_pods() {
    let directory = tempfile::tempdir().unwrap();
    let registry = DockerRegistry::start(directory.path(), "", "");
    let Some(registry) = registry else { return skip("docker-registry is not installed") };
    let cluster = Cluster::start();
    let image = format!("{}/team/hello:1", registry.address);
    push_hello(&image);
    cluster.apply(&pod("hello", &image));
    cluster.kubectl("wait --for=condition=Ready pod/hello --timeout=60s").ok();

    let file = cluster.scratch().join("copy.wasm");
    run(coracle().args(["pull", &image, "--output"]).arg(&file)).ok();
    assert_eq!(std::fs::read(file).unwrap(), std::fs::read(sample("hello").join("hello.wasm")).unwrap());
}

#[test]
fn the_built_in_registry_round_trips() {
    let cluster = Cluster::start();
    let image = format!("{}/hello:1", cluster.line("registry"));
    push_hello(&image);
    let file = cluster.scratch().join("copy.wasm");
    run(coracle().args(["pull", &image, "--output"]).arg(&file)).ok();
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(sample("hello").join("hello.wasm")).unwrap());
    let error = run(coracle().args(["pull", &image, "--output"]).arg(&file)).failed();
    assert!(error.contains("exists") && error.contains("--force"), "{error}");

    cluster.apply(&pod("hello", &image));
    cluster.kubectl("wait --for=condition=Ready pod/hello --timeout=60s").ok();
    let listed = run(coracle().args(["image", "ls", "--data-dir"]).arg(cluster.data_dir())).ok();
    assert!(listed.contains(&image), "{listed}");
    let inspected = run(coracle().args(["image", "inspect", &image])).ok();
    assert!(inspected.contains("wasi:http/incoming-handler"), "{inspected}");
}

#[test]
fn an_unknown_image_backs_off() {
    let cluster = Cluster::start();
    cluster.apply(&pod("unknown", "registry.coracle.internal/nothing:1"));
    expect_waiting(
        &cluster,
        "unknown",
        "ImagePullBackOff",
        "Back-off pulling image \"registry.coracle.internal/nothing:1\"",
    );
    let events = cluster.kubectl("events --for pod/unknown").ok();
    assert!(events.contains("not found") && events.contains("ErrImagePull"), "{events}");
}

#[test]
fn an_unreachable_registry_is_named() {
    let cluster = Cluster::start();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    cluster.apply(&pod("closed", &format!("{closed}/x:1")));
    expect_waiting(&cluster, "closed", "ImagePullBackOff", &closed.to_string());
}

#[test]
fn a_bad_image_name_is_refused() {
    let cluster = Cluster::start();
    cluster.apply(&pod("bad", "Not A Name"));
    expect_waiting(&cluster, "bad", "InvalidImageName", "Failed to apply default image tag");
}

#[test]
fn an_image_never_pulled_must_be_there() {
    let cluster = Cluster::start();
    let manifest =
        pod("never", "registry.coracle.internal/hello:1").replace("name: main,", "name: main, imagePullPolicy: Never,");
    cluster.apply(&manifest);
    expect_waiting(&cluster, "never", "ErrImageNeverPull", "is not present with pull policy of Never");
}

#[test]
fn files_that_are_no_wasm_are_not_pushed() {
    let directory = tempfile::tempdir().unwrap();
    let module = std::fs::read(sample("hello").join("hello.wasm")).unwrap();
    for (name, bytes) in [("truncated.wasm", &module[..module.len() / 2]), ("text.wasm", b"hello".as_slice())] {
        let file = directory.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let error = run(coracle().arg("push").arg(&file).arg("127.0.0.1:1/x:1")).failed();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn run_needs_no_cluster() {
    let file = sample("batch").join("batch.wasm");
    assert_eq!(run(coracle().arg("run").arg(&file).arg("100")).ok(), "25 primes up to 100\n");
    let bad = run(coracle().arg("run").arg(&file).arg("many"));
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.contains("must be a whole number"), "{}", bad.stderr);
    let error = run(coracle().args(["run", "./nothing.wasm"])).failed();
    assert!(error.contains("there is no file ./nothing.wasm"), "{error}");
}
