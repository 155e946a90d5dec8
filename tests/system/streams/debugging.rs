//! What `kubectl cp`, `debug`, `logs` and `top` do, by kube-rs.

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    ApiResource, AttachParams, DynamicObject, GroupVersionKind, ListParams, LogParams, Patch, PatchParams, PostParams,
};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{client, in_time, object};
use crate::harness::guests::{TOOLBOX, push_toolbox};
use crate::harness::{Cluster, DEADLINE};

/// A cluster with the pod `box`, which has a volume at /d and says `word` again and again.
async fn with_a_box() -> (Cluster, Client) {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    let client = client(&cluster).await;
    let wanted: Pod = object(json!({
        "metadata": {"name": "box", "labels": {"app": "box"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "d", "emptyDir": {}}],
            "containers": [{
                "name": "main",
                "image": TOOLBOX,
                "command": ["tick", "word", "50"],
                "volumeMounts": [{"name": "d", "mountPath": "/d"}],
            }],
        },
    }));
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    pods.create(&PostParams::default(), &wanted).await.unwrap();
    let running = |pod: Option<&Pod>| status(pod)["phase"] == "Running";
    in_time("running", await_condition(pods, "box", running)).await.unwrap();
    (cluster, client)
}

/// The status of a pod, to be looked into.
fn status(pod: Option<&Pod>) -> Value {
    pod.and_then(|pod| serde_json::to_value(pod.status.as_ref()).ok()).unwrap_or_default()
}

/// Runs a command with input, and gives what it prints.
async fn exec(pods: &Api<Pod>, command: &[&str], input: &[u8]) -> Vec<u8> {
    let streams = AttachParams::default().stdin(true).stderr(true);
    let mut process = pods.exec("box", command.iter().copied(), &streams).await.unwrap();
    let status = process.take_status().unwrap();
    let (mut stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    let mut stderr = process.stderr().unwrap();
    let (mut printed, mut complaint) = (Vec::new(), String::new());
    let feeding = async {
        stdin.write_all(input).await.unwrap();
        stdin.shutdown().await.unwrap();
        drop(stdin);
    };
    let all = async {
        tokio::join!(feeding, stdout.read_to_end(&mut printed), stderr.read_to_string(&mut complaint), status)
    };
    let (_, _, _, status) = in_time("the command", all).await;
    assert_eq!(status.unwrap().status.as_deref(), Some("Success"), "{command:?}: {complaint}");
    in_time("the connection's end", process.join()).await.unwrap();
    printed
}

#[tokio::test]
async fn a_program_copies_files_through_tar() {
    let (_cluster, client) = with_a_box().await;
    let pods: Api<Pod> = Api::default_namespaced(client);
    exec(&pods, &["sh", "-c", "mkdir /d/from; mkdir /d/to; write /d/from/file carried"], b"").await;
    let archive = exec(&pods, &["tar", "cf", "-", "-C", "/d/from", "."], b"").await;
    assert!(archive.len().is_multiple_of(512) && archive.windows(7).any(|part| part == b"carried"));
    exec(&pods, &["tar", "xf", "-", "-C", "/d/to"], &archive).await;
    assert_eq!(exec(&pods, &["cat", "/d/to/file"], b"").await, b"carried");
}

#[tokio::test]
async fn a_program_adds_ephemeral_containers() {
    let (_cluster, client) = with_a_box().await;
    let pods: Api<Pod> = Api::default_namespaced(client);
    let debugger = |name: &str| {
        json!({
            "name": name, "image": TOOLBOX, "command": ["echo", name],
            "targetContainerName": "main", "terminationMessagePolicy": "File",
        })
    };
    // A patch that says nothing of the order puts the newest first.
    for name in ["one", "two"] {
        let patch = json!({"spec": {"ephemeralContainers": [debugger(name)]}});
        pods.patch_ephemeral_containers("box", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    }
    // The node may write the status meanwhile.
    let add_one = async {
        loop {
            let mut pod = pods.get_ephemeral_containers("box").await.unwrap();
            let debuggers = pod.spec.as_mut().unwrap().ephemeral_containers.as_mut().unwrap();
            assert_eq!(debuggers.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["two", "one"]);
            debuggers.push(object(debugger("three")));
            match pods.replace_ephemeral_containers("box", &PostParams::default(), &pod).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                other => break other.unwrap(),
            }
        }
    };
    in_time("no conflict", add_one).await;
    let done = |pod: Option<&Pod>| {
        let status = status(pod);
        let ended = |debugger: &&Value| debugger["state"]["terminated"]["exitCode"] == 0;
        status["ephemeralContainerStatuses"].as_array().into_iter().flatten().filter(ended).count() == 3
    };
    in_time("their ends", await_condition(pods.clone(), "box", done)).await.unwrap();
    for name in ["one", "two", "three"] {
        let of = LogParams { container: Some(name.into()), ..LogParams::default() };
        assert_eq!(pods.logs("box", &of).await.unwrap(), format!("{name}\n"));
    }
}

#[tokio::test]
async fn a_program_reads_logs_by_time_and_size() {
    let (_cluster, client) = with_a_box().await;
    let pods: Api<Pod> = Api::default_namespaced(client);
    let wanted = LogParams { timestamps: true, follow: true, tail_lines: Some(1), ..LogParams::default() };
    let mut lines = pods.log_stream("box", &wanted).await.unwrap().lines();
    for _ in 0..3 {
        let line = in_time("a line", lines.try_next()).await.unwrap().unwrap();
        let (time, word) = line.split_once(' ').unwrap();
        assert_eq!((word, time.parse::<k8s_openapi::jiff::Timestamp>().is_ok()), ("word", true), "{line}");
    }
    let wanted = LogParams { limit_bytes: Some(7), since_seconds: Some(3600), ..LogParams::default() };
    assert_eq!(pods.logs("box", &wanted).await.unwrap(), "word\nwo");
    let wanted = LogParams { previous: true, ..LogParams::default() };
    let refused = pods.logs("box", &wanted).await.unwrap_err().to_string();
    assert!(refused.contains("previous terminated container \"main\" in pod \"box\" not found"), "{refused}");
}

#[tokio::test]
async fn a_program_reads_metrics() {
    let (_cluster, client) = with_a_box().await;
    let kind = |kind: &str, plural: &str| {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", kind), plural)
    };
    let pods: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &kind("PodMetrics", "pods"));
    let begun = std::time::Instant::now();
    let of_the_box = ListParams::default().labels("app=box");
    // The node looks every few seconds, and a rate needs two looks.
    let found = loop {
        match pods.list(&of_the_box).await.unwrap().items.pop() {
            Some(found) => break found,
            None => assert!(begun.elapsed() < DEADLINE, "no metrics"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let container = &found.data["containers"][0];
    assert_eq!(container["name"], "main");
    assert!(container["usage"]["memory"].as_str().unwrap().ends_with("Ki"), "{container}");
    assert_eq!(pods.get("box").await.unwrap().metadata.name.as_deref(), Some("box"));
    let nodes: Api<DynamicObject> = Api::all_with(client, &kind("NodeMetrics", "nodes"));
    let node = nodes.get("node").await.unwrap();
    assert!(node.data["usage"]["cpu"].is_string() && node.data["window"].is_string(), "{:?}", node.data);
}
