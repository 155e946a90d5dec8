use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::Catalog;

const NOW: &str = "2024-05-01T10:00:00Z";
const LATER: &str = "2024-05-01T11:00:00Z";

fn deployments() -> std::sync::Arc<Resource> {
    Catalog::builtin().find("apps", "v1", "deployments").expect("a built-in row")
}

fn by(manager: &str) -> ApplyOptions<'_> {
    ApplyOptions { manager, force: false, subresource: "", now: NOW }
}

fn deployment(spec: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"}, "spec": spec,
    })
}

fn applied(live: Option<&Value>, spec: Value, options: ApplyOptions<'_>) -> ApiResult<Value> {
    apply(&deployments(), live, deployment(spec), options)
}

fn containers(containers: Value) -> Value {
    json!({"template": {"spec": {"containers": containers}}})
}

#[test]
fn creating_by_apply_records_what_was_applied() {
    let spec = json!({"replicas": 2, "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 80}]}]},
    }});
    let created = applied(None, spec, by("me")).unwrap();
    let fields = json!({"f:spec": {"f:replicas": {}, "f:template": {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {
            ".": {}, "f:name": {}, "f:image": {},
            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
        }}},
    }}});
    let entry = json!({
        "manager": "me", "operation": "Apply", "apiVersion": "apps/v1", "time": NOW,
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    assert_eq!(created["metadata"]["managedFields"], json!([entry]));
    assert_eq!(created["spec"]["replicas"], 2);
}

#[test]
fn times_alone_make_no_other_version() {
    let old = applied(None, json!({"replicas": 2}), by("me")).unwrap();
    let mut new = old.clone();
    new["metadata"]["managedFields"][0]["time"] = json!(LATER);
    assert!(same_but_for_times(&old, &old) && same_but_for_times(&old, &new));
    new["metadata"]["managedFields"][0].as_object_mut().unwrap().remove("time");
    assert!(same_but_for_times(&old, &new) && same_but_for_times(&new, &old));
    for (place, value) in [("/spec/replicas", json!(3)), ("/metadata/managedFields/0/manager", json!("you"))] {
        let mut other = new.clone();
        *other.pointer_mut(place).unwrap() = value;
        assert!(!same_but_for_times(&old, &other), "{place}");
    }
    new["metadata"].as_object_mut().unwrap().remove("managedFields");
    assert!(!same_but_for_times(&old, &new) && !same_but_for_times(&new, &old));
}

#[test]
fn what_a_manager_no_longer_applies_is_removed() {
    let live =
        applied(None, containers(json!([{"name": "a", "image": "a:1", "command": ["x"]}, {"name": "b"}])), by("me"));
    let live = live.unwrap();
    let next = applied(Some(&live), containers(json!([{"name": "a", "image": "a:2"}])), by("me")).unwrap();
    assert_eq!(next["spec"], containers(json!([{"name": "a", "image": "a:2"}])));
}

#[test]
fn what_others_apply_too_stays() {
    let both = containers(json!([{"name": "a", "image": "a:1"}]));
    let live = applied(None, both.clone(), by("one")).unwrap();
    let live = applied(Some(&live), both, by("two")).unwrap();
    assert_eq!(live["metadata"]["managedFields"].as_array().map(Vec::len), Some(2));
    let live = applied(Some(&live), json!({"replicas": 1}), by("one")).unwrap();
    assert_eq!(live["spec"]["template"]["spec"]["containers"], json!([{"name": "a", "image": "a:1"}]));
    let live = applied(Some(&live), json!({"paused": true}), by("two")).unwrap();
    assert_eq!(live["spec"], json!({"replicas": 1, "paused": true}));
}

#[test]
fn changing_a_field_of_another_manager_is_a_conflict() {
    let live = applied(None, json!({"replicas": 1}), by("one")).unwrap();
    let error = applied(Some(&live), json!({"replicas": 2}), by("two")).unwrap_err();
    assert_eq!(error.code(), 409);
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
    assert_eq!(
        error.details["causes"],
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".spec.replicas"}])
    );
    let forced = applied(Some(&live), json!({"replicas": 2}), ApplyOptions { force: true, ..by("two") }).unwrap();
    assert_eq!(forced["spec"]["replicas"], 2);
    let owners = forced["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!((owners.len(), &owners[0]["manager"]), (1, &json!("two")));
    // The same value is no conflict: both own it.
    assert!(applied(Some(&live), json!({"replicas": 1}), by("two")).is_ok());
}

