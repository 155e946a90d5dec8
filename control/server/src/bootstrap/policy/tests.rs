use std::collections::BTreeSet;

use coracle_api::{Catalog, meta};

use super::*;

/// A kind by its plural, and its objects.
type Kind = (&'static str, fn() -> Vec<Value>);

const KINDS: [Kind; 4] = [
    ("clusterroles", cluster_roles),
    ("clusterrolebindings", cluster_role_bindings),
    ("roles", roles),
    ("rolebindings", role_bindings),
];

fn texts<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    value[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn named(objects: Vec<Value>, namespace: &str, name: &str) -> Value {
    objects.into_iter().find(|object| meta::namespace(object) == namespace && meta::name(object) == name).unwrap()
}

fn all_rules() -> Vec<Value> {
    [cluster_roles(), roles()]
        .concat()
        .iter()
        .flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default())
        .collect()
}

#[test]
fn what_a_cluster_starts_with_is_valid_and_leaves_nothing_to_defaults() {
    let catalog = Catalog::builtin();
    for (plural, objects) in KINDS {
        let row = catalog.find(API_GROUP, "v1", plural).unwrap();
        for object in objects() {
            let mut defaulted = object.clone();
            row.defaults(&mut defaulted);
            assert_eq!(row.create_errors(&defaulted), [], "{}", meta::name(&object));
            for field in ["roleRef", "subjects", "rules", "aggregationRule"] {
                assert_eq!(object[field], defaulted[field], "{} {field}", meta::name(&object));
            }
        }
    }
}

#[test]
fn no_two_have_one_name() {
    for (plural, objects) in KINDS {
        let objects = objects();
        let names: BTreeSet<_> = objects.iter().map(|object| (meta::namespace(object), meta::name(object))).collect();
        assert_eq!(names.len(), objects.len(), "{plural}");
    }
    assert_eq!(KINDS.map(|(_, objects)| objects().len()), [70, 54, 7, 8]);
}

#[test]
fn every_binding_leads_to_a_role() {
    for (bindings, roles) in [(cluster_role_bindings(), cluster_roles()), (role_bindings(), roles())] {
        for binding in bindings {
            let role = binding["roleRef"]["name"].as_str().unwrap();
            let found = roles
                .iter()
                .find(|own| meta::namespace(own) == meta::namespace(&binding) && meta::name(own) == role)
                .unwrap_or_else(|| panic!("no {role}"));
            assert_eq!(found["kind"], binding["roleRef"]["kind"]);
        }
    }
}

#[test]
fn lists_are_in_order() {
    for rule in all_rules() {
        for field in ["apiGroups", "nonResourceURLs", "resourceNames", "resources", "verbs"] {
            assert!(texts(&rule, field).is_sorted_by(|one, next| one < next), "{field} of {rule}");
        }
    }
}

/// A misspelt resource would go unnoticed otherwise.
#[test]
fn rules_name_resources_that_exist() {
    // What is never stored: a right that is asked for by name, and an API that is off.
    const OTHERS: [&str; 3] = ["signers", "bindings", "leasecandidates"];
    let catalog = Catalog::builtin();
    for rule in all_rules() {
        for resource in texts(&rule, "resources") {
            let plural = resource.split('/').next().unwrap_or_default();
            let groups = texts(&rule, "apiGroups");
            let exists = catalog.rows().iter().any(|row| groups.contains(&row.group.as_ref()) && row.plural == plural);
            let elsewhere =
                groups.iter().any(|group| ["*", "extensions"].contains(group) || group.ends_with("metrics.k8s.io"));
            assert!(exists || elsewhere || OTHERS.contains(&plural), "{resource} of {groups:?}");
        }
    }
}

#[test]
fn all_have_the_marks_of_defaults() {
    for object in KINDS.iter().flat_map(|(_, objects)| objects()) {
        assert_eq!(object["metadata"]["labels"]["kubernetes.io/bootstrapping"], "rbac-defaults");
        assert_eq!(object["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"], "true");
    }
}

#[test]
fn roles_for_people_are_gathered() {
    let edit = named(cluster_roles(), "", "edit");
    let gathered = json!([{ "matchLabels": { "rbac.authorization.k8s.io/aggregate-to-edit": "true" } }]);
    assert_eq!(edit["aggregationRule"]["clusterRoleSelectors"], gathered);
    assert_eq!(edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-admin"], "true");
    assert!(edit["rules"].is_null());
    let part = named(cluster_roles(), "", "system:aggregate-to-edit");
    assert_eq!(part["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"], "true");
    let view = named(cluster_roles(), "", "system:aggregate-to-view");
    let sees_secrets = |rule: &Value| texts(rule, "resources").contains(&"secrets");
    assert!(!view["rules"].as_array().unwrap().iter().any(sees_secrets));
    assert!(part["rules"].as_array().unwrap().iter().any(sees_secrets));
}

#[test]
fn who_has_what() {
    let masters = named(cluster_role_bindings(), "", "cluster-admin");
    let group = json!({ "apiGroup": API_GROUP, "kind": "Group", "name": "system:masters" });
    assert_eq!(masters["subjects"], json!([group]));
    let admin = named(cluster_roles(), "", "cluster-admin");
    let everything = json!([
        { "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] },
        { "nonResourceURLs": ["*"], "verbs": ["*"] },
    ]);
    assert_eq!(admin["rules"], everything);
    assert!(named(cluster_role_bindings(), "", "system:node").get("subjects").is_none());
    let jobs = named(cluster_role_bindings(), "", "system:controller:job-controller");
    let account = json!({ "kind": "ServiceAccount", "name": "job-controller", "namespace": "kube-system" });
    assert_eq!(jobs["subjects"], json!([account]));
    let signer = named(roles(), "kube-public", "system:controller:bootstrap-signer");
    let updates = json!({
        "apiGroups": [""], "resourceNames": ["cluster-info"], "resources": ["configmaps"], "verbs": ["update"],
    });
    assert_eq!(signer["rules"][1], updates);
}

/// As kubeadm has it: only tokens that are for it let nodes in.
#[test]
fn nodes_come_in_by_tokens_for_joining() {
    let group = |name: &str| json!([{ "apiGroup": API_GROUP, "kind": "Group", "name": name }]);
    let joiners = group("system:bootstrappers:kubeadm:default-node-token");
    for (binding, subjects) in [
        ("coracle:node-bootstrapper", &joiners),
        ("coracle:node-autoapprove-bootstrap", &joiners),
        ("coracle:node-autoapprove-certificate-rotation", &group("system:nodes")),
        ("coracle:node-network", &group("system:nodes")),
    ] {
        assert_eq!(&named(cluster_role_bindings(), "", binding)["subjects"], subjects, "{binding}");
    }
}
