//! What happens to an object between decoding and storing, whatever its kind: metadata that the server owns,
//! `status` and `spec` each changed only by who may, generation, defaults, validation. Pure functions.

use coracle_api::apply::{ApplyOptions, track_create, track_update};
use coracle_api::field::FieldError;
use coracle_api::names::{SUFFIX_LENGTH, generate};
use coracle_api::{ApiError, ApiResult, Resource, meta, metadata};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Which part of an object a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but `status`.
    Main,
    /// `status`, and metadata that is not the server's.
    Status,
}

/// Who writes, for the books of server-side apply.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    /// `fieldManager`
    pub(crate) manager: String,
    /// The subresource that is written, empty for the object itself.
    pub(crate) subresource: &'static str,
    /// The version comes from an apply, which has kept its books already.
    pub(crate) applied: bool,
}

/// Metadata that an author can't set.
const SERVER_OWNED: [&str; 5] =
    ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "uid"];

/// Now, as Kubernetes writes times.
pub(crate) fn now() -> String {
    seconds_text(Timestamp::now())
}

/// A time with whole seconds.
pub(crate) fn seconds_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Author {
    /// The server itself.
    pub(crate) fn server() -> Self {
        Self { manager: "kube-apiserver".into(), subresource: "", applied: false }
    }
}

/// Writes down whose the fields of a new object are; an applied one has its books already.
pub(super) fn book_create(resource: &Resource, object: &mut Value, author: &Author) {
    if !author.applied {
        let now = now();
        let options =
            ApplyOptions { manager: &author.manager, force: false, subresource: author.subresource, now: &now };
        track_create(resource, object, options);
    }
}

/// Gives a new object what only the server can: a uid, its time of creation. The kind then prepares it.
pub(crate) fn prepare_create(resource: &Resource, object: &mut Value) {
    let metadata = meta::metadata_mut(object);
    for field in SERVER_OWNED {
        metadata.remove(field);
    }
    metadata.remove("selfLink");
    drop_empty(metadata);
    metadata.insert("uid".into(), json!(Uuid::new_v4().to_string()));
    metadata.insert("creationTimestamp".into(), json!(now()));
    if resource.has_status {
        metadata.insert("generation".into(), json!(1));
    }
    resource.prepare_create(object);
}

/// A fresh name for an object with `generateName`.
pub(super) fn name_from_prefix(object: &mut Value) {
    let random: [u8; SUFFIX_LENGTH] = rand::random();
    let name = generate(meta::text(object, "generateName"), random);
    meta::metadata_mut(object).insert("name".into(), json!(name));
}

/// Every rule for a new object.
pub(super) fn validate_create(resource: &Resource, object: &Value) -> ApiResult<()> {
    let mut errors = metadata::validate_metadata(resource, object);
    errors.extend(resource.create_errors(object));
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(resource, meta::name(object), &errors)) }
}

/// The version of an object that follows `old` when somebody writes `new` to one part of it: checked and complete.
pub(crate) fn revise(resource: &Resource, part: Part, new: Value, old: &Value, author: &Author) -> ApiResult<Value> {
    let mut new = match part {
        Part::Main => keep_status(resource, new, old),
        Part::Status if resource.custom.is_some() => take_only_status(new, old),
        Part::Status => take_status(new, old),
    };
    keep_metadata(resource, &mut new, old)?;
    resource.defaults(&mut new);
    match part {
        Part::Main => {
            resource.prepare_update(&mut new, old);
            bump_generation(resource, &mut new, old);
        }
        Part::Status => resource.prepare_status(&mut new, old),
    }
    let mut errors = metadata::validate_metadata_update(&new, old);
    match part {
        Part::Main => errors.extend(resource.update_errors(&new, old)),
        Part::Status => errors.extend(resource.status_errors(&new, old)),
    }
    finish(resource, new, old, author, &errors)
}

/// The same for a write to a subresource that has put together `new` by rules of its own, of which `check` is the last.
pub(crate) fn revise_as(
    resource: &Resource,
    mut new: Value,
    old: &Value,
    author: &Author,
    check: impl FnOnce(&Value, &Value) -> Vec<FieldError>,
) -> ApiResult<Value> {
    let generation = new["metadata"].get("generation").cloned();
    keep_metadata(resource, &mut new, old)?;
    if let Some(generation) = generation {
        meta::metadata_mut(&mut new).insert("generation".into(), generation);
    }
    let mut errors = metadata::validate_metadata_update(&new, old);
    errors.extend(check(&new, old));
    // One mistake need not be told twice.
    if errors.is_empty() {
        errors.extend((resource.rules.validate)(&new));
    }
    finish(resource, new, old, author, &errors)
}

fn finish(
    resource: &Resource,
    mut new: Value,
    old: &Value,
    author: &Author,
    errors: &[FieldError],
) -> ApiResult<Value> {
    if !errors.is_empty() {
        return Err(ApiError::invalid(resource, meta::name(&new), errors));
    }
    if !author.applied {
        let now = now();
        let options =
            ApplyOptions { manager: &author.manager, force: false, subresource: author.subresource, now: &now };
        track_update(resource, old, &mut new, options);
    }
    Ok(new)
}

