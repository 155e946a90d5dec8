use std::{fs, os::unix::fs::PermissionsExt};

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    fake_api::{FakeApi, Mode},
    volumes::Objects,
};

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn map(text: &str) -> ConfigMap {
    object(json!({"metadata": {"name": "m", "namespace": "ns"}, "data": {"a": text}}))
}

fn rows(checkpoint: &Checkpoint) -> usize {
    checkpoint.file.as_ref().unwrap().all("configmap").len()
}

fn write(checkpoint: &Checkpoint) {
    while checkpoint.write_batch().unwrap() {}
}

#[test]
fn what_was_kept_is_there_in_the_next_life_and_nobody_else_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(dir.path());
    assert!(!checkpoint.has_pods());
    let status = |phase: &str| json!({"phase": phase, "conditions": [{"type": "x/gate", "status": "True"}]});
    let pod = json!({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": []}, "status": status("Pending")});
    checkpoint.keep(Key::pod("u"), &pod, None);
    checkpoint.keep(
        Key::status("u"),
        &json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
        None,
    );
    let service = json!({"metadata": {"name": "s", "namespace": "ns"}, "spec": {"clusterIP": "10.0.0.1"}});
    checkpoint.keep(Key::service("ns/s"), &service, None);
    checkpoint.keep(Key::namespaced("configmap", "ns", "m"), &map("1"), Some("u"));
    let key = Key::namespaced("configmap", "ns", "m");
    assert_eq!(checkpoint.get::<ConfigMap>(&key), Some(map("1")), "before it is written too");
    write(&checkpoint);
    drop(checkpoint);
    let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let checkpoint = Checkpoint::open(dir.path());
    assert!(checkpoint.has_pods());
    let pods = checkpoint.pods();
    let status = pods[0].status.clone().unwrap();
    let conditions: Vec<_> = status.conditions.iter().flatten().map(|it| it.type_.clone()).collect();
    assert_eq!((status.phase.as_deref(), conditions), (Some("Running"), vec!["Ready".to_owned(), "x/gate".to_owned()]));
    assert_eq!(checkpoint.services().0, [object::<Service>(service)]);
    assert_eq!(checkpoint.get::<ConfigMap>(&key), Some(map("1")));
    checkpoint.forget_former_pods(|_| false);
    write(&checkpoint);
    assert!(checkpoint.pods().is_empty() && !checkpoint.has_pods() && rows(&checkpoint) == 0);
}

#[test]
fn a_file_that_can_not_be_used_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let checkpoint = Checkpoint::open(dir.path());
    for number in 0..200 {
        checkpoint.keep(
            Key::pod(&number.to_string()),
            &json!({"spec": {"containers": [], "hostname": "x".repeat(1000)}}),
            None,
        );
    }
    write(&checkpoint);
    drop(checkpoint);
    let whole = fs::read(&path).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    let mut scratched = whole.clone();
    for at in (4096..whole.len()).step_by(512) {
        scratched[at..at + 64].fill(0x55);
    }
    for damaged in [b"no database".to_vec(), half, whole[..100].to_vec(), scratched] {
        fs::write(&path, &damaged).unwrap();
        let checkpoint = Checkpoint::open(dir.path());
        assert!(!checkpoint.has_pods() && checkpoint.file.is_some());
        assert_eq!(fs::read(dir.path().join("checkpoint.redb.unusable")).unwrap().len(), damaged.len());
        checkpoint.keep(Key::pod("new"), &json!({}), None);
        write(&checkpoint);
    }
    // Another format.
    let checkpoint = Checkpoint::open(dir.path());
    assert!(checkpoint.has_pods());
    checkpoint.file.as_ref().unwrap().set_format(7);
    drop(checkpoint);
    assert!(!Checkpoint::open(dir.path()).has_pods());
}

#[test]
fn a_directory_that_is_none_leaves_the_node_without_a_checkpoint() {
    let checkpoint = Checkpoint::open(Path::new("/dev/null/none"));
    checkpoint.keep(Key::pod("u"), &json!({}), None);
    assert!(checkpoint.pods().is_empty() && checkpoint.get::<Pod>(&Key::pod("u")).is_none());
}

