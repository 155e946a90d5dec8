use super::*;

fn open_api() -> OpenApi {
    OpenApi::new(Catalog::builtin(), "v1.36.0")
}

fn v3(group: &str, version: &str) -> Value {
    serde_json::from_slice(&open_api().v3_document(group, version).expect("served").bytes).expect("JSON")
}

fn dangling(document: &Value, prefix: &str, known: &Value) -> Vec<String> {
    match document {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            let own = own.filter(|target| target.strip_prefix(prefix).is_none_or(|name| known.get(name).is_none()));
            let nested = fields.values().flat_map(|field| dangling(field, prefix, known));
            own.map(str::to_string).into_iter().chain(nested).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| dangling(item, prefix, known)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let v2: Value = serde_json::from_slice(&open_api().v2_json().bytes).unwrap();
    assert_eq!(dangling(&v2, "#/definitions/", &v2["definitions"]), Vec::<String>::new());
    for (group, version) in [("", "v1"), ("apps", "v1"), ("batch", "v1"), ("events.k8s.io", "v1")] {
        let document = v3(group, version);
        let known = &document["components"]["schemas"];
        assert_eq!(dangling(&document, "#/components/schemas/", known), Vec::<String>::new());
    }
}

/// `kubectl explain` shows both.
#[test]
fn values_of_a_field_stand_in_the_schema_and_in_its_description() {
    let v2: Value = serde_json::from_slice(&open_api().v2_json().bytes).unwrap();
    let (v2, v3) = (&v2["definitions"], &v3("apps", "v1")["components"]["schemas"]);
    for definitions in [v2, v3] {
        let field = &definitions["io.k8s.api.apps.v1.DeploymentStrategy"]["properties"]["type"];
        assert_eq!(field["enum"], json!(["Recreate", "RollingUpdate"]));
        let text = field["description"].as_str().unwrap();
        assert!(text.ends_with("\n\nPossible enum values:\n - `\"Recreate\"`\n - `\"RollingUpdate\"`"), "{text}");
    }
    let port = "io.k8s.api.core.v1.ContainerPort";
    assert_eq!(v3[port]["properties"]["protocol"]["default"], "TCP");
    assert!(v2[port]["properties"]["protocol"].get("default").is_none());
}

/// kubectl checks objects against this before it sends them.
#[test]
fn objects_may_come_without_metadata() {
    let v2: Value = serde_json::from_slice(&open_api().v2_json().bytes).unwrap();
    let required = |name: &str| v2["definitions"][name]["required"].clone();
    assert_eq!(required("io.k8s.api.authentication.v1.TokenReview"), json!(["spec"]));
    assert_eq!(required("io.k8s.api.core.v1.Pod"), Value::Null);
    assert_eq!(required("io.k8s.api.core.v1.Event"), json!(["involvedObject", "metadata"]));
}

#[test]
fn the_index_names_every_document_by_its_hash() {
    let open_api = open_api();
    let index: Value = serde_json::from_slice(&open_api.v3_index().bytes).unwrap();
    let hash = open_api.v3_document("apps", "v1").unwrap().hash;
    assert_eq!(index["paths"]["apis/apps/v1"]["serverRelativeURL"], format!("/openapi/v3/apis/apps/v1?hash={hash}"));
    assert!(index["paths"]["api/v1"].is_object());
    assert!(open_api.v3_document("apps", "v2").is_none());
}

/// kubectl decides by these whether the server validates fields, runs dry, and takes strategic merge patches.
#[test]
fn patch_operations_say_what_kubectl_asks_for() {
    let document = v3("apps", "v1");
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "apps", "version": "v1", "kind": "Deployment"})
    );
    assert_eq!(patch["x-kubernetes-action"], "patch");
    let names: Vec<&str> =
        patch["parameters"].as_array().unwrap().iter().filter_map(|parameter| parameter["name"].as_str()).collect();
    assert!(names.contains(&"fieldValidation") && names.contains(&"dryRun"));
    assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
    assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
}

#[test]
fn schemas_carry_the_kubernetes_extensions() {
    let document = v3("", "v1");
    let schemas = &document["components"]["schemas"];
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert_eq!(containers["items"]["allOf"][0]["$ref"], "#/components/schemas/io.k8s.api.core.v1.Container");
    let pod = &schemas["io.k8s.api.core.v1.Pod"];
    assert_eq!(pod["x-kubernetes-group-version-kind"], json!([{"group": "", "version": "v1", "kind": "Pod"}]));
    let port = &schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
    assert_eq!(port["oneOf"], json!([{"type": "integer"}, {"type": "string"}]));
    assert!(schemas["io.k8s.api.core.v1.PodList"]["properties"]["items"].is_object());
    assert!(schemas.get("io.k8s.api.apps.v1.Deployment").is_none());
}

/// Reads the protobuf back with the same messages and compares it with the JSON document.
#[test]
fn the_protobuf_document_says_what_the_json_document_says() {
    let open_api = open_api();
    let json: Value = serde_json::from_slice(&open_api.v2_json().bytes).unwrap();
    let decoded = messages::Document::decode(open_api.v2_protobuf().bytes.as_ref()).unwrap();
    assert_eq!(decoded.info.unwrap().version, "v1.36.0");
    let definitions = decoded.definitions.unwrap().additional_properties;
    assert_eq!(definitions.len(), json["definitions"].as_object().unwrap().len());
    let paths = decoded.paths.unwrap().path;
    assert_eq!(paths.len(), json["paths"].as_object().unwrap().len());
    let spec = definitions.iter().find(|named| named.name == "io.k8s.api.core.v1.PodSpec").unwrap();
    let properties = spec.value.as_ref().unwrap().properties.as_ref().unwrap();
    let containers = properties.additional_properties.iter().find(|named| named.name == "containers").unwrap();
    let containers = containers.value.as_ref().unwrap();
    assert_eq!(containers.items.as_ref().unwrap().schema[0].reference, "#/definitions/io.k8s.api.core.v1.Container");
    let key = containers.vendor_extension.iter().find(|any| any.name == "x-kubernetes-patch-merge-key").unwrap();
    assert_eq!(key.value.as_ref().unwrap().yaml, "\"name\"\n");
}

/// The first bytes by hand, so that messages and test can't be wrong together: field 1, length 3, "2.0".
#[test]
fn the_protobuf_document_begins_as_gnostic_writes_it() {
    let bytes = open_api().v2_protobuf().bytes;
    assert_eq!(&bytes[..5], b"\x0a\x032.0");
    // Field 2 (info), whose field 1 is the title.
    assert_eq!(&bytes[5..9], b"\x12\x15\x0a\x0a");
}

#[test]
fn documents_are_built_once_and_have_stable_hashes() {
    let first = open_api();
    assert!(Arc::ptr_eq(&first.v2_json().bytes, &first.v2_json().bytes));
    assert_eq!(first.v3_index().etag(), open_api().v3_index().etag());
}