/// An author's version with the controllers' status.
fn keep_status(resource: &Resource, mut new: Value, old: &Value) -> Value {
    if resource.has_status {
        match old.get("status") {
            Some(status) => new["status"] = status.clone(),
            None => {
                new.as_object_mut().map(|fields| fields.remove("status"));
            }
        }
    }
    new
}

/// A controller's status on the author's version. Labels, annotations and finalizers may be changed along with it,
/// owners may not.
fn take_status(mut new: Value, old: &Value) -> Value {
    let mut result = old.clone();
    if let Some(status) = new.get_mut("status") {
        result["status"] = status.take();
    }
    result["metadata"] = new["metadata"].take();
    match old["metadata"].get("ownerReferences") {
        Some(owners) => result["metadata"]["ownerReferences"] = owners.clone(),
        None => {
            meta::metadata_mut(&mut result).remove("ownerReferences");
        }
    }
    result
}

/// The same for a custom resource, of which nothing but the status changes.
fn take_only_status(mut new: Value, old: &Value) -> Value {
    let mut result = old.clone();
    for (path, field) in [("", "status"), ("/metadata", "managedFields")] {
        let taken = new.pointer_mut(path).and_then(Value::as_object_mut).and_then(|fields| fields.remove(field));
        let Some(place) = result.pointer_mut(path).and_then(Value::as_object_mut) else { continue };
        match taken {
            Some(value) => place.insert(field.into(), value),
            None => place.remove(field),
        };
    }
    result
}

/// Carries over what the server owns. 409 when the author means an object that has been replaced by another.
fn keep_metadata(resource: &Resource, new: &mut Value, old: &Value) -> ApiResult<()> {
    let (wanted, actual) = (meta::uid(new).to_string(), meta::uid(old));
    if !wanted.is_empty() && wanted != actual {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {actual}");
        return Err(ApiError::conflict(resource, meta::name(old), &why));
    }
    let metadata = meta::metadata_mut(new);
    metadata.remove("selfLink");
    for field in SERVER_OWNED.into_iter().chain(["name", "namespace", "resourceVersion", "generateName"]) {
        match old["metadata"].get(field) {
            Some(value) => metadata.insert(field.into(), value.clone()),
            None => metadata.remove(field),
        };
    }
    drop_empty(metadata);
    Ok(())
}

/// Metadata without labels has no `labels` (Go's `omitempty`): a patch that takes the last one away leaves nothing.
fn drop_empty(metadata: &mut Map<String, Value>) {
    for field in ["labels", "annotations", "ownerReferences", "finalizers"] {
        let is_empty =
            |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
        if metadata.get(field).is_some_and(is_empty) {
            metadata.remove(field);
        }
    }
}

/// `metadata.generation` counts versions of what the author wants: everything but metadata and status.
fn bump_generation(resource: &Resource, new: &mut Value, old: &Value) {
    let generation = meta::generation(old);
    // A kind whose prepare_create dropped the generation has none.
    if !resource.has_status || generation == 0 || meta::generation(new) != generation {
        return;
    }
    if new.get("spec") != old.get("spec") {
        meta::metadata_mut(new).insert("generation".into(), json!(generation + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_api::Catalog;

    fn config_map() -> (std::sync::Arc<Resource>, Value) {
        let resource = Catalog::builtin().find("", "v1", "configmaps").unwrap();
        let mut object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "generateName": "c-", "namespace": "default", "uid": "mine", "resourceVersion": "5" },
        });
        name_from_prefix(&mut object);
        prepare_create(&resource, &mut object);
        (resource, object)
    }

    #[test]
    fn a_new_object_gets_what_only_the_server_can_give() {
        let (resource, object) = config_map();
        assert_ne!(meta::uid(&object), "mine");
        assert!(meta::name(&object).starts_with("c-") && meta::name(&object).len() == 7);
        assert_eq!(validate_create(&resource, &object), Ok(()));
    }

    #[test]
    fn empty_metadata_leaves_no_trace() {
        let (resource, old) = config_map();
        let mut new = old.clone();
        new["metadata"]["labels"] = json!({});
        new["metadata"]["ownerReferences"] = json!([]);
        let author = Author { manager: "test".into(), subresource: "", applied: false };
        assert_eq!(revise(&resource, Part::Main, new.clone(), &old, &author).unwrap(), old);
        prepare_create(&resource, &mut new);
        assert!(new["metadata"].get("labels").is_none() && new["metadata"].get("ownerReferences").is_none());
    }

    #[test]
    fn an_update_keeps_what_the_server_owns_and_refuses_another_uid() {
        let (resource, old) = config_map();
        let mut new = old.clone();
        new["metadata"]["creationTimestamp"] = json!("2000-01-01T00:00:00Z");
        new["data"] = json!({ "a": "b" });
        let author = Author { manager: "test".into(), subresource: "", applied: false };
        let revised = revise(&resource, Part::Main, new.clone(), &old, &author).unwrap();
        assert_eq!(revised["metadata"], old["metadata"]);
        new["metadata"]["uid"] = json!("other");
        assert_eq!(revise(&resource, Part::Main, new, &old, &author).unwrap_err().code(), 409);
    }
}
