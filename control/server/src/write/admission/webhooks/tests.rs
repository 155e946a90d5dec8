//! Matching and reviews, without a server.

use coracle_api::kinds::admission::Environment;
use coracle_api::{Catalog, Resource};
use serde_json::{Value, json};

use super::super::cel::{Conditions, Inputs};
use super::super::{Action, Admitted, Notes, Options};
use super::asked::Asked;
use super::hook::ReviewVersion;
use super::is_exempt;
use super::review::Request;
use crate::http::Params;
use crate::identity::User;

fn row(group: &str, plural: &str) -> std::sync::Arc<Resource> {
    Catalog::builtin().find(group, "v1", plural).unwrap()
}

fn write<'a>(resource: &'a Resource, action: Action, user: &'a User, notes: &'a Notes) -> Admitted<'a> {
    let namespace = if resource.namespaced { "default" } else { "" };
    Admitted { resource, namespace, name: "a", subresource: "", action, old: None, user, dry_run: false, notes }
}

#[test]
fn a_review_has_all_that_is_known_of_the_request() {
    let (maps, mut user, notes) = (row("", "configmaps"), User::new("jane", ["devs".to_string()]), Notes::default());
    user.uid = "7".into();
    user.extra.insert("scopes".into(), vec!["x".into()]);
    notes.asks(Options::of_query(&Params::parse(Some("fieldManager=kubectl"))));
    let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" } });
    let write = Admitted { dry_run: true, ..write(&maps, Action::Create, &user, &notes) };
    let asked = Asked::about(&write, &object);
    let kind = asked.kind_in(None);
    let request = Request::of(&asked, (&kind, &asked.place(None)), "u", (Some(&object), None));
    let review: Value = serde_json::from_slice(&request.review(ReviewVersion::V1).unwrap()).unwrap();
    let (kind, resource) = (
        json!({ "group": "", "version": "v1", "kind": "ConfigMap" }),
        json!({ "group": "", "version": "v1", "resource": "configmaps" }),
    );
    let expected = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
            "uid": "u", "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": "a", "namespace": "default", "operation": "CREATE",
            "userInfo": {
                "username": "jane", "uid": "7", "groups": ["devs", "system:authenticated"], "extra": { "scopes": ["x"] },
            },
            "object": object, "oldObject": null, "dryRun": true,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl" },
        },
    });
    assert_eq!(review, expected);
    let old: Value = serde_json::from_slice(&request.review(ReviewVersion::V1Beta1).unwrap()).unwrap();
    assert_eq!(old["apiVersion"], "admission.k8s.io/v1beta1");
}

#[test]
fn a_namespace_is_asked_about_in_itself() {
    let (namespaces, user, notes) = (row("", "namespaces"), User::anonymous(), Notes::default());
    let write = write(&namespaces, Action::Create, &user, &notes);
    let asked = Asked::about(&write, &json!({ "metadata": { "name": "team" } }));
    assert_eq!((asked.name.as_str(), asked.namespace.as_str()), ("team", "team"));
}

#[test]
fn nobody_is_asked_about_webhooks_and_policies_nor_about_the_servers_own_work() {
    let (user, server, notes) = (User::new("jane", []), User::server(), Notes::default());
    let group = "admissionregistration.k8s.io";
    for plural in ["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies"] {
        assert!(is_exempt(&write(&row(group, plural), Action::Delete, &user, &notes)), "{plural}");
    }
    let maps = row("", "configmaps");
    assert!(!is_exempt(&write(&maps, Action::Create, &user, &notes)));
    assert!(is_exempt(&write(&maps, Action::Create, &server, &notes)));
}

fn conditions(sources: &[&str], ignores_failures: bool) -> Result<bool, String> {
    let list: Vec<Value> = sources.iter().map(|source| json!({ "name": "c", "expression": source })).collect();
    let (object, request) = (json!({ "metadata": { "name": "a" } }), json!({ "operation": "CREATE" }));
    let (object, old) = (Some(&object), None);
    let inputs = Inputs { object, old, request: &request, namespace: None, params: None, authorizer: None };
    Conditions::of(&Environment::webhook(), &json!(list), ignores_failures).hold(inputs, &[])
}

#[test]
fn conditions_must_all_hold_and_one_that_fails_is_decided_by_the_policy() {
    assert_eq!(conditions(&[], false), Ok(true));
    assert_eq!(conditions(&["object.metadata.name == 'a'", "oldObject == null"], false), Ok(true));
    assert_eq!(conditions(&["request.operation == 'DELETE'"], false), Ok(false));
    let wrong = "object.spec.x == 1";
    let error = "expression 'object.spec.x == 1' resulted in error: no such key: spec";
    assert_eq!(conditions(&[wrong], false), Err(error.into()));
    assert_eq!(conditions(&[wrong, "object.spec.x == 1"], false), Err(error.into()));
    assert_eq!(conditions(&[wrong], true), Ok(false));
    // One that does not hold is enough.
    assert_eq!(conditions(&[wrong, "false"], false), Ok(false));
}
