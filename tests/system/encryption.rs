//! Secrets at rest: unreadable in the data directory, rotated to a new key, and lost without one.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Cluster, eventually, run};

/// What is hidden, what is put in its place, and what is not hidden: that is found where the other must not be.
const HIDDEN: &str = "correct-horse-battery-staple";
const NEXT: &str = "wrong-cow-accumulator-clip";
const OPEN: &str = "everybody-may-read-this";

/// Files below `directory` in which one of the texts stands.
fn files_with(directory: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                let holds = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
                found.extend(texts.iter().any(holds).then(|| entry.path().display().to_string()));
            }
        }
    }
    found
}

/// A text as it is typed, and as a Secret has it.
fn is_unreadable(cluster: &Cluster, text: &str) {
    assert_eq!(files_with(&cluster.data_dir(), &[text, &STANDARD.encode(text)]), Vec::<String>::new());
}

fn value(cluster: &Cluster) -> String {
    let encoded = cluster.kubectl("get secret key -o jsonpath={.data.word}").ok();
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}

/// An `EncryptionConfiguration` whose keys have these names and bytes.
fn configuration(keys: &[(&str, u8)]) -> String {
    let key =
        |(name, byte): &(&str, u8)| format!("      - {{name: {name}, secret: {}}}\n", STANDARD.encode([*byte; 32]));
    let keys: String = keys.iter().map(key).collect();
    format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  \
         providers:\n  - secretbox:\n      keys:\n{keys}"
    )
}

#[test]
fn secrets_are_unreadable_in_the_data_directory() {
    let mut cluster = Cluster::start();
    cluster.kubectl(&format!("create secret generic key --from-literal=word={HIDDEN}")).ok();
    cluster.kubectl(&format!("create configmap open --from-literal=word={OPEN}")).ok();
    assert_eq!(value(&cluster), HIDDEN);
    assert!(!files_with(&cluster.data_dir(), &[OPEN]).is_empty(), "what is not hidden is found");
    is_unreadable(&cluster, HIDDEN);
    let patch = format!("patch secret key -p {{\"stringData\":{{\"word\":\"{NEXT}\"}}}}");
    cluster.kubectl(&patch).ok();
    cluster.kill();
    is_unreadable(&cluster, HIDDEN);
    is_unreadable(&cluster, NEXT);
    cluster.boot();
    assert_eq!(value(&cluster), NEXT);
    is_unreadable(&cluster, NEXT);
}

#[test]
fn another_first_key_encrypts_everything_anew() {
    let mut cluster = Cluster::unstarted(crate::harness::Options::default());
    let file = cluster.scratch().join("encryption.yaml");
    cluster.options.flags = vec!["--encryption-provider-config".into(), file.display().to_string()];
    fs::write(&file, configuration(&[("old", 1)])).unwrap();
    cluster.boot();
    cluster.kubectl(&format!("create secret generic key --from-literal=word={HIDDEN}")).ok();
    cluster.stop();

    fs::write(&file, configuration(&[("new", 2), ("old", 1)])).unwrap();
    cluster.boot();
    assert_eq!(value(&cluster), HIDDEN);
    eventually("nothing is of the old key", || {
        let metrics = cluster.kubectl("get --raw /metrics").ok();
        let stale: Vec<_> = metrics.lines().filter(|line| line.starts_with("store_stale_")).collect();
        if stale == ["store_stale_objects 0", "store_stale_log 0"] { Ok(()) } else { Err(stale.join("; ")) }
    });
    cluster.stop();

    fs::write(&file, configuration(&[("new", 2)])).unwrap();
    cluster.boot();
    assert_eq!(value(&cluster), HIDDEN);
    is_unreadable(&cluster, HIDDEN);
}

#[test]
fn a_restored_backup_without_its_key_does_not_start() {
    let mut cluster = Cluster::start();
    cluster.kubectl(&format!("create secret generic key --from-literal=word={HIDDEN}")).ok();
    cluster.stop();
    let keys = cluster.data_dir().join("keys");
    let aside = cluster.scratch().join("aside");
    fs::rename(&keys, &aside).unwrap();
    let said = run(&mut cluster.up()).failed();
    let file = keys.join("encryption.yaml").display().to_string();
    for words in ["it is encrypted with", &file, "does not exist", "--encryption-provider-config"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!keys.join("encryption.yaml").exists(), "no new key is made that opens nothing");
    // Another cluster's key opens nothing either.
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("encryption.yaml"), configuration(&[("key1", 7)])).unwrap();
    let said = run(&mut cluster.up()).failed();
    assert!(said.contains("it is encrypted with") && said.contains("does not have for secrets"), "{said}");
    fs::remove_dir_all(&keys).unwrap();
    fs::rename(&aside, &keys).unwrap();
    cluster.boot();
    assert_eq!(value(&cluster), HIDDEN);
}
