//! Label and field selectors of a request, matched against what was lifted out of the records.

use std::collections::HashMap;
use std::sync::Arc;

use coracle_api::custom::CustomKind;
use coracle_api::selector::{FieldSelector, LabelSelector};
use coracle_api::{ApiError, ApiResult, Resource};
use coracle_store::{Key, Record, Scope, WatchScope};

use super::list_options::ListOptions;
use crate::http::Target;

/// What a request selects of a collection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    /// A path that names one object watches only that.
    name: Option<String>,
    /// The custom kind whose own fields are selected by: they are read from the objects.
    custom: Option<Arc<CustomKind>>,
}

impl Selection {
    /// Of a collection, or of the one object that a path names. 400 for a field that the kind does not offer, and for
    /// a name besides the one in the path.
    pub(crate) fn new(target: &Target, options: &ListOptions) -> ApiResult<Self> {
        let fields = options.fields.clone().transformed(|label| target.resource.field_of_label(label));
        let fields = fields.map_err(|e| ApiError::bad_request(e.to_string()))?;
        let name = (!target.name.is_empty()).then(|| target.name.clone());
        if name.is_some() && !fields.is_everything() && fields.required_value("metadata.name") != name.as_deref() {
            return Err(ApiError::bad_request("fieldSelector metadata.name doesn't match requested name"));
        }
        let own = fields.terms().iter().any(|term| !term.field.starts_with("metadata."));
        let custom = target.resource.custom.clone().filter(|_| own);
        Ok(Self { labels: options.labels.clone(), fields, name, custom })
    }

    /// Whether all objects are selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything() && self.name.is_none()
    }

    /// Whether objects have to be read to be selected: then in the version that is asked for, with its defaults.
    pub(super) fn reads_objects(&self) -> bool {
        self.custom.is_some()
    }

    /// Whether the object is selected.
    pub(crate) fn matches(&self, record: &Record) -> bool {
        self.name.as_deref().is_none_or(|name| *record.key.name == *name)
            && self.labels.matches_with(|key| record.lifted.label(key))
            && self.matches_fields(record)
    }

    fn matches_fields(&self, record: &Record) -> bool {
        let own: HashMap<&str, String> = match &self.custom {
            Some(kind) => {
                let object = super::parse(&record.json).unwrap_or_default();
                let values = kind.selectable.iter().map(|(label, _)| label.as_str());
                values.filter_map(|label| Some((label, kind.select(label, &object)?))).collect()
            }
            None => HashMap::new(),
        };
        self.fields.matches_with(|field| match field {
            "metadata.name" => Some(&record.key.name),
            "metadata.namespace" => Some(&record.key.namespace),
            other => own.get(other).map(String::as_str).or_else(|| record.lifted.field(other)),
        })
    }

    /// The one name that can be selected, if there is only one.
    pub(crate) fn only_name(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.fields.required_value("metadata.name"))
    }

    /// The narrowest scope the store can watch that has everything selected in it.
    pub(crate) fn watch_scope(&self, scope: Scope, resource: &Resource) -> WatchScope {
        let mut narrowed = WatchScope::new(scope);
        if let Some(name) = self.only_name() {
            return narrowed.named(name);
        }
        // What custom kinds are selected by is not lifted: their definitions come after the store is open.
        let mut terms = self.fields.terms().iter().filter(|_| resource.custom.is_none());
        let lifted = terms.find(|t| !t.negated && !t.value.is_empty() && !t.field.starts_with("metadata."));
        if let Some(term) = lifted {
            narrowed = narrowed.with_field(&term.field, &term.value);
        }
        narrowed
    }
}

/// The collection a target is in: one namespace of a resource, or all of it.
pub(crate) fn scope(target: &Target) -> Scope {
    let resource = target.resource.storage_key();
    if target.namespace.is_empty() {
        Scope::all(resource)
    } else {
        Scope::namespaced(resource, target.namespace.as_str())
    }
}

/// Where the object of a target is stored.
pub(crate) fn key(target: &Target) -> Key {
    Key::new(target.resource.storage_key(), target.namespace.as_str(), target.name.as_str())
}
