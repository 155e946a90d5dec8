use std::sync::Arc;
use std::time::{Duration, Instant};

use coracle_store::{Key, Lifted, Record};
use serde_json::{Value, json};

use super::super::existing::{Search, by_priority};
use super::super::standard::{Level, Standard, Version};

fn record(name: &str, owner: &str, spec: Value) -> Arc<Record> {
    let owners = Some(owner).filter(|owner| !owner.is_empty()).map(Into::into);
    let pod = json!({ "metadata": { "name": name }, "spec": spec });
    Arc::new(Record {
        key: Key::new("pods", "n", name),
        revision: 1,
        create_revision: 1,
        json: pod.to_string().into(),
        lifted: Lifted::new([], [], owners, ""),
    })
}

fn search() -> Search {
    let standard = Standard { level: Level::Baseline, version: Version::Latest };
    Search { namespace: "n".into(), standard, exempt: vec!["free".into()] }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

const HEAD: &str = r#"existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest""#;

#[test]
fn pods_that_break_the_same_rules_are_told_together() {
    let bad = json!({ "hostPID": true });
    let worse = json!({ "hostPID": true, "volumes": [{ "name": "v", "hostPath": {} }] });
    let pods = [
        record("c", "", bad.clone()),
        record("b", "", bad.clone()),
        record("d", "", bad),
        record("f", "", worse.clone()),
        record("e", "", worse),
        record("fine", "", json!({})),
        record("a", "", json!({ "hostPID": true, "runtimeClassName": "free" })),
        record("z", "", json!({ "volumes": [{ "name": "v", "hostPath": {} }] })),
    ];
    let warnings = search().look_at(&pods, later());
    assert_eq!(
        warnings,
        [
            HEAD,
            "b (and 2 other pods): host namespaces",
            "e (and 1 other pod): host namespaces, hostPath volumes",
            "z: hostPath volumes",
        ]
    );
    assert_eq!(search().look_at(&pods[5..7], later()), Vec::<String>::new());
}

#[test]
fn no_more_than_3000_pods_are_looked_at() {
    let mut pods: Vec<_> = (0..3000).map(|n| record(&format!("p{n}"), "", json!({}))).collect();
    assert_eq!(search().look_at(&pods, later()), Vec::<String>::new());
    pods.push(record("bad", "", json!({ "hostPID": true })));
    let partly = "new PodSecurity enforce level only checked against the first 3000 of 3001 existing pods";
    assert_eq!(search().look_at(&pods, later()), [partly]);
}

#[test]
fn when_time_is_over_the_rest_is_left() {
    let pods = [record("a", "", json!({ "hostPID": true })), record("b", "", json!({ "hostPID": true }))];
    let partly = "new PodSecurity enforce level only checked against the first 1 of 2 existing pods";
    assert_eq!(search().look_at(&pods, Instant::now()), [partly, HEAD, "a: host namespaces"]);
}

#[test]
fn one_pod_of_each_owner_comes_first() {
    let pods = [
        record("a1", "a", json!({})),
        record("a2", "a", json!({})),
        record("single", "", json!({})),
        record("b1", "b", json!({})),
        record("a3", "a", json!({})),
        record("other", "", json!({})),
    ];
    let order: Vec<_> = by_priority(pods.iter()).iter().map(|record| record.key.name.to_string()).collect();
    assert_eq!(order, ["a1", "single", "b1", "other", "a2", "a3"]);
}
