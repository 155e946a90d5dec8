//! Server-side apply (KEP-555): who owns which field, and what an applied configuration changes.
//!
//! Sets of fields, merging and conflict rules follow `sigs.k8s.io/structured-merge-diff`; the books (`managedFields`) and
//! error texts follow `k8s.io/apimachinery/pkg/util/managedfields`. Ownership starts with the creation of an object. One
//! without `managedFields` (they were taken away) gives everything that is there to the manager `before-first-apply` when
//! it is applied.
//!
//! Invariant: a field that another manager owns and that would change is never changed without `force`.

mod compare;
mod configuration;
mod conflict;
mod elements;
mod ignored;
mod last_applied;
mod managers;
mod merge;
mod path;
mod prune;
mod set;
mod shape;
#[cfg(test)]
mod tests;
mod to_set;
mod track;
mod typed;
#[cfg(test)]
mod upstream;

use serde_json::{Value, json};

use crate::catalog::Resource;
use crate::custom::declared;
use crate::decode::{DecodeError, FieldValidation, Wording, check_fields};
use crate::error::{ApiError, ApiResult, Reason};
use crate::schema::{Schemas, Type};
use ignored::Ignored;
use managers::{Entry, Managers, Owner};
use path::Element;
use set::FieldSet;
use shape::Shaped;

pub use configuration::merge_configuration;
pub use track::{track_create, track_update};

/// Who owns what was there when an object was applied for the first time.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

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
}

/// Merges an applied configuration into the live object (`None`: it is created) and writes down who owns what.
/// The result still has to be defaulted and validated like any write.
///
/// # Errors
/// 400 for a configuration that can't be applied, 409 for conflicts, 500 for fields that the kind does not have and
/// for lists whose elements can't be told apart, as upstream.
pub fn apply(resource: &Resource, live: Option<&Value>, config: Value, options: ApplyOptions<'_>) -> ApiResult<Value> {
    check_type(resource, &config)?;
    let root = root(resource)?;
    let typed = |error: ShapeError| untyped(resource, &config, &error);
    if let Some(errors) = typed::errors(&root, &config) {
        return Err(untyped(resource, &config, &errors));
    }
    let empty = json!({ "apiVersion": config["apiVersion"], "kind": config["kind"] });
    let (old, ignored) = (live.unwrap_or(&empty), Ignored::of(resource, options.subresource));
    let mut managers = books(&root, resource, (&empty, old), live.is_some(), &ignored, options)?;
    let owner = Owner::apply(options.manager, options.subresource);
    let last = managers.take(&owner);
    let fields = ignored.filter(to_set::fields(&root, &config).map_err(typed)?);
    let merged = merge::merge(&root, old, &config).map_err(typed)?;
    let merged = match &last {
        Some(last) => {
            let owned = managers.all_fields().union(&fields);
            prune::prune(&root, merged, &last.fields, (&owned, &fields)).map_err(typed)?
        }
        None => merged,
    };
    let mut merged = normalized(resource, &config, merged)?;
    let mut change = compare::compare(&root, old, &merged).map_err(typed)?;
    change.filter(&ignored);
    change.take_away(&fields);
    managers.keep_versions(|version| is_known(resource, version));
    if !options.force {
        let excused = last_applied::excused(&root, old, options.manager);
        let conflicts = managers.conflicts(&change.changed.difference(&excused));
        if !conflicts.is_empty() {
            return Err(conflict::error(&conflicts));
        }
    }
    managers.lose(&change);
    // Who only comes to own what is there already has changed nothing, and no time is written down for it.
    let time = match last {
        Some(last) if !differs(old, &merged) => last.time,
        _ if live.is_some() && !differs(old, &merged) => String::new(),
        _ => options.now.to_string(),
    };
    managers.insert(owner, Entry { api_version: resource.api_version(), fields: own_fields(fields), time });
    last_applied::follow(&mut merged, config, options.manager);
    managers.write_to(&mut merged);
    Ok(merged)
}

/// The managers of an object that is about to be applied.
fn books(
    root: &Shaped<'_>,
    resource: &Resource,
    (empty, old): (&Value, &Value),
    exists: bool,
    ignored: &Ignored,
    options: ApplyOptions<'_>,
) -> ApiResult<Managers> {
    let why = |why: String| ApiError::new(Reason::Unknown, format!("failed to decode managed fields: {why}"));
    let mut managers = Managers::of(old).map_err(why)?;
    if managers.is_empty() && exists {
        let change = compare::compare(root, empty, old).map_err(|error| untyped(resource, old, &error))?;
        let fields = own_fields(ignored.filter(change.changed));
        let owner = Owner::update(BEFORE_FIRST_APPLY, &resource.api_version(), options.subresource);
        managers.insert(owner, entry(resource, fields, options.now));
    }
    Ok(managers)
}

fn entry(resource: &Resource, fields: FieldSet, time: &str) -> Entry {
    Entry { api_version: resource.api_version(), fields, time: time.to_string() }
}