#[test]
fn taking_away_a_field_of_another_manager_is_a_conflict() {
    let live = applied(None, json!({"replicas": 2, "paused": true}), by("one")).unwrap();
    let error = applied(Some(&live), json!({"replicas": null}), by("two")).unwrap_err();
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
    let forced = ApplyOptions { force: true, ..by("two") };
    let taken = applied(Some(&live), json!({"replicas": null}), forced).unwrap();
    assert_eq!(taken["spec"], json!({"paused": true}));
    let books = json!([{"f:spec": {"f:paused": {}}}, {"f:spec": {"f:replicas": {}}}]);
    let fields = |index: usize| taken["metadata"]["managedFields"][index]["fieldsV1"].clone();
    assert_eq!(json!([fields(0), fields(1)]), books);
    // Nobody else is asked about what is one's own, or nobody's.
    let own = applied(Some(&live), json!({"replicas": null, "paused": true}), by("one")).unwrap();
    assert_eq!(own["spec"], json!({"paused": true}));
    assert!(applied(Some(&live), json!({"minReadySeconds": null}), by("two")).is_ok());
}

#[test]
fn several_conflicts_are_listed_by_manager() {
    let live = applied(None, containers(json!([{"name": "a", "image": "a:1", "tty": true}])), by("one")).unwrap();
    let change = containers(json!([{"name": "a", "image": "a:2", "tty": false}]));
    let error = applied(Some(&live), change, by("two")).unwrap_err();
    assert_eq!(
        error.message,
        "Apply failed with 2 conflicts: conflicts with \"one\":\n\
         - .spec.template.spec.containers[name=\"a\"].image\n\
         - .spec.template.spec.containers[name=\"a\"].tty"
    );
}

#[test]
fn the_first_apply_gives_the_rest_to_whoever_was_there_before() {
    let live = deployment(json!({"replicas": 1, "paused": true}));
    let error = applied(Some(&live), json!({"replicas": 2}), by("me")).unwrap_err();
    assert_eq!(
        error.message,
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using apps/v1: .spec.replicas"
    );
    let same = applied(Some(&live), json!({"replicas": 1}), by("me")).unwrap();
    assert_eq!(same["metadata"]["managedFields"].as_array().map(Vec::len), Some(2));
}

#[test]
fn kubectl_takes_over_what_it_applied_from_the_client_side() {
    let last = deployment(json!({"replicas": 2, "paused": true})).to_string();
    let mut live = deployment(json!({"replicas": 2, "paused": false}));
    live["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": last});
    let next = applied(Some(&live), json!({"replicas": 3}), by("kubectl")).unwrap();
    assert_eq!(next["spec"]["replicas"], 3);
    let other = applied(Some(&live), json!({"replicas": 3}), by("helm")).unwrap_err();
    assert!(other.message.contains(".spec.replicas"), "another manager asks first: {}", other.message);
    let changed = applied(Some(&live), json!({"paused": true}), by("kubectl")).unwrap_err();
    assert!(changed.message.contains(".spec.paused"), "somebody else changed it since: {}", changed.message);
    live["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{"});
    assert_eq!(applied(Some(&live), json!({"replicas": 3}), by("kubectl")).unwrap_err().code(), 409);
}

