//! Volumes that are the files of an image.

use serde_json::{Value, json};

use crate::harness::artifacts::{put, put_linux};
use crate::harness::guests::{TOOLBOX, image, push_toolbox};
use crate::harness::{Cluster, eventually};

/// Runs a pod of the toolbox whose containers, each a name and its mounts, wait for something to do.
fn apply(cluster: &Cluster, name: &str, volumes: &Value, containers: &[(&str, Value)]) {
    let container = |(name, mounts): &(&str, Value)| json!({"name": name, "image": TOOLBOX, "command": ["sh", "-c", "sleep 3600"], "volumeMounts": mounts});
    let containers: Vec<_> = containers.iter().map(container).collect();
    let spec = json!({"terminationGracePeriodSeconds": 1, "volumes": volumes, "containers": containers});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    cluster.apply(&pod.to_string());
}

fn ready(cluster: &Cluster, pod: &str) {
    cluster.kubectl(&format!("wait --for=condition=Ready pod/{pod} --timeout=60s")).ok();
}

fn cat(cluster: &Cluster, pod: &str, path: &str) -> String {
    cluster.kubectl(&format!("exec {pod} -- cat {path}")).ok()
}

/// Waits for a container's waiting reason and message.
fn waits(cluster: &Cluster, pod: &str, container: &str, reason: &str, why: &str) {
    let path = format!("{{.status.containerStatuses[?(@.name==\"{container}\")].state.waiting}}");
    eventually(&format!("{pod}'s {container} waits with {reason}"), || {
        let waiting = cluster.kubectl(&format!("get pod {pod} -o jsonpath={path}")).ok().replace("\\\"", "\"");
        if waiting.contains(&format!("{reason}\"")) && waiting.contains(why) { Ok(()) } else { Err(waiting) }
    });
}

fn tells(cluster: &Cluster, pod: &str, wanted: &str) {
    eventually(&format!("{pod}'s events tell {wanted}"), || {
        let events = cluster.kubectl(&format!("events --for pod/{pod}")).ok();
        if events.contains(wanted) { Ok(()) } else { Err(events) }
    });
}

#[test]
fn the_files_of_an_image_are_there_to_be_read() {
    let mut cluster = Cluster::start();
    push_toolbox(&cluster);
    let first: &[(&str, &str)] = &[("etc/conf", "conf"), ("greeting", "old"), ("gone", "x")];
    put_linux(&cluster, "data", &[first, &[("greeting", "new"), (".wh.gone", "")]]);
    let volumes = json!([
        {"name": "data", "image": {"reference": image("data")}},
        {"name": "box", "image": {"reference": TOOLBOX, "pullPolicy": "Never"}},
    ]);
    let mounts = json!([{"name": "data", "mountPath": "/data"}, {"name": "box", "mountPath": "/box"},
        {"name": "data", "mountPath": "/conf", "subPath": "etc"}]);
    apply(&cluster, "one", &json!([volumes[0]]), &[("main", json!([mounts[0]]))]);
    ready(&cluster, "one");
    tells(&cluster, "one", &format!("Pulling image \"{}\"", image("data")));
    tells(&cluster, "one", &format!("Successfully pulled image \"{}\"", image("data")));

    // The second pod has the same directory, and the toolbox's module out of what is here to run it.
    apply(&cluster, "two", &volumes, &[("main", mounts)]);
    ready(&cluster, "two");
    tells(&cluster, "two", &format!("Container image \"{}\" already present on machine", image("data")));
    let roots = std::fs::read_dir(cluster.data_dir().join("images/rootfs")).unwrap().count();
    assert_eq!(roots, 2, "one for each image");
    for pod in ["one", "two"] {
        assert_eq!(cat(&cluster, pod, "/data/greeting"), "new");
        assert_eq!(cat(&cluster, pod, "/data/etc/conf"), "conf");
        let listed = cluster.kubectl(&format!("exec {pod} -- ls /data")).ok();
        assert!(listed.contains("greeting") && !listed.contains("gone"), "{listed}");
        cluster.kubectl(&format!("exec {pod} -- write /data/greeting other")).failed();
        cluster.kubectl(&format!("exec {pod} -- rm /data/greeting")).failed();
    }
    assert_eq!(cat(&cluster, "two", "/conf/conf"), "conf");
    assert!(cluster.kubectl("exec two -- ls /box").ok().contains("module.wasm"));

    cluster.stop();
    cluster.boot();
    eventually("the pod runs again, with its volume", || {
        cluster.kubectl("exec two -- cat /conf/conf").result().and_then(|text| match &*text {
            "conf" => Ok(()),
            _ => Err(text),
        })
    });
}

