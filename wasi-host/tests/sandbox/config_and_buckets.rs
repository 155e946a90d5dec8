//! `wasi:config` and `wasi:keyvalue`: the counter sample, which also runs as a command beside itself.

use std::{fs, sync::Arc, sync::OnceLock, time::Duration};

use coracle_wasi_host::{Bucket, Container, Exec, PodContext, Preopen, Program, Stream, limits};
use futures::future::join_all;

use crate::support::{Log, container, engine, get, pod};

const COUNTER: &[u8] = include_bytes!("../../../samples/counter/counter.wasm");

fn counter() -> Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| engine().compile(COUNTER).unwrap()).clone()
}

/// A volume in a temporary directory, and counters that have buckets on it.
struct Volume {
    outer: tempfile::TempDir,
    pod: PodContext,
}

impl Volume {
    fn new() -> Volume {
        Volume { outer: tempfile::tempdir().unwrap(), pod: pod() }
    }

    fn bucket(&self, name: &str, read_only: bool) -> Bucket {
        Bucket { name: name.into(), host_path: self.outer.path().canonicalize().unwrap(), read_only }
    }

    async fn counter(&self, buckets: Vec<Bucket>) -> Running {
        let (mut config, _) = container(counter());
        config.buckets = buckets;
        config.env = vec![("HIDDEN".into(), "of the environment".into())];
        config.config = vec![("GREETING".into(), "Ahoy".into()), ("TOKEN".into(), "sesame".into())];
        Running(self.pod.start(config).await.unwrap())
    }
}

struct Running(Container);

