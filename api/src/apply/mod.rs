//! Server-side apply (KEP-555): who owns which field, and what an applied configuration changes.
//!
//! Sets of fields, merging and conflict rules follow `sigs.k8s.io/structured-merge-diff`; error texts follow
//! kube-apiserver. Ownership starts with the creation of an object. One without `managedFields` (they were taken away)
//! gives everything that is there to the manager `before-first-apply` when it is applied.
//!
//! Invariant: a field that another manager owns and that would change is never changed without `force`.

mod compare;
mod conflict;
mod elements;
mod last_applied;
mod managers;
mod merge;
mod path;
mod set;
mod shape;
#[cfg(test)]
mod tests;
mod to_set;

use serde_json::{Map, Value, json};

use crate::catalog::Resource;
use crate::custom::declared;
use crate::decode::{DecodeError, FieldValidation, Wording, check_fields, findings};
use crate::error::{ApiError, ApiResult, Reason};
use crate::schema::{Schemas, Type};
use managers::{Managers, Owner};
use path::Element;
use set::FieldSet;
use shape::Shaped;

/// Who applies, and how.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOptions<'a> {
    /// `fieldManager`: required.
    pub manager: &'a str,
    /// Take fields over that others own.
    pub force: bool,
    /// `status`, or empty for the object itself.
    pub subresource: &'a str,
    /// RFC 3339, whole seconds.
    pub now: &'a str,
}

/// Why two objects can't be compared or merged field by field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum ShapeError {
    /// A list element can't be told from others.
    #[error(
        "{0}: element {1}: associative list with keys has an element that omits key field \"{2}\" (and doesn't have \
         default value)"
    )]
    MissingKey(String, usize, String),
    /// Two list elements have the same keys.
    #[error("{0}: duplicate entries for key {1}")]
    Duplicate(String, String),
}

/// Merges an applied configuration into the live object (`None`: it is created) and writes down who owns what.
/// The result still has to be defaulted and validated like any write.
///
/// # Errors
/// 400 for a configuration that can't be applied, 409 for conflicts, 500 for fields that the kind does not have and
/// for lists whose elements can't be told apart, as upstream.
pub fn apply(resource: &Resource, live: Option<&Value>, config: Value, options: ApplyOptions<'_>) -> ApiResult<Value> {
    let config = checked(resource, config)?;
    let root = root(resource)?;
    let empty = json!({ "apiVersion": config["apiVersion"], "kind": config["kind"] });
    let old = live.unwrap_or(&empty);
    let mut managers = Managers::of(old);
    if managers.is_empty() && live.is_some() {
        let everything = own_fields(to_set::fields(&root, old).map_err(|error| untyped(resource, &config, &error))?);
        managers.insert(Owner::before_first_apply(&resource.api_version()), everything, options.now);
    }
    let owner = Owner::apply(options.manager, &resource.api_version(), options.subresource);
    let applied = own_fields(to_set::fields(&root, &config).map_err(|error| untyped(resource, &config, &error))?);
    let before = managers.set_of(&owner);
    let merged = merge::merge(&root, old, &config).map_err(|error| untyped(resource, &config, &error))?;
    managers.insert(owner.clone(), applied, options.now);
    let owned = managers.all_fields();
    let merged = merge::remove(&root, merged, &before.without(&owned), &owned);
    let change = compare::compare(&root, old, &merged).map_err(|error| untyped(resource, &config, &error))?;
    if !options.force {
        let excused = last_applied::excused(&root, old, options.manager);
        let conflicts = managers.conflicts(&owner, &change.changed.difference(&excused));
        if !conflicts.is_empty() {
            return Err(conflict::error(&conflicts));
        }
    }
    managers.take_from_others(&owner, &change);
    let mut merged = merged;
    managers.write_to(&mut merged);
    Ok(merged)
}

/// Begins the books of a new object that nobody applied: what its author has set is the author's. `new` is the object
/// after defaulting and before admission, as upstream: what admission adds belongs to nobody.
pub fn track_create(resource: &Resource, new: &mut Value, options: ApplyOptions<'_>) {
    metadata(new).remove("managedFields");
    // An object without a readable shape has no books: validation lets duplicate keys in lists pass in places.
    let Some(fields) = root(resource).ok().and_then(|root| to_set::fields(&root, new).ok()) else { return };
    let mut fields = own_fields(fields);
    if resource.has_status {
        fields.forget(&[Element::field("status")]);
    }
    let mut managers = Managers::default();
    let owner = Owner::update(options.manager, &resource.api_version(), options.subresource);
    managers.add(owner, &fields, options.now);
    managers.write_to(new);
}

