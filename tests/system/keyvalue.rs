//! Configuration by `wasi:config` and buckets by `wasi:keyvalue`: the counter sample.

use std::thread;

use serde_json::{Value, json};

use crate::harness::guests::{image, push_sample};
use crate::harness::{Cluster, coracle, eventually, get, run, sample};

/// Runs a pod of counters, by name, that mount a volume; `more` are further fields of each.
fn apply(cluster: &Cluster, name: &str, volume: &Value, containers: &[&str], more: &Value) {
    let container = |(index, name): (usize, &&str)| {
        let mut container = json!({"name": name, "image": image("counter"), "ports": [{"containerPort": 8080 + index}],
            "volumeMounts": [{"name": volume["name"], "mountPath": "/v"}]});
        container.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        container
    };
    let containers: Vec<_> = containers.iter().enumerate().map(container).collect();
    let spec = json!({"terminationGracePeriodSeconds": 1, "volumes": [volume], "containers": containers});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    cluster.apply(&pod.to_string());
    cluster.kubectl(&format!("wait --for=condition=Ready pod/{name} --timeout=60s")).ok();
}

fn counters() -> Cluster {
    let cluster = Cluster::start();
    push_sample(&cluster, "counter");
    cluster
}

#[test]
fn the_sample_greets_from_its_configuration_and_counts_on_after_kill_9() {
    let mut cluster = Cluster::with_sample("counter");
    let url = cluster.line("url");
    let tool =
        |cluster: &Cluster, words: &str| cluster.kubectl(&format!("exec deploy/counter -- counter {words}")).ok();
    for number in 1..=3 {
        assert_eq!(get(&url).unwrap(), format!("Welcome, you are number {number}\n"));
    }
    assert_eq!(tool(&cluster, "config").trim_end(), "API_TOKEN\nGREETING", "no variable of the host or of Services");
    assert_eq!(tool(&cluster, "config API_TOKEN").trim_end(), "not-a-real-token");

    cluster.kill();
    cluster.boot();
    eventually("it counts on", || get(&url).map(|text| assert_eq!(text, "Welcome, you are number 4\n")));
}

#[test]
fn a_bucket_outlives_the_container() {
    let cluster = counters();
    // It is alive as long as this is a number, which each start makes it.
    let probe =
        json!({"exec": {"command": ["counter", "add", "v", "health", "0"]}, "periodSeconds": 1, "failureThreshold": 1});
    let heal = json!({"exec": {"command": ["counter", "set", "v", "health", "0"]}});
    let more = json!({"livenessProbe": probe, "lifecycle": {"postStart": heal}});
    apply(&cluster, "p", &json!({"name": "v", "emptyDir": {}}), &["main"], &more);
    cluster.kubectl("exec p -- counter set v kept yes health bad").ok();
    eventually("the container is started again", || {
        let path = "{.status.containerStatuses[0].restartCount}";
        let restarts = cluster.kubectl(&format!("get pod p -o jsonpath={path}")).ok();
        if restarts == "0" { Err(restarts) } else { Ok(()) }
    });
    let kept = eventually("it answers", || cluster.kubectl("exec p -- counter get v kept").result());
    assert_eq!(kept.trim_end(), "yes");
}

#[test]
fn a_bucket_of_the_host_outlives_the_pod() {
    let cluster = counters();
    let dir = cluster.scratch().join("disk");
    std::fs::create_dir_all(&dir).unwrap();
    let volume = json!({"name": "disk", "hostPath": {"path": dir}});
    for round in 1..=2 {
        apply(&cluster, "p", &volume, &["main"], &json!({}));
        assert_eq!(cluster.kubectl("exec p -- counter add disk rounds 1").ok().trim_end(), round.to_string());
        cluster.kubectl("delete pod p").ok();
    }
    apply(&cluster, "one", &volume, &["main"], &json!({}));
    apply(&cluster, "two", &volume, &["main"], &json!({}));
    cluster.kubectl("exec one -- counter set disk from one").ok();
    assert_eq!(cluster.kubectl("exec two -- counter get disk from").ok().trim_end(), "one");
}

#[test]
fn containers_that_share_a_bucket_lose_no_increment() {
    let cluster = counters();
    apply(&cluster, "p", &json!({"name": "shared", "emptyDir": {}}), &["a", "b"], &json!({}));
    thread::scope(|threads| {
        for container in ["a", "b", "a", "b"] {
            let cluster = &cluster;
            threads
                .spawn(move || cluster.kubectl(&format!("exec p -c {container} -- counter add shared n 1 250")).ok());
        }
    });
    assert_eq!(cluster.kubectl("exec p -c a -- counter get shared n").ok().trim_end(), "1000");
    let refused = cluster.kubectl("exec p -c a -- counter get other n");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("no such store"), "{}", refused.stderr);
}

#[test]
fn a_bucket_counts_against_the_size_of_its_volume() {
    let cluster = counters();
    apply(&cluster, "p", &json!({"name": "small", "emptyDir": {"sizeLimit": "1Mi"}}), &["main"], &json!({}));
    for key in ["one", "two"] {
        cluster.kubectl(&format!("exec p -- counter fill small {key} 1000000")).ok();
    }
    eventually("the pod is evicted", || {
        let status = cluster.kubectl("get pod p -o jsonpath={.status.reason}:{.status.message}").ok();
        let wanted = "Evicted:Usage of EmptyDir volume \"small\" exceeds the limit \"1Mi\"";
        if status.starts_with(wanted) { Ok(()) } else { Err(status) }
    });
}

#[test]
fn an_image_shows_that_it_wants_them() {
    let wasm = sample("counter").join("counter.wasm");
    let inspected = run(coracle().args(["image", "inspect"]).arg(wasm)).ok();
    assert!(inspected.starts_with("kind:       component\nwasi:       0.2.12\n"), "{inspected}");
    for interface in ["wasi:config/store@0.2.0-rc.1", "wasi:keyvalue/atomics@0.2.0-draft"] {
        assert!(inspected.contains(interface), "{inspected}");
    }
}
