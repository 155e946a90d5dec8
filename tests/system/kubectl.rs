//! Golden transcripts of kubectl against the `hello` sample: what a user types, and what they see.

use expect_test::expect_file;

use crate::harness::{Cluster, DEADLINE, Transcript, eventually};

/// A cluster whose `hello` is up, with its events written.
fn hello() -> Cluster {
    let cluster = Cluster::with_sample("hello");
    cluster.kubectl("wait --for=condition=Available deploy/hello --timeout=60s").ok();
    cluster
}

#[test]
fn get_shows_what_kubernetes_shows() {
    let cluster = hello();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("get nodes,pods,svc,deploy -A -o wide")
        .kubectl("get rs,endpoints,endpointslices")
        .kubectl("get ns,sa,cm,secrets")
        .kubectl("get pods -l app=hello -o name")
        .kubectl("get pods -l app=other")
        .kubectl("get deploy hello -o jsonpath={.spec.replicas}/{.status.readyReplicas}")
        .kubectl(
            "get pods --field-selector=status.phase=Running -o custom-columns=PHASE:.status.phase,NODE:.spec.nodeName",
        )
        .kubectl("get lease -A")
        .kubectl("get all")
        .kubectl("get pods nothing")
        .kubectl("get nonsense");
    expect_file!["golden/get.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn apply_diff_edit_label_annotate_patch() {
    let cluster = Cluster::start();
    let first = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: one\n  b: two\n";
    let second = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: three\n";
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl_with_input("apply -f -", first)
        .kubectl_with_input("apply -f -", first)
        .kubectl_with_input("apply -f - --dry-run=server", second)
        .kubectl_with_input("apply -f -", second)
        .kubectl("get cm settings -o jsonpath={.data}")
        .kubectl("label cm settings tier=front")
        .kubectl("annotate cm settings note=hi")
        .kubectl("patch cm settings -p {\"data\":{\"c\":\"four\"}}")
        .kubectl("patch cm settings --type=merge -p {\"data\":{\"a\":null}}")
        .kubectl("patch cm settings --type=json -p [{\"op\":\"add\",\"path\":\"/data/d\",\"value\":\"five\"}]")
        .kubectl("get cm settings -o jsonpath={.data}{.metadata.labels}")
        .kubectl("create cm settings")
        .kubectl("delete cm settings");
    expect_file!["golden/apply.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn diff_shows_what_apply_would_change() {
    let cluster = hello();
    let manifest = std::fs::read_to_string(crate::harness::sample("hello").join("hello.yaml")).unwrap();
    let same = cluster.kubectl_with_input("diff -f -", &manifest);
    assert_eq!((same.code, same.stdout.as_str()), (0, ""), "{}", same.stderr);
    let changed = cluster.kubectl_with_input("diff -f -", &manifest.replace("replicas: 2", "replicas: 4"));
    assert_eq!(changed.code, 1, "{}", changed.stderr);
    let replicas: Vec<&str> = changed
        .stdout
        .lines()
        .filter(|line| line.trim_start_matches(['+', '-', ' ']).starts_with("replicas:"))
        .collect();
    assert_eq!(replicas, ["-  replicas: 2", "+  replicas: 4"]);
}

#[test]
fn edit_goes_through_the_editor() {
    let cluster = Cluster::start();
    cluster.kubectl("create configmap settings --from-literal=a=one").ok();
    let mut command = cluster.kubectl_command();
    command.env("KUBE_EDITOR", "sed -i s/one/two/").args(["edit", "configmap", "settings"]);
    assert_eq!(crate::harness::run(&mut command).ok(), "configmap/settings edited\n");
    assert_eq!(cluster.kubectl("get cm settings -o jsonpath={.data.a}").ok(), "two");
}

#[test]
fn rollout_scale_and_wait() {
    let cluster = hello();
    let wait = format!("rollout status deploy/hello --timeout={}s", DEADLINE.as_secs());
    let settled = |line: &str| {
        cluster.kubectl(line).ok();
        cluster.kubectl(&wait).ok();
    };
    settled("scale deploy/hello --replicas=5");
    settled("set env deploy/hello COLOUR=blue");
    settled("rollout restart deploy/hello");
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("rollout status deploy/hello")
        .kubectl("rollout history deploy/hello")
        .kubectl("rollout history deploy/hello --revision=2")
        .kubectl("rollout undo deploy/hello --to-revision=2");
    cluster.kubectl(&wait).ok();
    eventually("the old pods are gone", || {
        let pods = cluster.kubectl("get pods -o name").ok();
        if pods.lines().count() == 5 { Ok(()) } else { Err(pods) }
    });
    transcript
        .kubectl("rollout history deploy/hello")
        .kubectl("wait --for=condition=Ready pod -l app=hello --timeout=60s")
        .kubectl("get deploy hello")
        .kubectl("rollout pause deploy/hello")
        .kubectl("rollout resume deploy/hello")
        .kubectl("rollout undo deploy/hello --to-revision=99");
    expect_file!["golden/rollout.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn describe_tells_the_story() {
    let cluster = hello();
    let pod = cluster.kubectl("get pods -l app=hello -o name").ok().lines().next().unwrap().to_string();
    let mut transcript = Transcript::new(&cluster);
    transcript.kubectl("describe deploy hello").kubectl("describe svc hello").kubectl("describe ns default");
    expect_file!["golden/describe.txt"].assert_eq(&transcript.normalised());
    let described = cluster.kubectl(&format!("describe {pod}")).ok();
    for part in
        ["Status:           Running", "Successfully assigned default/", "Created container", "Started container"]
    {
        assert!(described.contains(part), "{part:?} is missing in:\n{described}");
    }
    let node = cluster.kubectl("describe node node").ok();
    for part in
        ["Container Runtime Version:  wasmtime://", "KubeletReady", "Non-terminated Pods:          (2 in total)"]
    {
        assert!(node.contains(part), "{part:?} is missing in:\n{node}");
    }
}

#[test]
fn discovery_explain_and_version() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("api-resources")
        .kubectl("api-versions")
        .kubectl("explain pod.spec.containers.image")
        .kubectl("explain deployment.spec.strategy.rollingUpdate")
        .kubectl("explain pod.spec.restartPolicy")
        .kubectl("explain pod.spec.nonsense")
        .kubectl("get --raw /readyz")
        .kubectl("get --raw /livez");
    expect_file!["golden/discovery.txt"].assert_eq(&transcript.normalised());
    assert!(cluster.kubectl("explain pod.spec.containers").ok().contains("livenessProbe"));
    assert!(cluster.kubectl("version").ok().contains("Server Version: v1.36."));
    assert!(cluster.kubectl("cluster-info").ok().contains("is running at"));
}

#[test]
fn delete_replaces_pods_and_empties_namespaces() {
    let cluster = hello();
    let first = cluster.kubectl("get pods -o name").ok();
    let pod = first.lines().next().unwrap();
    assert!(cluster.kubectl(&format!("delete {pod}")).ok().contains("deleted"));
    cluster.kubectl("rollout status deploy/hello --timeout=60s").ok();
    let second = cluster.kubectl("get pods -o name").ok();
    assert!(!second.contains(pod) && second.lines().count() == 2, "{second}");

    cluster.kubectl("create ns team").ok();
    cluster.kubectl("-n team create deployment web --image=registry.coracle.internal/hello:0.1.0 --replicas=2").ok();
    cluster.kubectl("-n team rollout status deploy/web --timeout=60s").ok();
    cluster.kubectl("delete ns team --timeout=60s").ok();
    let left = cluster.kubectl("get all,cm,sa -n team");
    assert!(left.stderr.contains("No resources found in team namespace."), "{}{}", left.stdout, left.stderr);
}

#[test]
fn events_are_listed() {
    let cluster = hello();
    let events = eventually("events of the Deployment", || {
        let events = cluster.kubectl("get events --sort-by=.lastTimestamp").ok();
        if events.contains("ScalingReplicaSet") { Ok(events) } else { Err(events) }
    });
    for reason in ["Scheduled", "Pulled", "Created", "Started", "SuccessfulCreate"] {
        assert!(events.contains(reason), "{reason} is missing in:\n{events}");
    }
    assert!(cluster.kubectl("events --for deployment/hello").ok().contains("Scaled up replica set"));
}

#[test]
fn watch_sees_pods_come_and_go() {
    let cluster = hello();
    let mut command = cluster.kubectl_command();
    command.args(["get", "pods", "-w", "--no-headers", "--request-timeout=8s"]);
    let watcher = std::thread::spawn(move || crate::harness::run(&mut command));
    cluster.kubectl("scale deploy/hello --replicas=3").ok();
    cluster.kubectl("rollout status deploy/hello --timeout=60s").ok();
    cluster.kubectl("scale deploy/hello --replicas=1").ok();
    let seen = watcher.join().expect("kubectl ends").stdout;
    for status in ["Running", "Terminating"] {
        assert!(seen.contains(status), "{status} is missing in:\n{seen}");
    }
}