#[test]
fn an_artifact_shows_its_files_by_their_titles() {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    let config = ("application/vnd.oci.empty.v1+json", b"{}".as_slice());
    let layers = [
        (Some("model.bin"), "application/octet-stream", b"weights".as_slice()),
        (Some("docs/about"), "text/plain", b"words".as_slice()),
    ];
    put(&cluster, "model", config, &layers);
    let volumes = json!([{"name": "v", "image": {"reference": image("model"), "pullPolicy": "Always"}}]);
    let mounts = json!([{"name": "v", "mountPath": "/model"}, {"name": "v", "mountPath": "/docs", "subPath": "docs"}]);
    apply(&cluster, "p", &volumes, &[("main", mounts)]);
    ready(&cluster, "p");
    assert_eq!(cat(&cluster, "p", "/model/model.bin"), "weights");
    assert_eq!(cat(&cluster, "p", "/docs/about"), "words");
}

#[test]
fn what_mounts_an_image_that_can_not_be_had_waits_and_nothing_else() {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    put_linux(&cluster, "data", &[&[("file", "x")]]);
    let volume =
        |name: &str, policy: &str| json!([{"name": "v", "image": {"reference": image(name), "pullPolicy": policy}}]);
    let mount = |sub_path: &str| ("main", json!([{"name": "v", "mountPath": "/v", "subPath": sub_path}]));
    apply(&cluster, "missing", &volume("nothing", "IfNotPresent"), &[mount(""), ("other", json!([]))]);
    apply(&cluster, "never", &volume("nothing", "Never"), &[mount("")]);
    apply(&cluster, "place", &volume("data", "IfNotPresent"), &[mount("no/such")]);
    apply(&cluster, "file", &volume("data", "IfNotPresent"), &[mount("file")]);

    let nothing = image("nothing");
    waits(
        &cluster,
        "missing",
        "main",
        "ImagePullBackOff",
        &format!("Back-off pulling image \"{nothing}\": ErrImagePull"),
    );
    tells(&cluster, "missing", &format!("Failed to pull image \"{nothing}\""));
    tells(&cluster, "missing", "Error: ErrImagePull");
    tells(&cluster, "missing", &format!("Back-off pulling image \"{nothing}\""));
    eventually("the container without the volume runs", || {
        let path = "{.status.containerStatuses[?(@.name==\"other\")].state.running}";
        let running = cluster.kubectl(&format!("get pod missing -o jsonpath={path}")).ok();
        if running.is_empty() { Err(running) } else { Ok(()) }
    });
    waits(&cluster, "never", "main", "ErrImageNeverPull", "is not present with pull policy of Never");
    let text =
        format!("ImageVolumeMountFailed: sub path \"no/such\" does not exist in image volume \"{}\"", image("data"));
    waits(&cluster, "place", "main", "CreateContainerError", &text);
    tells(&cluster, "place", "ImageVolumeMountFailed");
    waits(&cluster, "file", "main", "CreateContainerError", "only directory subpath is supported");

    // It is tried again, like the image of a container.
    put_linux(&cluster, "nothing", &[&[("file", "late")]]);
    ready(&cluster, "missing");
    assert_eq!(cluster.kubectl("exec missing -c main -- cat /v/file").ok(), "late");
}
