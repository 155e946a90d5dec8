//! The worlds of WASI in processes of their own: the samples, moved there.

use std::fs;
use std::thread;

use super::{isolated, pid_of, process_of, ready, shows};
use crate::harness::guests::{pod, pod_of, push, push_sample};
use crate::harness::{Cluster, eventually, get, signal};
use crate::hostile::{classes, isolation_is_possible};

/// Answers one letter by what its instance remembers; see the guest.
const COUNTING: &str = include_str!("../../../wasi-host/tests/guests/http.wat");

/// Has the pods of a sample's Deployment run in processes of their own; gives the name of one of them.
fn move_in(cluster: &Cluster, deployment: &str) -> String {
    let patch = r#"{"spec":{"template":{"spec":{"runtimeClassName":"wasm-isolated"}}}}"#;
    cluster.kubectl(&format!("patch deployment {deployment} -p '{patch}'")).ok();
    cluster.kubectl(&format!("rollout status deployment/{deployment} --timeout=60s")).ok();
    let selector = format!("-l app={deployment} --field-selector status.phase=Running");
    eventually("only isolated pods are left", || {
        let path = "{.items[*].spec.runtimeClassName}/{.items[*].metadata.name}";
        let found = cluster.kubectl(&format!("get pods {selector} -o jsonpath={path}")).result()?;
        let (classes, names) = found.split_once('/').unwrap_or_default();
        let all_are = classes.split(' ').count() == names.split(' ').count();
        let first = names.split(' ').next().filter(|_| all_are && !classes.is_empty());
        let first = first.ok_or_else(|| found.clone())?;
        process_of(cluster, first).map(|_| first.to_owned())
    })
}

/// A pod of [`pod_of`] with these annotations, in YAML's short form.
fn annotated(manifest: &str, annotations: &str) -> String {
    manifest.replacen("\nspec", &format!("\n  annotations: {{{annotations}}}\nspec"), 1)
}

/// The address of a pod that is ready.
fn address_of(cluster: &Cluster, name: &str) -> String {
    cluster.kubectl(&format!("get pod {name} -o jsonpath={{.status.podIP}}")).ok()
}

#[test]
fn a_service_of_wasi_0_3_answers_and_asks() {
    let cluster = Cluster::with_sample("hello-p3");
    move_in(&cluster, "hello-p3");
    let url = cluster.line("url");
    for path in ["", "upstream"] {
        let url = format!("{}/{path}", url.trim_end_matches('/'));
        let answer = eventually("it answers", || get(&url));
        assert!(answer.starts_with("Hello from hello-p3-") && answer.contains("by WASI 0.3"), "{answer}");
    }
}

#[test]
fn a_command_of_wasi_0_3_reads_dials_and_is_entered() {
    let cluster = Cluster::with_sample("toolbox-p3");
    move_in(&cluster, "echo-p3");
    let exec = |args: &str| cluster.kubectl(&format!("exec deploy/echo-p3 -- toolbox-p3 {args}"));
    assert_eq!(exec("cat /config/greeting").ok(), "hello by WASI 0.3");
    let address = cluster.kubectl("get svc echo-p3 -o jsonpath={.spec.clusterIP}").ok();
    assert_eq!(exec("resolve echo-p3").ok(), format!("{address}\n"));
    assert_eq!(exec("exit 7").code, 7);
}

#[test]
fn configuration_and_buckets_are_there() {
    let cluster = Cluster::with_sample("counter");
    let pod = move_in(&cluster, "counter");
    let url = cluster.line("url");
    // The first answer may still come from a pod that is about to go; each has a bucket of its own.
    eventually("it counts", || match get(&url)? {
        answer if answer == "Welcome, you are number 3\n" => Ok(()),
        other => Err(other),
    });
    let tool = |words: &str| cluster.kubectl(&format!("exec {pod} -- counter {words}")).ok();
    assert_eq!(tool("config").trim_end(), "API_TOKEN\nGREETING");
    assert_eq!(tool("config API_TOKEN").trim_end(), "not-a-real-token");
}

