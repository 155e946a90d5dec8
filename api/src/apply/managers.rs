//! `metadata.managedFields`: who owns what.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::compare::Change;
use super::set::FieldSet;
use crate::meta::metadata_mut;

/// Managers with plain updates kept apart; beyond it the oldest are thrown together, as in Kubernetes.
const MAX_UPDATE_MANAGERS: usize = 10;
/// Who owns the fields of the managers that were thrown together.
const ANCIENT: &str = "ancient-changes";

/// A manager as `managedFields` tells them apart. One that applies is the same in every version. In the order of
/// upstream's identifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    manager: String,
    /// `Apply` or `Update`
    operation: &'static str,
    /// Empty for one that applies.
    api_version: String,
    subresource: String,
}

const APPLY: &str = "Apply";
const UPDATE: &str = "Update";

impl Owner {
    pub(super) fn apply(manager: &str, subresource: &str) -> Self {
        let (manager, subresource) = (manager.to_string(), subresource.to_string());
        Self { manager, operation: APPLY, api_version: String::new(), subresource }
    }

    pub(super) fn update(manager: &str, api_version: &str, subresource: &str) -> Self {
        Self { operation: UPDATE, api_version: api_version.into(), ..Self::apply(manager, subresource) }
    }

    fn updates(&self) -> bool {
        self.operation == UPDATE
    }

    /// As error texts name it: `"kubectl" using apps/v1`.
    fn describe(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.updates() {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }
}

/// What a manager owns.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The version that the paths are of.
    pub(super) api_version: String,
    pub(super) fields: FieldSet,
    /// Empty when nobody knows.
    pub(super) time: String,
}

/// A manager who owns fields that somebody else would change.
#[derive(Debug)]
pub(super) struct Conflict {
    pub(super) manager: String,
    pub(super) fields: FieldSet,
}

/// All managers of an object.
#[derive(Debug, Default, Clone)]
pub(super) struct Managers(BTreeMap<Owner, Entry>);

impl Managers {
    /// Those that the object says it has, or why nobody can read them.
    pub(super) fn of(object: &Value) -> Result<Self, String> {
        let entries = object.get("metadata").and_then(|metadata| metadata.get("managedFields"));
        let entries = entries.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        entries.iter().enumerate().map(decode).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, owner: &Owner) -> Option<Entry> {
        self.0.remove(owner)
    }

    /// Sets what the manager owns; one with nothing is none.
    pub(super) fn insert(&mut self, owner: Owner, entry: Entry) {
        if !entry.fields.is_empty() {
            self.0.insert(owner, entry);
        }
    }

    /// What anybody owns.
    pub(super) fn all_fields(&self) -> FieldSet {
        self.0.values().fold(FieldSet::default(), |all, entry| all.union(&entry.fields))
    }

    /// Those who own something of `changed`.
    pub(super) fn conflicts(&self, changed: &FieldSet) -> Vec<Conflict> {
        let conflicts = self
            .0
            .iter()
            .map(|(owner, entry)| Conflict { manager: owner.describe(), fields: entry.fields.intersection(changed) });
        conflicts.filter(|conflict| !conflict.fields.is_empty()).collect()
    }

    /// Takes changed and removed fields from everybody.
    pub(super) fn lose(&mut self, change: &Change) {
        self.0.retain(|_, entry| {
            entry.fields = entry.fields.difference(&change.changed).difference(&change.removed);
            !entry.fields.is_empty()
        });
    }

    /// Forgets managers of versions that there are no longer.
    pub(super) fn keep_versions(&mut self, is_known: impl Fn(&str) -> bool) {
        self.0.retain(|_, entry| is_known(&entry.api_version));
    }

    /// Writes the entries to the object.
    pub(super) fn write_to(self, object: &mut Value) {
        let mut entries: Vec<(Owner, Entry)> = self.0.into_iter().collect();
        if entries.is_empty() {
            metadata_mut(object).remove("managedFields");
            return;
        }
        entries.sort_by(|(a, x), (b, y)| {
            let first = (a.operation, &x.time, &a.manager).cmp(&(b.operation, &y.time, &b.manager));
            first.then_with(|| (&x.api_version, &a.subresource).cmp(&(&y.api_version, &b.subresource)))
        });
        let entries: Vec<Value> = entries.iter().map(|(owner, entry)| encode(owner, entry)).collect();
        metadata_mut(object).insert("managedFields".into(), Value::Array(entries));
    }

    /// Throws the oldest managers with updates together until there are few enough, by version.
    pub(super) fn limit_updates(&mut self) {
        let updates = self.0.iter().filter(|(owner, _)| owner.updates());
        let mut oldest: Vec<(String, Owner)> =
            updates.map(|(owner, entry)| (entry.time.clone(), owner.clone())).collect();
        let mut count = oldest.len();
        oldest.sort();
        let mut first: BTreeMap<String, Owner> = BTreeMap::new();
        for (_, owner) in oldest {
            if count <= MAX_UPDATE_MANAGERS {
                return;
            }
            let bucket = Owner::update(ANCIENT, &owner.api_version, "");
            let Some(start) = first.get(&owner.api_version) else {
                first.insert(owner.api_version.clone(), owner);
                continue;
            };
            if !self.0.contains_key(&bucket)
                && let Some(entry) = self.0.remove(start)
            {
                self.0.insert(bucket.clone(), entry);
            }
            if owner != bucket
                && let Some(next) = self.0.remove(&owner)
                && let Some(ancient) = self.0.get_mut(&bucket)
            {
                ancient.fields.add(next.fields);
                ancient.time = next.time;
            }
            count -= 1;
        }
    }
}

fn decode((index, entry): (usize, &Value)) -> Result<(Owner, Entry), String> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        APPLY => APPLY,
        UPDATE => UPDATE,
        _ => return Err("operation must be `Apply` or `Update`".to_string()),
    };
    let api_version = text("apiVersion").to_string();
    if api_version.is_empty() {
        return Err("apiVersion must not be empty".to_string());
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
        other => return Err(format!("invalid fieldsType {other:?} in managed fields entry {index}")),
    }
    let fields = match entry.get("fieldsV1") {
        None => FieldSet::default(),
        Some(fields) => FieldSet::decode(fields).ok_or_else(|| format!("error decoding set: {fields}"))?,
    };
    let owner = Owner {
        operation,
        api_version: if operation == UPDATE { api_version.clone() } else { String::new() },
        ..Owner::apply(text("manager"), text("subresource"))
    };
    Ok((owner, Entry { api_version, fields, time: text("time").to_string() }))
}

fn encode(owner: &Owner, entry: &Entry) -> Value {
    let mut encoded = json!({
        "manager": owner.manager,
        "operation": owner.operation,
        "apiVersion": entry.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.encode(),
    });
    if !entry.time.is_empty() {
        encoded["time"] = json!(entry.time);
    }
    if !owner.subresource.is_empty() {
        encoded["subresource"] = json!(owner.subresource);
    }
    encoded
}
