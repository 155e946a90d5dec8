//! What is known about every definition: its newest version, and the rows it is served by.

use std::collections::HashMap;
use std::sync::Arc;

use coracle_api::{Resource, meta, versions};
use coracle_store::Store;
use serde_json::Value;

use super::conditions::is_true;
use super::names::{ESTABLISHED, TERMINATING};
use crate::convert::{Conversion, Webhook};

/// A definition as it is served.
pub(crate) struct Installed {
    /// One row per served version, the best version first.
    pub(crate) rows: Vec<Arc<Resource>>,
    /// Its objects may not be created any more.
    pub(crate) terminating: bool,
    /// The version that objects are stored in.
    pub(crate) storage_version: String,
    pub(crate) conversion: Conversion,
    /// Objects written above this revision have been through the present schema: they are shown as they are stored.
    pub(crate) schema_since: u64,
}

/// A definition as the store has it.
pub(super) struct Known {
    pub(super) object: Arc<Value>,
    /// The revision it was written at.
    pub(super) revision: u64,
    pub(super) installed: Option<Arc<Installed>>,
}

/// All definitions, by name. The name of a definition is also the storage key of its objects.
#[derive(Default)]
pub(crate) struct Definitions {
    known: HashMap<String, Known>,
}

impl Definitions {
    /// The rows of everything established: by group, the best version first.
    pub(super) fn rows(&self) -> Vec<Arc<Resource>> {
        let installed = self.known.values().filter_map(|known| known.installed.as_ref());
        let mut rows: Vec<Arc<Resource>> = installed.flat_map(|installed| installed.rows.iter().cloned()).collect();
        rows.sort_by(|a, b| {
            let by_version = || versions::compare(&a.version, &b.version);
            a.group.cmp(&b.group).then_with(by_version).then_with(|| a.plural.cmp(&b.plural))
        });
        rows
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Installed>> {
        self.known.get(name)?.installed.clone()
    }

    pub(super) fn object(&self, name: &str) -> Option<Arc<Value>> {
        self.known.get(name).map(|known| known.object.clone())
    }

    /// The revision of the version that is known, 0 for none.
    pub(super) fn revision(&self, name: &str) -> u64 {
        self.known.get(name).map_or(0, |known| known.revision)
    }

    /// The definitions of a group except one.
    pub(super) fn others(&self, group: &str, name: &str) -> Vec<(String, Arc<Value>)> {
        let others = self.known.iter().filter(|(other, k)| *other != name && k.object["spec"]["group"] == group);
        others.map(|(name, known)| (name.clone(), known.object.clone())).collect()
    }

    /// Forgets a definition. Returns whether it was served.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.known.remove(name).is_some_and(|known| known.installed.is_some())
    }

    /// Takes a new version. Returns whether what is served changes.
    pub(super) fn put(&mut self, store: &Store, object: Arc<Value>, revision: u64) -> bool {
        let name = meta::name(&object).to_string();
        let before = self.known.get(&name);
        let same_schema = before.is_some_and(|before| same(&before.object, &object));
        let old = before.and_then(|before| before.installed.clone());
        if same_schema {
            self.known.insert(name, Known { object, revision, installed: old });
            return false;
        }
        let kept = before.filter(|before| same_spec(&before.object, &object)).and(old.as_ref());
        // Up to now objects may have been written by an older schema.
        let schema_since = kept.map_or_else(|| store.revision(), |kept| kept.schema_since);
        let installed = install(store, &object, schema_since);
        let changed = installed.is_some() || old.is_some();
        self.known.insert(name, Known { object, revision, installed: installed.map(Arc::new) });
        changed
    }
}

fn same_spec(a: &Value, b: &Value) -> bool {
    meta::uid(a) == meta::uid(b) && a["spec"] == b["spec"]
}

/// Whether two versions are served alike.
fn same(a: &Value, b: &Value) -> bool {
    let flags = |object: &Value| (is_true(object, ESTABLISHED), is_true(object, TERMINATING));
    same_spec(a, b) && flags(a) == flags(b) && a["status"]["acceptedNames"] == b["status"]["acceptedNames"]
}

/// The rows of a definition, by the names it has been given; none until it is established.
fn install(store: &Store, definition: &Value, schema_since: u64) -> Option<Installed> {
    if !is_true(definition, ESTABLISHED) {
        return None;
    }
    match coracle_api::custom::rows(definition) {
        Ok(rows) => Some(Installed {
            rows: rows.into_iter().map(Arc::new).collect(),
            terminating: is_true(definition, TERMINATING),
            storage_version: storage_version(definition),
            conversion: conversion(store, definition),
            schema_since,
        }),
        Err(error) => {
            // Validation refuses such definitions; one that got in before a rule was made is not served.
            tracing::error!(name = meta::name(definition), %error, "a CustomResourceDefinition cannot be served");
            None
        }
    }
}

fn storage_version(definition: &Value) -> String {
    let versions = definition["spec"]["versions"].as_array();
    let stored = versions.into_iter().flatten().find(|version| version["storage"] == true);
    stored.and_then(|version| version["name"].as_str()).unwrap_or_default().to_string()
}

fn conversion(store: &Store, definition: &Value) -> Conversion {
    let conversion = &definition["spec"]["conversion"];
    if conversion["strategy"] != "Webhook" {
        return Conversion::None;
    }
    match Webhook::of(&conversion["webhook"], store.clone()) {
        Ok(webhook) => Conversion::Webhook(Box::new(webhook)),
        Err(why) => Conversion::Broken(why),
    }
}