/// The annotations of the README, in both runtimes. An instance that answers one request has had one.
#[test]
fn instances_are_reused_as_the_pod_asks() {
    let cluster = Cluster::start();
    push(&cluster, "counting", COUNTING);
    let often = "coracle.internal/max-instance-reuse-count: '3', coracle.internal/idle-instance-timeout: 1m";
    let named = |name: &str, annotations: &str| annotated(&pod_of("counting", name, "Always", ""), annotations);
    for manifest in [
        named("once", ""),
        named("often", often),
        isolated(&named("once-isolated", "")),
        isolated(&named("often-isolated", often)),
    ] {
        cluster.apply(&manifest);
    }
    // What an instance has had with this request.
    let ask = |name: &str| -> String {
        let address = address_of(&cluster, name);
        let answer = get(&format!("http://{address}:8080/c")).unwrap();
        answer.strip_suffix("ello, world\n").unwrap_or(&answer).to_owned()
    };
    for name in ["once", "once-isolated"] {
        ready(&cluster, name);
        assert_eq!([ask(name), ask(name), ask(name)], ["1", "1", "1"], "{name}");
    }
    for name in ["often", "often-isolated"] {
        ready(&cluster, name);
        // It is kept a moment after its answer, so the next request may still find none.
        eventually("an instance answers three requests", || match &*ask(name) {
            "3" => Ok(()),
            few @ ("1" | "2") => Err(few.to_owned()),
            other => panic!("{name}: {other}"),
        });
    }
}

/// What a counter has: a bucket in `volume`, and a word to greet with.
fn counter(volume: &str) -> String {
    format!(
        "    env: [{{ name: GREETING, value: Welcome }}]\n    volumeMounts: [{{ name: keyvalue, mountPath: /keyvalue }}]\n  \
         volumes: [{{ name: keyvalue, {volume} }}]\n"
    )
}

#[test]
fn a_bucket_outlives_the_process() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = Cluster::start();
    push_sample(&cluster, "counter");
    cluster.apply(&isolated(&pod("counter", "Always", &counter("emptyDir: {}"))));
    ready(&cluster, "counter");
    let address = address_of(&cluster, "counter");
    let counts = |number: u32| {
        let answer = get(&format!("http://{address}:8080/"))?;
        assert_eq!(answer, format!("Welcome, you are number {number}\n"));
        Ok(())
    };
    eventually("it counts", || counts(1));
    signal(pid_of(&cluster, "counter"), "KILL");
    shows(&cluster, "counter", ".status.containerStatuses[0].restartCount", "1");
    eventually("it counts on", || counts(2));
}

/// They take turns in it, one in the node's process and one in its own.
#[test]
fn pods_of_both_kinds_share_a_bucket_and_lose_no_increment() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = Cluster::start();
    push_sample(&cluster, "counter");
    let dir = cluster.scratch().join("disk");
    fs::create_dir(&dir).unwrap();
    let volume = counter(&format!("hostPath: {{ path: {} }}", dir.display()));
    let named = |name: &str| pod_of("counter", name, "Always", &volume);
    cluster.apply(&named("inside"));
    cluster.apply(&isolated(&named("apart")));
    for name in ["inside", "apart"] {
        ready(&cluster, name);
    }
    let tool = |pod: &str, words: &str| cluster.kubectl(&format!("exec {pod} -- counter {words}"));
    thread::scope(|threads| {
        for pod in ["inside", "apart"] {
            threads.spawn(move || tool(pod, "add keyvalue n 1 100").ok());
        }
    });
    for pod in ["inside", "apart"] {
        assert_eq!(tool(pod, "get keyvalue n").ok().trim_end(), "200", "{pod}");
    }
    let refused = tool("apart", "get other n").failed();
    assert!(refused.contains("no such store"), "{refused}");
}

/// An instance of [`COUNTING`] holds a page of memory, also while nobody has asked it anything.
#[test]
fn instances_are_there_before_a_request_as_the_pod_asks() {
    let cluster = Cluster::start();
    push(&cluster, "counting", COUNTING);
    for class in classes() {
        let manifest = pod_of("counting", &class.to_string(), "Always", "");
        cluster.apply(&class.of(&annotated(&manifest, "coracle.internal/warm-instances: '3'")));
    }
    for class in classes() {
        ready(&cluster, &class.to_string());
        let sample = format!("{{container=\"main\",namespace=\"default\",pod=\"{class}\"}} {} ", 3 * (64 << 10));
        let all_are_there = || {
            let metrics = cluster.kubectl("get --raw /api/v1/nodes/node/proxy/metrics/resource").result()?;
            let name = "container_memory_working_set_bytes";
            if metrics.contains(&format!("{name}{sample}")) { Ok(()) } else { Err(metrics) }
        };
        eventually("they are there", all_are_there);
        let address = address_of(&cluster, &class.to_string());
        for _ in 0..5 {
            assert_eq!(get(&format!("http://{address}:8080/c")).unwrap(), "1ello, world\n", "{class}");
        }
        eventually("they are there again", all_are_there);
    }
}
