use serde_json::json;

use super::*;
use crate::catalog::Catalog;

fn row(group: &str, plural: &str) -> std::sync::Arc<Resource> {
    Catalog::builtin().find(group, "v1", plural).expect("a built-in row")
}

fn strict(group: &str, plural: &str, body: Value) -> ApiResult<Value> {
    decode(&row(group, plural), body, FieldValidation::Strict).map(|(value, _)| value)
}

fn message(group: &str, plural: &str, body: Value) -> String {
    let error = strict(group, plural, body).expect_err("must not decode");
    assert_eq!(error.code(), 400);
    error.message
}

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
}

#[test]
fn unknown_fields_are_refused_with_their_paths() {
    let body = pod(json!({"containers": [{"name": "c", "imagge": "x"}], "foo": {"bar": 1}}));
    assert_eq!(
        message("", "pods", body.clone()),
        "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: \
         unknown field \"spec.containers[0].imagge\", unknown field \"spec.foo\""
    );
    let (value, warnings) = decode(&row("", "pods"), body.clone(), FieldValidation::Warn).unwrap();
    assert_eq!(warnings, ["unknown field \"spec.containers[0].imagge\"", "unknown field \"spec.foo\""]);
    assert_eq!(value["spec"], json!({"containers": [{"name": "c"}]}));
    let (_, warnings) = decode(&row("", "pods"), body, FieldValidation::Ignore).unwrap();
    assert!(warnings.is_empty());
}

#[test]
fn duplicates_are_reported_unless_the_field_is_unknown_anyway() {
    let body = br#"{"kind":"Pod","apiVersion":"v1","spec":{"x":1,"x":2,"nodeName":"a","nodeName":"b"}}"#;
    let parsed = parse_json(body).unwrap();
    let (value, warnings) = decode(&row("", "pods"), parsed, FieldValidation::Warn).unwrap();
    assert_eq!(warnings, ["unknown field \"spec.x\"", "duplicate field \"spec.nodeName\""]);
    assert_eq!(value["spec"]["nodeName"], "b");
}

#[test]
fn wrong_types_are_described_as_go_does() {
    let cases = [
        (json!({"containers": "x"}), "string into Go struct field PodSpec.spec.containers of type []v1.Container"),
        (
            json!({"containers": [{"name": 1}]}),
            "number into Go struct field Container.spec.containers.name of type string",
        ),
        (
            json!({"containers": [{"env": [{"value": true}]}]}),
            "bool into Go struct field EnvVar.spec.containers.env.value of type string",
        ),
        (
            json!({"containers": [{"ports": [{"containerPort": "80"}]}]}),
            "string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            json!({"priority": 3_000_000_000_i64}),
            "number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            json!({"restartPolicy": 1}),
            "number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (json!({"nodeSelector": []}), "array into Go struct field PodSpec.spec.nodeSelector of type map[string]string"),
        (
            json!({"securityContext": "x"}),
            "string into Go struct field PodSpec.spec.securityContext of type v1.PodSecurityContext",
        ),
        (json!([]), "array into Go struct field Pod.spec of type v1.PodSpec"),
    ];
    for (spec, expected) in cases {
        let expected = format!("Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal {expected}");
        assert_eq!(message("", "pods", pod(spec)), expected);
    }
    let body = json!({"metadata": {"labels": {"a": 1}}});
    assert_eq!(
        message("", "configmaps", body),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct \
         field ObjectMeta.metadata.labels of type string"
    );
}

#[test]
fn quantities_times_and_base64_have_errors_of_their_own() {
    let bad_quantity = pod(json!({"containers": [{"resources": {"limits": {"memory": "lots"}}}]}));
    assert_eq!(
        message("", "pods", bad_quantity),
        "Pod in version \"v1\" cannot be handled as a Pod: quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    );
    let bad_time = json!({"metadata": {"creationTimestamp": "now"}});
    assert!(message("", "configmaps", bad_time).contains("parsing time \"now\""));
    assert_eq!(
        message("", "secrets", json!({"data": {"a": "aGk$"}})),
        "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte 3"
    );
}

#[test]
fn values_are_written_back_as_go_writes_them() {
    let body = pod(json!({
        "containers": [{"name": "c", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": null}}],
        "volumes": [{"name": "v", "emptyDir": {}, "secret": null}],
        "nodeSelector": {"a": null},
    }));
    let value = strict("", "pods", body).unwrap();
    assert_eq!(value["spec"]["containers"][0]["resources"], json!({"limits": {"cpu": "500m", "memory": "1Gi"}}));
    assert_eq!(value["spec"]["volumes"], json!([{"name": "v", "emptyDir": {}}]));
    assert_eq!(value["spec"]["nodeSelector"], json!({"a": ""}));
    let service = strict("", "services", json!({"spec": {"ports": [{"port": 80, "targetPort": "http"}]}})).unwrap();
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
    let bad = json!({"spec": {"ports": [{"port": 80, "targetPort": {}}]}});
    assert!(message("", "services", bad).ends_with("json: cannot unmarshal object into Go value of type int32"));
}

#[test]
fn the_kind_must_fit_the_path() {
    let value = strict("apps", "deployments", json!({})).unwrap();
    assert_eq!(value, json!({"apiVersion": "apps/v1", "kind": "Deployment"}));
    assert_eq!(
        message("", "pods", json!({"apiVersion": "v1", "kind": "ConfigMap"})),
        "ConfigMap in version \"v1\" cannot be handled as a Pod: converting (v1.ConfigMap) to (core.Pod): unknown conversion"
    );
    assert_eq!(
        message("events.k8s.io", "events", json!({"apiVersion": "v1", "kind": "Event"})),
        "the API version in the data (v1) does not match the expected API version (events.k8s.io/v1)"
    );
    assert!(message("apps", "deployments", json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment"})).starts_with(
        "Deployment in version \"v1beta1\" cannot be handled as a Deployment: no kind \"Deployment\" is registered for \
         version \"extensions/v1beta1\" in scheme"
    ));
    assert!(message("", "pods", json!([1])).starts_with("the object provided is unrecognized (must be of type Pod): "));
    assert!(message("", "pods", json!({"kind": 5})).contains("number into Go struct field .kind of type string"));
}

#[test]
fn options_of_any_group_version_are_accepted() {
    for version in ["v1", "meta.k8s.io/v1", "apps/v1"] {
        let body = json!({"apiVersion": version, "kind": "DeleteOptions", "gracePeriodSeconds": 0});
        assert!(decode_as("v1", "DeleteOptions", body, FieldValidation::Strict).is_ok(), "{version}");
    }
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": "0"});
    assert!(decode_as("v1", "DeleteOptions", body, FieldValidation::Strict).is_err());
}

#[test]
fn findings_are_bounded() {
    let many: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("x{n}"), json!(1))).collect();
    let (_, warnings) = decode(&row("", "configmaps"), Value::Object(many), FieldValidation::Warn).unwrap();
    assert_eq!(warnings.len(), MAX_STRICT_ERRORS);
}

#[test]
fn duplicates_below_a_long_key_are_not_compared_for_ever() {
    // 100,000 times 99 comparisons of a megabyte each.
    let others: String = (0..99).map(|index| format!(r#""b{index:02}":0,"b{index:02}":0,"#)).collect();
    let body = format!(r#"{{"{}":{{{others}{}"a00":0}}}}"#, "k".repeat(1 << 20), r#""a00":0,"#.repeat(100_000));
    assert_eq!(parse_json(body.as_bytes()).unwrap().duplicates.len(), 100);
}