impl Running {
    /// What a tool of the counter printed, or why it failed.
    async fn tool(&self, words: &[&str]) -> Result<String, String> {
        let log = Arc::new(Log::default());
        let args = ["counter"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        let exec = Exec { args, stdin: None, terminal: false, output: log.clone() };
        let exit = self.0.exec(exec).unwrap().wait().await;
        let said = log.text(if exit.code == 0 { Stream::Stdout } else { Stream::Stderr });
        let said = said.trim_end().to_owned();
        if exit.code == 0 { Ok(said) } else { Err(exit.message.unwrap_or(said)) }
    }

    async fn says(&self, words: &[&str], expected: &str) {
        assert_eq!(self.tool(words).await.as_deref(), Ok(expected), "{words:?}");
    }

    async fn fails(&self, words: &[&str], expected: &str) {
        assert_eq!(self.tool(words).await.unwrap_err(), expected, "{words:?}");
    }
}

#[tokio::test]
async fn a_server_counts_and_greets() {
    let volume = Volume::new();
    let running = volume.counter(vec![volume.bucket("keyvalue", false)]).await;
    let address = running.0.address().unwrap();
    for number in 1..=3 {
        let (status, body) = get(address, "/").await.unwrap();
        assert!(status == 200 && body.contains(&format!("Ahoy, you are number {number}\n")), "{body}");
    }
    running.says(&["get", "keyvalue", "requests"], "3").await;
    running.says(&["get", "", "requests"], "3").await;
    assert_eq!(fs::read_to_string(volume.outer.path().join(".keyvalue/=requests")).unwrap(), "3");
}

#[tokio::test]
async fn the_configuration_is_what_the_container_is_given_and_nothing_else() {
    let running = Volume::new().counter(Vec::new()).await;
    running.says(&["config"], "GREETING\nTOKEN").await;
    running.says(&["config", "TOKEN"], "sesame").await;
    running.says(&["config", "HIDDEN"], "(none)").await;
}

#[tokio::test]
async fn values_are_set_found_listed_and_deleted() {
    let volume = Volume::new();
    let running = volume.counter(vec![volume.bucket("v", false)]).await;
    running.says(&["get", "v", "k"], "(none)").await;
    running.says(&["keys", "v"], "").await;
    running.says(&["set", "v", "k", "one"], "").await;
    running.says(&["set", "v", "k", "two", "l", "three"], "").await;
    running.says(&["get", "v", "k", "none", "l"], "k=two\n(none)\nl=three").await;
    running.says(&["exists", "v", "k"], "true").await;
    running.says(&["delete", "v", "k"], "").await;
    running.says(&["exists", "v", "k"], "false").await;
    running.says(&["keys", "v"], "l").await;
    running.says(&["delete", "v", "l", "none"], "").await;
    running.says(&["keys", "v"], "").await;
    running.says(&["add", "v", "n", "40"], "40").await;
    running.says(&["add", "v", "n", "2"], "42").await;
    running.says(&["set", "v", "n", "text"], "").await;
    running.fails(&["add", "v", "n", "1"], "the value is no number from 0 to 2^64 - 1").await;
}

#[tokio::test]
async fn buckets_are_those_that_are_given() {
    let volume = Volume::new();
    let running = volume.counter(vec![volume.bucket("v", false), volume.bucket("fixed", true)]).await;
    for name in ["", "keyvalue", "other", "../v", "/"] {
        running.fails(&["get", name, "k"], "no such store").await;
    }
    running.says(&["set", "v", "k", "x"], "").await;
    running.says(&["get", "fixed", "k"], "x").await;
    for words in [
        &["set", "fixed", "k", "y"][..],
        &["set", "fixed", "k", "y", "l", "z"],
        &["delete", "fixed", "k"],
        &["delete", "fixed", "k", "l"],
        &["add", "fixed", "n", "1"],
    ] {
        running.fails(words, "access denied").await;
    }
    running.says(&["get", "v", "k"], "x").await;
}

#[tokio::test]
async fn what_is_too_much_is_told() {
    let volume = Volume::new();
    let running = volume.counter(vec![volume.bucket("v", false)]).await;
    let long = "k".repeat(limits::KEY_LIMIT_BYTES + 1);
    running.fails(&["get", "v", &long], "the key has 1025 bytes, at most 1024 are accepted").await;
    let most = limits::VALUE_LIMIT_BYTES;
    let more = (most + 1).to_string();
    running.says(&["fill", "v", "big", &most.to_string()], "").await;
    running
        .fails(&["fill", "v", "big", &more], &format!("the value has {more} bytes, at most {most} are accepted"))
        .await;
    let words = [&["get", "v"][..], &["big"; limits::BATCH_LIMIT_BYTES / limits::VALUE_LIMIT_BYTES + 1]].concat();
    running.fails(&words, "the values have more than 4194304 bytes together: use several calls").await;
    let keys = vec!["k"; limits::KEYS_PER_BATCH + 1];
    let words: Vec<&str> = ["delete", "v"].into_iter().chain(keys).collect();
    running.fails(&words, "1001 keys in one call, at most 1000 are accepted").await;
    assert_eq!(fs::read_dir(volume.outer.path().join(".keyvalue")).unwrap().count(), 1);
}

#[tokio::test]
async fn no_increment_of_two_containers_is_lost() {
    let volume = Volume::new();
    let (one, two) =
        (volume.counter(vec![volume.bucket("a", false)]).await, volume.counter(vec![volume.bucket("b", false)]).await);
    // More at once than a container may have under way.
    let adding =
        (0..12).flat_map(|_| [one.tool(&["add", "a", "n", "1", "20"]), two.tool(&["add", "b", "n", "1", "20"])]);
    for sum in join_all(adding).await {
        sum.unwrap();
    }
    one.says(&["get", "a", "n"], "480").await;
}

#[tokio::test]
async fn a_guest_that_goes_leaves_no_lock_behind() {
    let volume = Volume::new();
    let running = volume.counter(vec![volume.bucket("v", false)]).await;
    let (mut config, _) = container(counter());
    config.buckets = vec![volume.bucket("v", false)];
    let other = Running(pod().start(config).await.unwrap());
    let endless = other.tool(&["add", "v", "n", "1", "4000000000"]);
    let stopped = async {
        while running.tool(&["exists", "v", "n"]).await.unwrap() != "true" {}
        other.0.stop(Duration::ZERO).await
    };
    let (ended, _) = tokio::join!(endless, stopped);
    assert!(ended.is_err());
    let before: u64 = running.tool(&["get", "v", "n"]).await.unwrap().parse().unwrap();
    let after: u64 = running.tool(&["add", "v", "n", "1"]).await.unwrap().parse().unwrap();
    // One that was under way may have been done since.
    assert!((before + 1..=before + 2).contains(&after), "{before} {after}");
}

#[tokio::test]
async fn what_a_guest_puts_into_the_directory_is_no_way_out() {
    let volume = Volume::new();
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("=k"), "secret").unwrap();
    std::os::unix::fs::symlink(secret.path(), volume.outer.path().join(".keyvalue")).unwrap();
    let running = volume.counter(vec![volume.bucket("v", false)]).await;
    let foreign = ".keyvalue in the volume was not written by wasi:keyvalue";
    running.fails(&["get", "v", "k"], foreign).await;
    running.fails(&["set", "v", "k", "x"], foreign).await;
    running.fails(&["keys", "v"], foreign).await;
    assert_eq!(fs::read_to_string(secret.path().join("=k")).unwrap(), "secret");
}

#[tokio::test]
async fn a_component_of_0_3_has_both() {
    let volume = Volume::new();
    let (mut config, _) = container(crate::support::program(include_str!("../guests/config-and-buckets-p3.wat")));
    config.config = vec![("NAME".into(), "four".into())];
    config.buckets = vec![volume.bucket("data", false)];
    // Directories are no buckets by themselves.
    config.preopens =
        vec![Preopen { host_path: volume.bucket("", false).host_path, guest_path: "/x".into(), read_only: false }];
    let exit = volume.pod.start(config.clone()).await.unwrap().wait().await;
    assert_eq!(exit.code, 0, "{exit:?}");
    assert_eq!(fs::read_to_string(volume.outer.path().join(".keyvalue/=NAME")).unwrap(), "5");
    let exit = volume.pod.start(config).await.unwrap().wait().await;
    assert_eq!(exit.code, 1, "it was 5 before: {exit:?}");
}
