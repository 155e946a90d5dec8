//! `coracle up` as a process: starting, stopping, starting again, and refusing what can't be.

use std::time::Duration;

use crate::harness::{Cluster, eventually, get, run};

#[test]
fn the_sample_answers_and_everything_is_printed() {
    let cluster = Cluster::with_sample("hello");
    let answer = get(&cluster.line("url")).unwrap();
    assert!(answer.starts_with("Hello from hello-"), "{answer}");
    let kubeconfig = cluster.printed.lines().find_map(|l| l.strip_prefix("export KUBECONFIG=")).unwrap();
    assert_eq!(kubeconfig, cluster.kubeconfig().to_str().unwrap());
    assert!(get(&format!("http://{}/v2/", cluster.line("registry"))).is_ok());
    assert_eq!(cluster.kubectl("get --raw /readyz").ok(), "ok");
}

#[test]
fn stopped_and_started_again_it_is_as_before() {
    let mut cluster = Cluster::with_sample("hello");
    let state = |cluster: &Cluster| {
        cluster.kubectl("get pods,svc -o jsonpath={range@.items[*]}{.metadata.uid}:{.status.podIP}{.spec.clusterIP}{\"\\n\"}{end}").ok()
    };
    let before = state(&cluster);
    let url = cluster.line("url");
    let took = cluster.stop();
    assert!(took < Duration::from_secs(2), "Ctrl-C took {took:?}");
    cluster.boot();
    assert_eq!(state(&cluster), before);
    assert_eq!(cluster.line("url"), url);
    eventually("the sample answers again", || get(&url));
}

#[test]
fn clusters_run_side_by_side() {
    let (one, two) = (Cluster::with_sample("hello"), Cluster::with_sample("hello"));
    assert_ne!(one.line("url"), two.line("url"));
    one.kubectl("delete deploy hello").ok();
    get(&two.line("url")).unwrap();
}

#[test]
fn a_directory_in_use_is_refused() {
    let cluster = Cluster::start();
    let error = run(&mut cluster.up()).failed();
    assert!(error.contains("is in use by process") && error.contains("--data-dir"), "{error}");
}

#[test]
fn a_port_in_use_is_refused() {
    let cluster = Cluster::start();
    let api = cluster.line("api");
    let port = api.rsplit(':').next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = crate::harness::coracle();
    command.args(["up", "--cluster-cidr", "127.0.0.0/8", "--port", port, "--registry-port", "0", "--data-dir"]);
    let error = run(command.arg(directory.path())).failed();
    assert!(error.contains(&format!("cannot listen on 127.0.0.1:{port}")) && error.contains("--port"), "{error}");
}

#[test]
fn strangers_are_turned_away() {
    let cluster = Cluster::start();
    let api = cluster.line("api");
    let curl = |path: &str| {
        run(std::process::Command::new("curl").args([
            "-sk",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            &format!("{api}{path}"),
        ]))
        .ok()
    };
    assert_eq!(curl("/readyz"), "200");
    assert_eq!(curl("/api/v1/namespaces/default/pods"), "401");
}