#[tokio::test]
async fn the_servers_word_counts_while_there_is_one() {
    let (dir, api) = (tempfile::tempdir().unwrap(), FakeApi::default());
    let checkpoint = Checkpoint::open(dir.path());
    let source = ObjectSource::new(api.client(), Arc::clone(&checkpoint)).of("u");
    api.put("configmaps/ns/m", json!(map("1")));
    api.put("secrets/ns/s", json!({"metadata": {"name": "s", "namespace": "ns"}}));
    let read = async || {
        source.config_map("ns", "m").await.map(|map| map.and_then(|map| map.data).unwrap_or_default().remove("a"))
    };
    assert_eq!(read().await.unwrap().as_deref(), Some("1"));
    assert!(source.secret("ns", "s").await.unwrap().is_some());
    api.put("configmaps/ns/m", json!(map("2")));
    assert_eq!(read().await.unwrap().as_deref(), Some("2"));
    api.set(Mode::Dead);
    assert_eq!(read().await.unwrap().as_deref(), Some("2"), "as it was read last");
    write(&checkpoint);
    assert_eq!(read().await.unwrap().as_deref(), Some("2"));
    assert!(source.secret("ns", "unknown").await.is_err());
    api.set(Mode::Here);
    api.remove("configmaps/ns/m");
    assert_eq!(read().await.unwrap(), None);
    api.set(Mode::Dead);
    assert!(read().await.is_err(), "what was removed does not come back");
    assert!(source.secret("ns", "s").await.unwrap().is_some());
    checkpoint.forget_pod("u");
    write(&checkpoint);
    assert!(source.secret("ns", "s").await.is_err(), "nobody uses it any more");
    let file = checkpoint.file.as_ref().unwrap();
    assert_eq!(file.get(&Key::namespaced("secret", "ns", "s")), None);
}

/// Something that happens to what is kept.
#[derive(Debug, Clone)]
enum Change {
    Pod(u8),
    Use { pod: u8, object: u8, content: u16 },
    Forget(u8),
    Gone(u8),
    Write,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (0..4u8).prop_map(Change::Pod),
        (0..4u8, 0..5u8, 0..100u16).prop_map(|(pod, object, content)| Change::Use { pod, object, content }),
        (0..5u8).prop_map(Change::Forget),
        (0..4u8).prop_map(Change::Gone),
        Just(Change::Write),
    ];
    proptest::collection::vec(change, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happened, and whenever it was written: what pods use is there as it was last, and nothing else.
    #[test]
    fn what_is_kept_is_what_pods_use(changes in changes()) {
        use std::collections::{BTreeMap, BTreeSet};
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::open(dir.path());
        let (mut pods, mut objects) = (BTreeSet::new(), BTreeMap::<u8, u16>::new());
        let mut users: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Pod(pod) => {
                    pods.insert(pod);
                    checkpoint.keep(Key::pod(&pod.to_string()), &json!({}), None);
                }
                Change::Use { pod, object, content } => {
                    objects.insert(object, content);
                    users.entry(object).or_default().insert(pod);
                    checkpoint.keep(Key::cluster("o", &object.to_string()), &content, Some(&pod.to_string()));
                }
                Change::Forget(object) => {
                    objects.remove(&object);
                    checkpoint.forget(&Key::cluster("o", &object.to_string()));
                }
                Change::Gone(pod) => {
                    // A UID does not come back, so what was to be written of it before is written.
                    write(&checkpoint);
                    pods.remove(&pod);
                    checkpoint.forget_pod(&pod.to_string());
                    for (object, users) in &mut users {
                        if users.remove(&pod) && users.is_empty() {
                            objects.remove(object);
                        }
                    }
                    write(&checkpoint);
                }
                Change::Write => write(&checkpoint),
            }
        }
        write(&checkpoint);
        drop(checkpoint);
        let file = File::open(&dir.path().join(FILE)).unwrap();
        let kept: BTreeMap<u8, u16> = file.all("o").into_iter().map(|(key, json)| {
            (key.as_str()[2..].parse().unwrap(), serde_json::from_slice(&json).unwrap())
        }).collect();
        prop_assert_eq!(kept, objects);
        let kept: BTreeSet<u8> = file.keys(key::POD).iter().map(|key| key.uid().unwrap().parse().unwrap()).collect();
        prop_assert_eq!(kept, pods);
    }
}