/// Brings `managedFields` up to date after a write that is no apply. `new` is what will be stored, after defaulting.
/// An object without any keeps none: its author has taken them away (`managedFields: [{}]`), and only an apply begins
/// them again.
pub fn track_update(resource: &Resource, old: &Value, new: &mut Value, options: ApplyOptions<'_>) {
    let is_reset = |value: &Value| {
        let entries = value.pointer("/metadata/managedFields").and_then(Value::as_array);
        entries.is_some_and(|entries| entries.is_empty() || *entries == [json!({})])
    };
    let mut managers = if is_reset(new) { Managers::default() } else { Managers::of(old) };
    if managers.is_empty() {
        managers.write_to(new);
        return;
    }
    // An object that can't be compared keeps its owners: validation lets duplicate keys in lists pass in places.
    if let Some(change) = root(resource).ok().and_then(|root| compare::compare(&root, old, new).ok()) {
        let owner = Owner::update(options.manager, &resource.api_version(), options.subresource);
        managers.take_from_others(&owner, &change);
        managers.add(owner, &own_fields(change.changed), options.now);
    }
    managers.write_to(new);
}

fn root(resource: &Resource) -> ApiResult<Shaped<'_>> {
    if let Some(custom) = &resource.custom {
        return Ok(Shaped::custom(&custom.schema));
    }
    let schemas = Schemas::builtin();
    let id = schemas.root(&resource.api_version(), &resource.kind);
    let id = id.ok_or_else(|| ApiError::internal(format!("no schema for {}", resource.qualified())))?;
    Ok(Shaped::built_in(schemas, Type::Object(id)))
}

/// The configuration, decoded: only known fields, values as they would be stored.
fn checked(resource: &Resource, mut config: Value) -> ApiResult<Value> {
    let (api_version, kind) = (resource.api_version(), &resource.kind);
    let is = |field: &str, wanted: &str| config.get(field).and_then(Value::as_str) == Some(wanted);
    if !is("apiVersion", &api_version) || !is("kind", kind) {
        let text = |field: &str| config.get(field).and_then(Value::as_str).unwrap_or_default().to_string();
        let (found_version, found_kind) = (text("apiVersion"), text("kind"));
        return Err(ApiError::bad_request(format!(
            "invalid object type: {found_version}, Kind={found_kind} is not {api_version}, Kind={kind}"
        )));
    }
    let has_managers = config.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null());
    if has_managers {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let checked = match &resource.custom {
        Some(custom) => {
            declared(custom, &mut config).and_then(|unknown| findings(unknown, Vec::new(), FieldValidation::Strict))
        }
        None => check_fields(&api_version, kind, &mut config, Vec::new(), (FieldValidation::Strict, Wording::Json)),
    };
    match checked {
        Ok(_) => Ok(config),
        Err(DecodeError::Strict(unknown)) => {
            let fields = unknown.iter().filter_map(|text| text.strip_prefix("unknown field \"")?.strip_suffix('"'));
            let undeclared: Vec<String> =
                fields.map(|field| format!(".{field}: field not declared in schema")).collect();
            Err(untyped(resource, &config, &undeclared.join("\n")))
        }
        Err(error) => Err(untyped(resource, &config, &error)),
    }
}

fn untyped(resource: &Resource, config: &Value, why: &dyn std::fmt::Display) -> ApiError {
    let (namespace, name) = (crate::meta::namespace(config), crate::meta::name(config));
    let (version, kind) = (resource.api_version(), &resource.kind);
    let message = format!("failed to create typed patch object ({namespace}/{name}; {version}, Kind={kind}): {why}");
    ApiError::new(Reason::Unknown, message)
}

/// Fields that belong to nobody: identity, and what the server writes.
fn own_fields(mut fields: FieldSet) -> FieldSet {
    for field in ["apiVersion", "kind"] {
        fields.forget(&[Element::field(field)]);
    }
    for field in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        fields.forget(&[Element::field("metadata"), Element::field(field)]);
    }
    fields.forget_member(&[Element::field("metadata")]);
    fields
}

/// `metadata.managedFields` of an object for writing, `metadata` being made when absent.
fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    crate::meta::metadata_mut(object)
}
