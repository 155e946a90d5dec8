//! Parameters: objects that a binding gives to its policy
//! (`CollectParams` in `k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go`).
//!
//! Invariant: a parameter is read from the store when it is used. However many there are, one is in memory at a time.

use std::sync::Arc;

use coracle_api::Resource;
use coracle_api::selector::LabelSelector;
use coracle_store::{Key, Record, Scope};
use serde_json::Value;

use crate::hub::Hub;

/// `spec.paramKind` of a policy.
#[derive(Debug)]
pub(super) struct ParamKind {
    api_version: String,
    kind: String,
}

impl ParamKind {
    /// From the object, if it is there.
    pub(super) fn of(kind: &Value) -> Option<Self> {
        let text = |field: &str| kind[field].as_str().unwrap_or_default().to_string();
        kind.is_object().then(|| Self { api_version: text("apiVersion"), kind: text("kind") })
    }

    /// The resource that it means now: a definition may come after the policy.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn row(&self, hub: &Hub) -> Result<Arc<Resource>, String> {
        let row = hub.now_served().catalog.find_kind(&self.api_version, &self.kind);
        row.ok_or_else(|| {
            let (api_version, kind) = (&self.api_version, &self.kind);
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            format!("failed to find resource referenced by paramKind: '{group}/{version}, Kind={kind}'")
        })
    }
}

/// `spec.paramRef` of a binding.
#[derive(Debug)]
pub(super) struct ParamRef {
    name: String,
    namespace: String,
    /// Instead of a name.
    selector: Option<Result<LabelSelector, String>>,
    /// `parameterNotFoundAction: Deny`
    required: bool,
}

impl ParamRef {
    /// From the object, if it is there.
    pub(super) fn of(reference: &Value) -> Option<Self> {
        let text = |field: &str| reference[field].as_str().unwrap_or_default().to_string();
        let selector = Some(&reference["selector"]).filter(|selector| !selector.is_null());
        reference.is_object().then(|| Self {
            name: text("name"),
            namespace: text("namespace"),
            selector: selector.map(|selector| LabelSelector::from_value(Some(selector)).map_err(|e| e.to_string())),
            required: reference["parameterNotFoundAction"] == "Deny",
        })
    }

    /// The parameters for a request in a namespace (empty for none).
    ///
    /// # Errors
    /// When the reference makes no sense there, or nothing is found and that matters.
    pub(super) fn find(&self, hub: &Hub, row: &Resource, namespace: &str) -> Result<Vec<Arc<Record>>, String> {
        let namespace = match (row.namespaced, self.namespace.as_str(), namespace) {
            (true, "", "") => {
                return Err(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".into()
                );
            }
            (true, "", of_request) => of_request,
            (true, own, _) => own,
            (false, "", _) => "",
            (false, ..) => {
                return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".into());
            }
        };
        let found: Vec<Arc<Record>> = match (&self.selector, self.name.as_str()) {
            (Some(_), name) if !name.is_empty() => {
                return Err("paramRef.name and paramRef.selector are mutually exclusive".into());
            }
            (Some(selector), _) => {
                let selector = selector.as_ref().map_err(Clone::clone)?;
                let scope = if namespace.is_empty() {
                    Scope::all(row.storage_key())
                } else {
                    Scope::namespaced(row.storage_key(), namespace)
                };
                let all = hub.store.list(&scope);
                all.iter().filter(|record| selector.matches_with(|key| record.lifted.label(key))).cloned().collect()
            }
            (None, "") => return Err("one of name or selector must be provided".into()),
            (None, name) => hub.store.get(&Key::new(row.storage_key(), namespace, name)).into_iter().collect(),
        };
        if found.is_empty() && self.required {
            return Err("no params found for policy binding with `Deny` parameterNotFoundAction".into());
        }
        Ok(found)
    }
}
