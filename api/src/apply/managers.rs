//! `metadata.managedFields`: who owns what.

use serde_json::{Value, json};

use super::compare::Change;
use super::metadata;
use super::set::FieldSet;

/// Managers with plain updates kept apart; beyond it the oldest are thrown together, as in Kubernetes.
const MAX_UPDATE_MANAGERS: usize = 10;
/// Who owns the fields of the managers that were thrown together.
const ANCIENT: &str = "ancient-changes";
/// Who owns what was there when an object was applied for the first time.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// A manager as `managedFields` tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    /// `Apply` or `Update`
    operation: String,
    manager: String,
    api_version: String,
    subresource: String,
}

impl Owner {
    fn new(operation: &str, manager: &str, api_version: &str, subresource: &str) -> Self {
        Self {
            operation: operation.into(),
            manager: manager.into(),
            api_version: api_version.into(),
            subresource: subresource.into(),
        }
    }

    pub(super) fn apply(manager: &str, api_version: &str, subresource: &str) -> Self {
        Self::new("Apply", manager, api_version, subresource)
    }

    pub(super) fn update(manager: &str, api_version: &str, subresource: &str) -> Self {
        Self::new("Update", manager, api_version, subresource)
    }

    pub(super) fn before_first_apply(api_version: &str) -> Self {
        Self::update(BEFORE_FIRST_APPLY, api_version, "")
    }
}

/// One entry.
#[derive(Debug, Clone)]
struct Entry {
    owner: Owner,
    fields: FieldSet,
    time: String,
}

/// A manager who owns fields that somebody else would change.
#[derive(Debug)]
pub(super) struct Conflict {
    /// As error texts name the manager: `"kubectl" using apps/v1 at 2024-05-01T10:00:00Z`.
    pub(super) manager: String,
    pub(super) fields: FieldSet,
}

/// All managers of an object.
#[derive(Debug, Default)]
pub(super) struct Managers(Vec<Entry>);

impl Managers {
    /// Those that the object says it has.
    pub(super) fn of(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        Self(entries.into_iter().flatten().map(decode).filter(|entry| !entry.fields.is_empty()).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the manager owns.
    pub(super) fn set_of(&self, owner: &Owner) -> FieldSet {
        self.0.iter().find(|entry| entry.owner == *owner).map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    /// What anybody owns.
    pub(super) fn all_fields(&self) -> FieldSet {
        self.0.iter().fold(FieldSet::default(), |all, entry| all.union(&entry.fields))
    }

    /// Sets what the manager owns. The time changes only with the fields.
    pub(super) fn insert(&mut self, owner: Owner, fields: FieldSet, now: &str) {
        match self.0.iter_mut().find(|entry| entry.owner == owner) {
            Some(entry) if entry.fields == fields => {}
            Some(entry) => {
                entry.fields = fields;
                entry.time = now.to_string();
            }
            None => self.0.push(Entry { owner, fields, time: now.to_string() }),
        }
    }

    /// Adds to what the manager owns.
    pub(super) fn add(&mut self, owner: Owner, fields: &FieldSet, now: &str) {
        if !fields.is_empty() {
            let fields = self.set_of(&owner).union(fields);
            self.insert(owner, fields, now);
        }
    }

    /// Others who own something of `changed`.
    pub(super) fn conflicts(&self, owner: &Owner, changed: &FieldSet) -> Vec<Conflict> {
        let others = self.0.iter().filter(|entry| entry.owner != *owner);
        let conflicts =
            others.map(|entry| Conflict { manager: describe(entry), fields: entry.fields.intersection(changed) });
        let mut conflicts: Vec<Conflict> = conflicts.filter(|conflict| !conflict.fields.is_empty()).collect();
        conflicts.sort_by(|a, b| a.manager.cmp(&b.manager));
        conflicts
    }

    /// Takes changed fields from all others, and removed ones from everybody.
    pub(super) fn take_from_others(&mut self, owner: &Owner, change: &Change) {
        for entry in &mut self.0 {
            if entry.owner != *owner {
                entry.fields = entry.fields.difference(&change.changed);
            }
            if entry.owner != *owner || entry.owner.operation == "Update" {
                entry.fields = entry.fields.difference(&change.removed);
            }
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Writes the entries to the object.
    pub(super) fn write_to(mut self, object: &mut Value) {
        self.limit_updates();
        self.0.sort_by(|a, b| {
            (&a.owner.operation, &a.time, &a.owner.manager).cmp(&(&b.owner.operation, &b.time, &b.owner.manager))
        });
        let entries: Vec<Value> = self.0.iter().map(encode).collect();
        if entries.is_empty() {
            metadata(object).remove("managedFields");
        } else {
            metadata(object).insert("managedFields".into(), json!(entries));
        }
    }

    fn limit_updates(&mut self) {
        let (mut updates, mut kept): (Vec<Entry>, Vec<Entry>) =
            self.0.drain(..).partition(|entry| entry.owner.operation == "Update" && entry.owner.subresource.is_empty());
        updates.sort_by(|a, b| (&a.time, &a.owner).cmp(&(&b.time, &b.owner)));
        let surplus = updates.len().saturating_sub(MAX_UPDATE_MANAGERS);
        if surplus > 0 {
            // One more than the surplus: the entry that they become counts too.
            let mut oldest = updates.drain(..=surplus);
            if let Some(first) = oldest.next() {
                let owner = Owner::update(ANCIENT, &first.owner.api_version, "");
                let ancient = oldest.fold(first, |ancient, next| Entry {
                    fields: ancient.fields.union(&next.fields),
                    time: next.time,
                    owner: ancient.owner,
                });
                kept.push(Entry { owner, ..ancient });
            }
        }
        kept.extend(updates);
        self.0 = kept;
    }
}

fn describe(entry: &Entry) -> String {
    let Owner { operation, manager, api_version, subresource } = &entry.owner;
    let mut text = format!("\"{manager}\"");
    if !subresource.is_empty() {
        text.push_str(&format!(" with subresource \"{subresource}\""));
    }
    if operation == "Update" {
        text.push_str(&format!(" using {api_version}"));
        if !entry.time.is_empty() {
            text.push_str(&format!(" at {}", entry.time));
        }
    }
    text
}

fn decode(entry: &Value) -> Entry {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    Entry {
        owner: Owner::new(text("operation"), text("manager"), text("apiVersion"), text("subresource")),
        fields: entry.get("fieldsV1").map(FieldSet::decode).unwrap_or_default(),
        time: text("time").to_string(),
    }
}

fn encode(entry: &Entry) -> Value {
    let Owner { operation, manager, api_version, subresource } = &entry.owner;
    let mut encoded = json!({
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.encode(),
    });
    if !entry.time.is_empty() {
        encoded["time"] = json!(entry.time);
    }
    if !subresource.is_empty() {
        encoded["subresource"] = json!(subresource);
    }
    encoded
}