/// Whether objects differ apart from their books.
fn differs(old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return true };
    let same = |(name, value): (&String, &Value)| {
        new.get(name).is_some_and(|new| if name == "metadata" { rest(value).eq(rest(new)) } else { value == new })
    };
    old.len() != new.len() || !old.iter().all(same)
}

/// Whether two versions of an object are the same but for the times in their books. A write that leaves nothing else is
/// none (`IgnoreManagedFieldsTimestampsTransformer`): a configuration that has a status would otherwise make a new version
/// each time it is applied, since the status is reset only after the time was written down.
pub fn same_but_for_times(old: &Value, new: &Value) -> bool {
    fn books(object: &Value) -> &[Value] {
        object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
    let same_entry = |(old, new): (&Value, &Value)| match (old.as_object(), new.as_object()) {
        (Some(old), Some(new)) => {
            let timeless = |name: &&String| *name != "time";
            old.keys().filter(timeless).eq(new.keys().filter(timeless))
                && old.iter().filter(|(name, _)| timeless(name)).all(|(name, value)| new.get(name) == Some(value))
        }
        _ => old == new,
    };
    let (before, after) = (books(old), books(new));
    before.len() == after.len() && before.iter().zip(after).all(same_entry) && !differs(old, new)
}

/// Metadata apart from the books.
fn rest(metadata: &Value) -> impl Iterator<Item = (&String, &Value)> {
    metadata.as_object().into_iter().flatten().filter(|(name, _)| *name != "managedFields")
}

/// Whether objects of the kind come in the version, so that paths of it mean something.
fn is_known(resource: &Resource, version: &str) -> bool {
    if version == resource.api_version() {
        return true;
    }
    if resource.custom.is_some() {
        return version.rsplit_once('/').is_some_and(|(group, _)| group == resource.group);
    }
    Schemas::builtin().root(version, &resource.kind).is_some()
}

fn root(resource: &Resource) -> ApiResult<Shaped<'_>> {
    let root = root_of(Some(resource), &resource.api_version(), &resource.kind);
    root.ok_or_else(|| ApiError::internal(format!("no schema for {}", resource.qualified())))
}

/// What objects of a kind look like, if that is known.
fn root_of<'r>(resource: Option<&'r Resource>, api_version: &str, kind: &str) -> Option<Shaped<'r>> {
    if let Some(custom) = resource.and_then(|resource| resource.custom.as_ref()) {
        return Some(Shaped::custom(&custom.schema));
    }
    let schemas = Schemas::builtin();
    schemas.root(api_version, kind).map(|id| Shaped::built_in(schemas, Type::Object(id)))
}

/// A configuration must say what it is, and must not say who owns what.
fn check_type(resource: &Resource, config: &Value) -> ApiResult<()> {
    let (api_version, kind) = (resource.api_version(), &resource.kind);
    let text = |field: &str| config.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("apiVersion") != api_version || text("kind") != kind {
        let found = format!("{}, Kind={}", text("apiVersion"), text("kind"));
        return Err(ApiError::bad_request(format!("invalid object type: {found}")));
    }
    if config.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// The merged object with values as they are stored.
fn normalized(resource: &Resource, config: &Value, merged: Value) -> ApiResult<Value> {
    normalized_as(Some(resource), (&resource.api_version(), &resource.kind), merged).map_err(|error| {
        let message = format!("failed to convert new typed object ({}) to object: {error}", shown(resource, config));
        ApiError::new(Reason::Unknown, message)
    })
}

fn normalized_as(
    resource: Option<&Resource>,
    (api_version, kind): (&str, &str),
    mut merged: Value,
) -> Result<Value, DecodeError> {
    match resource.and_then(|resource| resource.custom.as_ref()) {
        Some(custom) => declared(custom, &mut merged).map(drop)?,
        None => {
            let how = (FieldValidation::Ignore, Wording::Converter);
            check_fields(api_version, kind, &mut merged, Vec::new(), how)?;
        }
    }
    Ok(merged)
}

fn untyped(resource: &Resource, config: &Value, why: &dyn std::fmt::Display) -> ApiError {
    let message = format!("failed to create typed patch object ({}): {why}", shown(resource, config));
    ApiError::new(Reason::Unknown, message)
}

/// `default/web; apps/v1, Kind=Deployment`
fn shown(resource: &Resource, object: &Value) -> String {
    let (namespace, name) = (crate::meta::namespace(object), crate::meta::name(object));
    format!("{namespace}/{name}; {}, Kind={}", resource.api_version(), resource.kind)
}

/// Fields that belong to nobody: identity, and what the server writes.
fn own_fields(mut fields: FieldSet) -> FieldSet {
    for field in ["apiVersion", "kind"] {
        fields.forget_member(&[Element::field(field)]);
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
        fields.forget_member(&[Element::field("metadata"), Element::field(field)]);
    }
    fields.forget_member(&[Element::field("metadata")]);
    fields
}
