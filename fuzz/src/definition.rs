//! Definitions of custom resources, and objects of the kinds that they define.
//!
//! Promises: a definition without errors can be served; an object that was pruned and defaulted stays as it is when that is
//! done again, also when it is read from storage; what did not change is not held against an object; applying an
//! object twice changes nothing; a definition goes there and back in protobuf.

use coracle_api::apply::{ApplyOptions, apply};
use coracle_api::catalog::Resource;
use coracle_api::custom::{
    JsonPath, definition_errors, definition_status_errors, definition_update_errors, rows, value_errors,
};
use coracle_api::decode::{FieldValidation, decode};
use coracle_api::protobuf;
use serde_json::{Value, json};

use super::documents::{of_kind, show, written};
use super::schemas::{definition, fitting};
use super::supply::Supply;

/// Levels of an object that is made up.
const MAX_DEPTH: usize = 8;

/// Checks one input: a definition and objects on lines, or decisions.
pub fn check(data: &[u8]) {
    if let Some(documents) = written(data) {
        let Some((definition, objects)) = documents.split_first() else { return };
        return one(definition.clone(), objects);
    }
    let mut supply = Supply::new(data);
    if supply.once_in(16) {
        return path(&String::from_utf8_lossy(supply.rest()));
    }
    let definition = definition(&mut supply);
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let objects = [fitting(&mut supply, schema, MAX_DEPTH), fitting(&mut supply, schema, MAX_DEPTH)];
    let objects = objects.map(|mut object| {
        if object.is_object() {
            object["apiVersion"] = json!("example.com/v1");
            object["kind"] = json!("Thing");
            object["metadata"] = json!({ "name": "a", "namespace": "default", "generation": 1 });
        }
        object
    });
    one(definition, &objects);
}

fn one(definition: Value, objects: &[Value]) {
    show("definition", &definition);
    objects.iter().for_each(|object| show("object", object));
    let row = of_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").expect("a row that every cluster has");
    let Ok((mut definition, _)) = decode(&row, definition, FieldValidation::Ignore) else { return };
    row.defaults(&mut definition);
    let errors = definition_errors(&definition);
    let _ = definition_update_errors(&definition, &definition);
    let _ = definition_status_errors(&definition, &definition);
    if let Ok(bytes) = protobuf::encode(&definition) {
        let once = protobuf::decode(&bytes).expect("what was written can be read");
        let bytes = protobuf::encode(&once).expect("what was read can be written");
        assert_eq!(protobuf::decode(&bytes).as_ref(), Ok(&once), "there and back by protobuf");
    }
    let rows = rows(&definition);
    if !errors.is_empty() {
        return;
    }
    let rows = rows.expect("a definition without errors can be served");
    for resource in &rows {
        objects.iter().for_each(|object| self::object(resource, object));
        if let [old, new, ..] = objects {
            change(resource, old, new);
        }
    }
}

/// The object as a write stores it.
fn stored(resource: &Resource, object: &Value) -> Option<Value> {
    let (mut object, _) = decode(resource, object.clone(), FieldValidation::Ignore).ok()?;
    resource.defaults(&mut object);
    Some(object)
}

fn object(resource: &Resource, object: &Value) {
    let custom = resource.custom.as_ref().expect("a row of a definition");
    let _ = decode(resource, object.clone(), FieldValidation::Strict);
    let Some(once) = stored(resource, object) else { return };
    let twice = stored(resource, &once).expect("what is stored decodes");
    assert_eq!(once, twice, "pruning and defaulting again changes something");
    assert_eq!(custom.read_stored(once.clone()), once, "reading changes what was stored");
    assert!(value_errors(&once, Some(&once), &custom.schema, "").is_empty(), "errors in what did not change");
    let errors = resource.create_errors(&once);
    let _ = (resource.create_warnings(&once), resource.cells(&once, 1_800_000_000));
    for label in resource.selectable() {
        let _ = resource.select(label, &once);
    }
    let options = ApplyOptions { manager: "one", force: false, subresource: "", now: "2026-01-01T00:00:00Z" };
    let mut applied = apply(resource, None, once.clone(), options);
    // Who applies nothing but empty lists owns nothing. The next time what is there belongs to whoever came before.
    if let Ok(first) = &applied
        && first["metadata"].get("managedFields").is_none()
    {
        applied = apply(resource, Some(first), once.clone(), options);
    }
    if let Ok(applied) = applied {
        let later = ApplyOptions { now: "2026-01-02T00:00:00Z", ..options };
        let again = apply(resource, Some(&applied), once.clone(), later);
        assert_eq!(again.as_ref(), Ok(&applied), "applying the same again changes something");
    }
    if errors.is_empty() {
        let mut created = once.clone();
        resource.prepare_create(&mut created);
        assert!(value_errors(&created, None, &custom.schema, "").is_empty(), "being created makes it invalid");
    }
}

fn change(resource: &Resource, old: &Value, new: &Value) {
    let (Some(old), Some(mut new)) = (stored(resource, old), stored(resource, new)) else { return };
    let _ =
        (resource.update_errors(&new, &old), resource.status_errors(&new, &old), resource.change_warnings(&new, &old));
    resource.prepare_update(&mut new, &old);
    let once = new.clone();
    resource.prepare_update(&mut new, &once);
    assert_eq!(once, new, "an update that changes nothing makes a new generation");
}

fn path(text: &str) {
    let document = json!({ "a": [{ "b": 1, "c": "x" }, { "b": 2 }], "d": { "e": [1, 2, 3] } });
    if let Ok(path) = JsonPath::parse(text) {
        assert!(path.find(&document).len() <= 10_000, "more than there is");
    }
}
