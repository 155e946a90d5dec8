use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn identity(name: &str) -> Identity {
    Identity { api_version: "v1".into(), kind: "ConfigMap".into(), namespace: "d".into(), name: name.into() }
}

fn meta(uid: &str, owners: &[&str]) -> ObjectMeta {
    let owner = |uid: &&str| OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        uid: (*uid).into(),
        name: (*uid).into(),
        ..OwnerReference::default()
    };
    ObjectMeta {
        uid: Some(uid.into()),
        owner_references: Some(owners.iter().map(owner).collect()),
        ..ObjectMeta::default()
    }
}

#[test]
fn an_unseen_owner_is_looked_for_until_it_is_seen() {
    let mut graph = Graph::default();
    assert_eq!(graph.apply(identity("pod"), &meta("pod", &["set"])), ["set"]);
    assert!(graph.get("set").unwrap().is_virtual);
    assert!(graph.apply(identity("set"), &meta("set", &[])).is_empty());
    assert!(!graph.get("set").unwrap().is_virtual);
    assert!(graph.get("set").unwrap().dependents.contains("pod"));
    assert!(graph.apply(identity("pod"), &meta("pod", &["set"])).is_empty(), "nothing changed");
}

#[test]
fn dependents_of_what_is_gone_are_looked_at() {
    let mut graph = Graph::default();
    graph.apply(identity("set"), &meta("set", &[]));
    graph.apply(identity("pod"), &meta("pod", &["set"]));
    assert_eq!(graph.remove("set"), ["pod"]);
    assert!(graph.remove("pod").is_empty());
    assert!(graph.nodes.is_empty());
}

#[test]
fn foreground_and_orphan_wake_those_concerned() {
    let mut graph = Graph::default();
    graph.apply(identity("set"), &meta("set", &[]));
    graph.apply(identity("pod"), &meta("pod", &["set"]));
    let mut deleted = meta("set", &[]);
    deleted.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    deleted.finalizers = Some(vec![FOREGROUND.into()]);
    assert_eq!(graph.apply(identity("set"), &deleted), ["set", "pod"]);
    assert!(graph.apply(identity("set"), &deleted).is_empty(), "woken once");
    assert_eq!(graph.remove("pod"), ["set"], "the owner waited for it");
    deleted.finalizers = Some(vec![ORPHAN.into()]);
    assert_eq!(graph.apply(identity("set"), &deleted), ["set"]);
}

#[test]
fn an_owner_in_another_namespace_is_suspect() {
    let mut graph = Graph::default();
    graph.apply(Identity { namespace: "other".into(), ..identity("set") }, &meta("set", &[]));
    assert_eq!(graph.apply(identity("pod"), &meta("pod", &["set"])), ["pod"]);
}

#[test]
fn an_owner_by_another_name_is_suspect() {
    let mut graph = Graph::default();
    graph.apply(identity("set"), &meta("set", &[]));
    let mut wrong = meta("pod", &["set"]);
    wrong.owner_references.as_mut().unwrap()[0].kind = "Secret".into();
    assert_eq!(graph.apply(identity("pod"), &wrong), ["pod"]);
}

#[test]
fn an_owner_that_waits_hears_of_it_when_it_is_blocked_no_more() {
    let mut graph = Graph::default();
    let mut deleted = meta("set", &[]);
    deleted.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    deleted.finalizers = Some(vec![FOREGROUND.into()]);
    graph.apply(identity("set"), &deleted);
    let mut pod = meta("pod", &["set"]);
    pod.owner_references.as_mut().unwrap()[0].block_owner_deletion = Some(true);
    assert_eq!(graph.apply(identity("pod"), &pod), ["pod"]);
    pod.owner_references.as_mut().unwrap()[0].block_owner_deletion = Some(false);
    assert_eq!(graph.apply(identity("pod"), &pod), ["set", "pod"]);
}

#[test]
fn an_owner_is_looked_for_wherever_a_dependent_says_it_is() {
    let mut graph = Graph::default();
    let other = Identity { namespace: "other".into(), ..identity("pod2") };
    assert_eq!(graph.apply(identity("pod"), &meta("pod", &["set"])), ["set"]);
    assert_eq!(graph.apply(other.clone(), &meta("pod2", &["set"])), ["pod2"], "it was looked for elsewhere");
    let first = graph.get("set").unwrap().identity.clone();
    let mut look = graph.not_found("set", |place| *place == first);
    look.sort();
    assert_eq!(look, ["pod", "pod2", "set"]);
    assert_eq!(graph.get("set").unwrap().identity.namespace, "other");
    graph.not_found("set", |_| true);
    assert!(graph.get("set").is_none());
}

#[test]
fn objects_that_nobody_watches_any_more_are_not_gone() {
    let mut graph = Graph::default();
    graph.apply(identity("set"), &meta("set", &["top"]));
    graph.apply(identity("leaf"), &meta("leaf", &[]));
    graph.apply(Identity { kind: "Pod".into(), ..identity("pod") }, &meta("pod", &["set"]));
    graph.forget("v1", "ConfigMap");
    let set = graph.get("set").unwrap();
    assert!(set.is_virtual && set.dependents.contains("pod"));
    assert!(graph.get("leaf").is_none() && graph.get("top").is_none());
}

#[test]
fn a_reference_taken_off_is_forgotten() {
    let mut graph = Graph::default();
    graph.apply(identity("pod"), &meta("pod", &["a", "b"]));
    graph.apply(identity("pod"), &meta("pod", &["b"]));
    assert!(graph.get("a").is_none() && graph.get("b").is_some());
    assert_eq!(graph.missing("v1", "ConfigMap", &HashSet::new()), ["pod"]);
    assert!(graph.missing("v1", "Pod", &HashSet::new()).is_empty());
}
