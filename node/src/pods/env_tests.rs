//! Environments built from fake objects.

use std::collections::BTreeMap;

use serde_json::json;

use coracle_api::pod::ResourceList;
use k8s_openapi::api::core::v1::Pod;

use super::*;
use crate::volumes::fake::Fake;

fn objects() -> Fake {
    let mut fake = Fake::default();
    let map = json!({"data": {"color": "blue", "size": "xl"}});
    fake.config_maps.insert("settings".into(), serde_json::from_value(map).unwrap());
    let secret = json!({"data": {"password": "c2VzYW1l", "blob": "/w=="}});
    fake.secrets.insert("keys".into(), serde_json::from_value(secret).unwrap());
    fake
}

async fn build(container: serde_json::Value) -> Result<BTreeMap<String, String>, EnvError> {
    let env = made(container).await?.all();
    let length = env.len();
    let env: BTreeMap<_, _> = env.into_iter().collect();
    assert_eq!(env.len(), length, "every name once");
    Ok(env)
}

async fn made(container: serde_json::Value) -> Result<Environment, EnvError> {
    let pod =
        json!({"metadata": {"name": "p", "namespace": "shop", "labels": {"app": "web"}}, "spec": {"containers": []}});
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let mut container = container;
    container["name"] = "c".into();
    let objects = objects();
    let sources = EnvSources {
        about: Downward {
            pod: &pod,
            pod_ip: "127.64.0.2".parse().unwrap(),
            host_ip: "127.0.0.1".parse().unwrap(),
            allocatable: &ResourceList::from([("memory".to_owned(), "1Gi".parse().unwrap())]),
        },
        hostname: Some("p"),
        services: vec![("WEB_SERVICE_HOST".into(), "127.96.0.9".into())],
        image: &[("PATH".into(), "/".into()), ("color".into(), "from the image".into())],
        objects: &objects,
        volumes: &Volumes::default(),
    };
    environment(&serde_json::from_value(container).unwrap(), &sources).await
}

#[tokio::test]
async fn later_sources_win_and_services_fill_the_gaps() {
    let env = build(json!({
        "envFrom": [{"configMapRef": {"name": "settings"}}, {"prefix": "S_", "configMapRef": {"name": "settings"}}],
        "env": [{"name": "size", "value": "s"}],
    }));
    let env = env.await.unwrap();
    let expected = [
        ("HOSTNAME", "p"),
        ("PATH", "/"),
        ("S_color", "blue"),
        ("S_size", "xl"),
        ("WEB_SERVICE_HOST", "127.96.0.9"),
        ("color", "blue"),
        ("size", "s"),
    ];
    assert_eq!(env.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn references_see_what_the_pod_says_and_nothing_of_the_image() {
    let env =
        build(json!({"env": [{"name": "A", "value": "$(PATH) $(HOSTNAME) $(size)"}, {"name": "size", "value": ""}]}));
    let env = env.await.unwrap();
    assert_eq!((&*env["A"], &*env["size"]), ("$(PATH) $(HOSTNAME) $(size)", ""));
}

#[test]
fn names_of_variables_are_printable() {
    for (name, good) in [("a", true), ("a.b-c d", true), ("", false), ("a=b", false), ("a\n", false), ("ä", false)] {
        assert_eq!(is_variable_name(name), good, "{name:?}");
    }
}

#[tokio::test]
async fn every_kind_of_value_is_found() {
    let env = build(json!({"env": [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "F", "value": "$(A)-$(WEB_SERVICE_HOST)-$$(A)-$(later)"},
    ]}));
    let env = env.await.unwrap();
    let values: Vec<_> = ["A", "B", "C", "D", "E", "F"].iter().map(|name| &*env[*name]).collect();
    assert_eq!(values, ["blue", "sesame", "web", "127.64.0.2", "1024", "blue-127.96.0.9-$(A)-$(later)"]);
}

#[tokio::test]
async fn what_is_missing_is_named_unless_it_is_optional() {
    let from = |source: serde_json::Value| json!({"env": [{"name": "A", "valueFrom": source}]});
    for (container, text) in [
        (json!({"envFrom": [{"configMapRef": {"name": "none"}}]}), "configmap \"none\" not found"),
        (json!({"envFrom": [{"secretRef": {"name": "none"}}]}), "secret \"none\" not found"),
        (
            from(json!({"configMapKeyRef": {"name": "settings", "key": "k"}})),
            "couldn't find key k in ConfigMap shop/settings",
        ),
        (from(json!({"secretKeyRef": {"name": "keys", "key": "k"}})), "couldn't find key k in Secret shop/keys"),
        (
            from(json!({"fileKeyRef": {"volumeName": "v", "path": "env", "key": "k"}})),
            "couldn't parse env file: cannot find volume \"v\"",
        ),
        (from(json!({"fieldRef": {"fieldPath": "spec.secret"}})), "unsupported fieldPath: spec.secret"),
    ] {
        assert_eq!(build(container).await.unwrap_err().to_string(), text);
    }
    let text = build(from(json!({"secretKeyRef": {"name": "keys", "key": "blob"}}))).await.unwrap_err().to_string();
    assert!(text.contains("not UTF-8"), "{text}");
    for optional in [
        json!({"envFrom": [{"configMapRef": {"name": "none", "optional": true}}]}),
        from(json!({"configMapKeyRef": {"name": "none", "key": "k", "optional": true}})),
        from(json!({"secretKeyRef": {"name": "keys", "key": "k", "optional": true}})),
    ] {
        assert!(!build(optional).await.unwrap().contains_key("A"));
    }
}

#[test]
fn commands_are_expanded_from_the_environment() {
    let env = [("A".to_owned(), "1".to_owned())];
    let words = ["$(A)".to_owned(), "$(B)".to_owned(), "$$(A)".to_owned()];
    assert_eq!(expand_words(&words, &env), ["1", "$(B)", "$(A)"]);
}

#[tokio::test]
async fn what_the_yaml_declares_comes_first_and_can_be_told_from_the_rest() {
    let env = made(json!({
        "envFrom": [{"prefix": "S_", "configMapRef": {"name": "settings"}}],
        "env": [
            {"name": "S_size", "value": "s"},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
        ],
    }));
    let env = env.await.unwrap();
    let declared: Vec<_> = env.own[..env.declared].iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(declared, [("S_color", "blue"), ("S_size", "s"), ("PASSWORD", "sesame")]);
    assert_eq!(env.own[env.declared..], [("WEB_SERVICE_HOST".to_owned(), "127.96.0.9".to_owned())]);
}