#[test]
fn updates_are_tracked_once_an_object_has_been_applied() {
    let live = applied(None, json!({"replicas": 1, "paused": true}), by("me")).unwrap();
    let mut new = live.clone();
    new["spec"] = json!({"replicas": 5});
    track_update(&deployments(), &live, &mut new, ApplyOptions { now: LATER, ..by("editor") });
    let owners = new["metadata"]["managedFields"].as_array().unwrap();
    // The editor took replicas, and nobody owns what is gone: the first manager has nothing left.
    assert_eq!(owners.len(), 1);
    assert_eq!((&owners[0]["manager"], &owners[0]["operation"]), (&json!("editor"), &json!("Update")));
    assert_eq!(owners[0]["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    let error = applied(Some(&new), json!({"replicas": 1}), by("me")).unwrap_err();
    assert!(error.message.contains("conflict with \"editor\" using apps/v1: .spec.replicas"), "{error}");
}

#[test]
fn objects_nobody_applied_carry_no_managers() {
    let old = deployment(json!({"replicas": 1}));
    let mut new = deployment(json!({"replicas": 2}));
    track_update(&deployments(), &old, &mut new, by("editor"));
    assert_eq!(new, deployment(json!({"replicas": 2})));
    let applied = applied(None, json!({"replicas": 1}), by("me")).unwrap();
    let mut reset = applied.clone();
    reset["metadata"]["managedFields"] = json!([{}]);
    track_update(&deployments(), &applied, &mut reset, by("editor"));
    assert!(reset["metadata"].get("managedFields").is_none());
}

#[test]
fn update_managers_are_bounded() {
    let mut live = applied(None, json!({"paused": true}), by("me")).unwrap();
    for n in 0..30 {
        let mut new = live.clone();
        new["metadata"]["labels"][format!("l{n}")] = json!("x");
        let (manager, now) = (format!("m{n:02}"), format!("2024-05-02T00:00:{n:02}Z"));
        track_update(&deployments(), &live, &mut new, ApplyOptions { manager: &manager, now: &now, ..by("") });
        live = new;
    }
    let owners = live["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(owners.len(), 1 + 10);
    let ancient = owners.iter().find(|owner| owner["manager"] == "ancient-changes").unwrap();
    // The labels of 21 managers, and the map itself, which came with the first.
    assert_eq!(ancient["fieldsV1"]["f:metadata"]["f:labels"].as_object().map(serde_json::Map::len), Some(22));
}

#[test]
fn configurations_that_cannot_be_applied_are_refused() {
    let error = |spec| applied(None, spec, by("me")).unwrap_err();
    let prefix = "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): ";
    assert_eq!(error(json!({"foo": 1})).message, format!("{prefix}.spec.foo: field not declared in schema"));
    assert_eq!(
        error(containers(json!([{"image": "x"}]))).message,
        format!(
            "{prefix}.spec.template.spec.containers: element 0: associative list with keys has an element that omits \
             key field \"name\" (and doesn't have default value)"
        )
    );
    assert_eq!(
        error(containers(json!([{"name": "a"}, {"name": "a"}]))).message,
        format!("{prefix}.spec.template.spec.containers: duplicate entries for key [name=\"a\"]")
    );
    let mut config = deployment(json!({}));
    config["metadata"]["managedFields"] = json!([]);
    let error = apply(&deployments(), None, config, by("me")).unwrap_err();
    assert_eq!((error.code(), error.message.as_str()), (400, "metadata.managedFields must be nil"));
    assert_eq!(apply(&deployments(), None, json!({"kind": "Pod"}), by("me")).unwrap_err().code(), 400);
}

#[test]
fn atomic_lists_and_sets_have_owners_too() {
    let config = |finalizers: Value| {
        let mut config = deployment(json!({"template": {"spec": {"tolerations": [{"key": "a"}]}}}));
        config["metadata"]["finalizers"] = finalizers;
        config
    };
    let live = apply(&deployments(), None, config(json!(["a/1"])), by("one")).unwrap();
    let fields = &live["metadata"]["managedFields"][0]["fieldsV1"];
    assert_eq!(fields["f:metadata"]["f:finalizers"], json!({"v:\"a/1\"": {}}));
    assert_eq!(fields["f:spec"]["f:template"]["f:spec"]["f:tolerations"], json!({}));
    let live = apply(&deployments(), Some(&live), config(json!(["a/2"])), by("two")).unwrap();
    assert_eq!(live["metadata"]["finalizers"].as_array().map(Vec::len), Some(2));
    let live = apply(&deployments(), Some(&live), config(json!([])), by("one")).unwrap();
    assert_eq!(live["metadata"]["finalizers"], json!(["a/2"]));
}

fn spec() -> impl Strategy<Value = Value> {
    let env = prop::collection::btree_map("[a-c]", "[x-z]", 0..3)
        .prop_map(|env| env.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>());
    let container = (env, prop::option::of("[a-c]")).prop_map(|(env, image)| json!({"env": env, "image": image}));
    let containers = prop::collection::btree_map("[a-d]", container, 1..4).prop_map(|containers| {
        let named = |(name, mut container): (String, Value)| {
            container["name"] = json!(name);
            container
        };
        containers.into_iter().map(named).collect::<Vec<_>>()
    });
    let labels = prop::collection::btree_map("[a-c]", "[x-z]", 0..3);
    (containers, labels, 0..3).prop_map(|(containers, labels, replicas)| {
        json!({
            "replicas": replicas,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        })
    })
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(first in spec(), second in spec()) {
        let live = applied(None, first, by("me")).unwrap();
        let once = applied(Some(&live), second.clone(), by("me")).unwrap();
        let twice = applied(Some(&once), second, ApplyOptions { now: LATER, ..by("me") }).unwrap();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn one_manager_gets_exactly_what_it_applies(first in spec(), second in spec()) {
        let live = applied(None, first, by("me")).unwrap();
        let next = applied(Some(&live), second.clone(), by("me")).unwrap();
        let fresh = applied(None, second, by("me")).unwrap();
        let row = deployments();
        let root = root(&row).unwrap();
        let change = compare::compare(&root, &fresh, &next).unwrap();
        prop_assert_eq!(own_fields(change.changed).paths(), Vec::<String>::new());
    }

    #[test]
    fn forced_applies_win(first in spec(), second in spec()) {
        let live = applied(None, first, by("one")).unwrap();
        let forced = applied(Some(&live), second.clone(), ApplyOptions { force: true, ..by("two") }).unwrap();
        let again = applied(Some(&forced), second, by("two"));
        prop_assert_eq!(again.unwrap(), forced);
    }

    #[test]
    fn field_sets_survive_encoding(spec in spec()) {
        let row = deployments();
        let root = root(&row).unwrap();
        let set = to_set::fields(&root, &deployment(spec)).unwrap();
        prop_assert_eq!(FieldSet::decode(&set.encode()), Some(set));
    }
}

#[test]
fn paths_below_a_long_key_are_written_only_where_they_are_told() {
    // 20,000 paths of two megabytes each, in every walk over the object.
    let name = "k".repeat(2 << 20);
    let with = |value: &str| {
        let env: Vec<Value> = (0..20_000).map(|index| json!({"name": format!("A{index}"), "value": value})).collect();
        containers(json!([{"name": name, "env": env}]))
    };
    let live = applied(None, with("1"), by("me")).unwrap();
    let refused = applied(Some(&live), with("2"), by("other")).unwrap_err();
    assert!(refused.message.starts_with("Apply failed with 20000 conflicts: conflicts with \"me\":\n- .spec.template"));
    assert!(refused.message.ends_with("\nand 19999 more"), "{} bytes", refused.message.len());
    assert_eq!(refused.details["causes"].as_array().map(Vec::len), Some(1));
    let twice = containers(json!([{"name": name, "ports": vec![json!({"containerPort": 80}); 20_000]}]));
    let refused = applied(None, twice, by("me")).unwrap_err();
    assert!(refused.message.ends_with("duplicate entries for key [containerPort=80,protocol=\"TCP\"]"));
    assert!(refused.message.len() < 4 << 20);
}
