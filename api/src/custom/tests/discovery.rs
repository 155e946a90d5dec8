//! How custom kinds are told of: in discovery and in documents.

use super::*;
use crate::catalog::Catalog;
use crate::discovery::{AggregatedVersion, aggregated_groups, api_group, api_resource_list};
use crate::openapi::OpenApi;

#[test]
fn documents_and_discovery_show_custom_kinds() {
    let mut definition = definition(spec_of(
        json!({ "x": { "x-kubernetes-int-or-string": true }, "n": { "type": "string", "nullable": true } }),
    ));
    let mut second = definition["spec"]["versions"][0].clone();
    second["name"] = json!("v1beta1");
    second["storage"] = json!(false);
    definition["spec"]["versions"] = json!([second, definition["spec"]["versions"][0].clone()]);
    let rows: Vec<Arc<Resource>> = rows(&definition).unwrap().into_iter().map(Arc::new).collect();
    let catalog = Catalog::builtin().with(rows);
    assert_eq!(api_group(&catalog, "example.com").unwrap()["preferredVersion"]["version"], "v1");
    let list = api_resource_list(&catalog, "example.com", "v1").unwrap();
    assert_eq!(list["resources"][0]["shortNames"], json!(["ct"]));
    assert_eq!(list["resources"][1]["name"], "crontabs/status");
    let open_api = OpenApi::new(catalog, "v1.36.0");
    let document: Value = serde_json::from_slice(&open_api.v3_document("example.com", "v1").unwrap().bytes).unwrap();
    let schema = &document["components"]["schemas"]["com.example.v1.CronTab"];
    assert_eq!(
        schema["x-kubernetes-group-version-kind"],
        json!([{ "group": "example.com", "version": "v1", "kind": "CronTab" }])
    );
    assert!(schema["properties"]["metadata"]["allOf"].is_array());
    assert!(document["components"]["schemas"]["com.example.v1.CronTabList"].is_object());
    assert!(document["paths"]["/apis/example.com/v1/namespaces/{namespace}/crontabs/{name}/status"].is_object());
}

#[test]
fn discovery_tells_where_objects_are_stored_and_what_may_still_be_done() {
    let mut definition = definition(spec_of(json!({})));
    let mut second = definition["spec"]["versions"][0].clone();
    second["name"] = json!("v2");
    second["storage"] = json!(false);
    let versions = definition["spec"]["versions"].as_array_mut().unwrap();
    versions.push(second);
    let entry = |definition: &Value, version: &str| {
        let rows = rows(definition).unwrap().into_iter().map(Arc::new).collect();
        let catalog = Catalog::builtin().with(rows);
        let aggregated = aggregated_groups(&catalog, AggregatedVersion::V2);
        let groups = aggregated["items"].as_array().unwrap();
        let group = groups.iter().find(|group| group["metadata"]["name"] == "example.com").unwrap();
        assert_eq!(
            (group["metadata"].clone(), &group["versions"][0]["freshness"]),
            (json!({ "name": "example.com" }), &json!("Current"))
        );
        let entry = api_resource_list(&catalog, "example.com", version).unwrap()["resources"][0].clone();
        assert_eq!(group["versions"][0]["resources"][0]["verbs"], entry["verbs"]);
        entry
    };
    let (first, second) = (entry(&definition, "v1"), entry(&definition, "v2"));
    // base64(sha256("example.com/v1/CronTab")[..8]), whichever version is asked about.
    assert_eq!(
        (&first["storageVersionHash"], &second["storageVersionHash"]),
        (&json!("bodr40kQYQo="), &json!("bodr40kQYQo="))
    );
    assert_eq!(
        first["verbs"],
        json!(["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"])
    );
    definition["status"]["conditions"] = json!([{ "type": "Terminating", "status": "True" }]);
    assert_eq!(entry(&definition, "v1")["verbs"], json!(["delete", "deletecollection", "get", "list", "watch"]));
    definition["spec"]["versions"][0]["served"] = json!(false);
    assert_eq!(entry(&definition, "v2").get("storageVersionHash"), None);
}
