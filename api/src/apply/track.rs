//! Keeping the books of objects that are written otherwise than by an apply.

use serde_json::{Map, Value, json};

use super::compare::{self, Change};
use super::ignored::Ignored;
use super::managers::{Managers, Owner};
use super::set::FieldSet;
use super::{ApplyOptions, entry, is_known, own_fields, root};
use crate::catalog::Resource;
use crate::meta::metadata_mut;

/// Begins the books of a new object that nobody applied: what its author has set is the author's. `new` is the object
/// after defaulting and before admission, as upstream: what admission adds belongs to nobody.
pub fn track_create(resource: &Resource, new: &mut Value, options: ApplyOptions<'_>) {
    let managers = Managers::of(new).unwrap_or_default();
    metadata_mut(new).remove("managedFields");
    let empty = json!({ "apiVersion": new["apiVersion"], "kind": new["kind"] });
    // An object without a readable shape has no books.
    if let Some(change) = root(resource).ok().and_then(|root| compare::compare(&root, &empty, new).ok()) {
        book(resource, managers, change, options).write_to(new);
    }
}

/// Brings `managedFields` up to date after a write that is no apply. `new` is what will be stored, after defaulting.
/// An author may write the books of the object itself; who knows nothing of them leaves them as they are. An object
/// without any keeps none: they were taken away (`managedFields: [{}]`), and only an apply begins them again.
pub fn track_update(resource: &Resource, old: &Value, new: &mut Value, options: ApplyOptions<'_>) {
    let mut managers = Managers::of(old).unwrap_or_default();
    if options.subresource.is_empty() {
        if is_reset(new) {
            managers = Managers::default();
        } else if let Ok(given) = Managers::of(new)
            && !given.is_empty()
        {
            managers = given;
        }
    }
    if managers.is_empty() {
        managers.write_to(new);
        return;
    }
    // The books are nothing that anybody owns, and need not be compared.
    metadata_mut(new).remove("managedFields");
    // An object that can't be compared keeps its owners.
    if let Some(change) = root(resource).ok().and_then(|root| compare::compare(&root, old, new).ok()) {
        managers = book(resource, managers, change, options);
    }
    managers.write_to(new);
}

/// Whether the author takes the books away: an empty list, or one with an empty entry.
fn is_reset(object: &Value) -> bool {
    let entries = object.get("metadata").and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array);
    entries.is_some_and(|entries| match entries.as_slice() {
        [] => true,
        [one] => one.as_object().is_some_and(Map::is_empty),
        _ => false,
    })
}

/// Books a change on its author.
fn book(resource: &Resource, mut managers: Managers, mut change: Change, options: ApplyOptions<'_>) -> Managers {
    change.filter(&Ignored::of(resource, options.subresource));
    managers.keep_versions(|version| is_known(resource, version));
    let owner = Owner::update(options.manager, &resource.api_version(), options.subresource);
    let before = managers.take(&owner);
    managers.lose(&change);
    let (mut fields, mut time) = (FieldSet::default(), String::new());
    if let Some(before) = before {
        fields = before.fields.difference(&change.removed);
        time = before.time;
    }
    let taken = own_fields(change.changed);
    // `scale` is a view of the object, whose books tell no time for what is written through it.
    if !taken.is_empty() && options.subresource != "scale" {
        time = options.now.to_string();
    }
    fields.add(taken);
    managers.insert(owner, entry(resource, fields, &time));
    managers.limit_updates();
    managers
}
