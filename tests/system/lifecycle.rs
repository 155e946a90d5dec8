//! `coracle up` as a process: starting, stopping, starting again, and refusing what can't be.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use expect_test::expect_file;

use crate::harness::{Cluster, Options, coracle, eventually, get, normalise, run, sample, signal};

#[test]
fn the_sample_answers_and_everything_is_printed() {
    let cluster = Cluster::with_sample("hello");
    let answer = get(&cluster.line("url")).unwrap();
    assert!(answer.starts_with("Hello from hello-"), "{answer}");
    let kubeconfig = cluster.printed().lines().find_map(|l| l.strip_prefix("export KUBECONFIG=")).unwrap();
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
    let mut command = coracle();
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

#[test]
fn a_directory_of_a_newer_version_is_refused_and_left_alone() {
    let mut cluster = Cluster::start();
    cluster.kubectl("create configmap kept --from-literal=a=1").ok();
    cluster.stop();
    let version = cluster.data_dir().join("version");
    let before = std::fs::read(&version).unwrap();
    std::fs::write(&version, "99\n").unwrap();
    let error = run(&mut cluster.up()).failed();
    assert!(error.contains("was written by a newer version of coracle (layout 99"), "{error}");
    std::fs::write(&version, before).unwrap();
    cluster.boot();
    assert_eq!(cluster.kubectl("get configmap kept -o jsonpath={.data.a}").ok(), "1");
}

#[test]
fn killed_at_any_moment_of_its_start_it_starts_again() {
    let mut cluster = Cluster::unstarted(Options { deploy: vec![sample("hello")], ..Options::default() });
    for delay_ms in [0, 10, 30, 60, 100, 150, 250, 400, 700] {
        let mut child = cluster.up().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    cluster.boot();
    let answer = eventually("the sample answers", || get(&cluster.line("url")));
    assert!(answer.starts_with("Hello from hello-"), "{answer}");
    eventually("two pods", || {
        let pods = cluster.kubectl("get pods -o name").ok();
        if pods.lines().count() == 2 { Ok(()) } else { Err(pods) }
    });
}

#[test]
fn status_shows_a_cluster_on_one_screen() {
    let cluster = Cluster::with_sample("hello");
    let status = || run(coracle().args(["status", "--data-dir"]).arg(cluster.data_dir())).ok();
    expect_file!["golden/status.txt"].assert_eq(&normalise(&status()));

    let unknown = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeSelector: {a: b}, containers: [{name: c, image: x}]}\n";
    cluster.apply(unknown);
    eventually("the warning", || {
        let text = status();
        let warned = text.contains("FailedScheduling   pod/p") && text.contains("3 pods (2 ready)");
        if warned { Ok(()) } else { Err(text) }
    });
    let nowhere = cluster.scratch().join("nowhere");
    let error = run(coracle().args(["status", "--data-dir"]).arg(nowhere)).failed();
    assert!(error.contains("is the cluster running?"), "{error}");
}

#[test]
fn run_serves_http_and_stops_when_interrupted() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = coracle();
    command.args(["run", "--port", &port.to_string()]).arg(sample("hello").join("hello.wasm"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let url = lines.find_map(|line| line.strip_prefix("listening on ").map(String::from)).unwrap();
    assert!(eventually("an answer", || get(&url)).starts_with("Hello from "));
    // A client that holds its connection without asking anything does not hold the program.
    let _idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let begun = Instant::now();
    signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
}
