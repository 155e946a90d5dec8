//! `DeleteOptions`, from a body and the query of a request.

use coracle_api::field::{FieldError, Path};
use coracle_api::{ApiError, ApiResult};
use serde::Deserialize;

use crate::http::{Encoding, read_json};
use crate::hub::Call;

/// What a deletion asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeleteOptions {
    pub(crate) grace_period_seconds: Option<i64>,
    pub(crate) preconditions: Option<Preconditions>,
    pub(crate) orphan_dependents: Option<bool>,
    pub(crate) propagation_policy: Option<String>,
    pub(crate) dry_run: Vec<String>,
}

/// What must hold of the object for the deletion to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Preconditions {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
}

/// What becomes of the objects that the deleted one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They stay, without an owner.
    Orphan,
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
}

impl DeleteOptions {
    /// From the body if there is one, otherwise from the query (a client uses one of them).
    pub(crate) fn of(call: &Call) -> ApiResult<Self> {
        let mut options = match read_json(&call.body, Encoding::of(&call.headers)?)? {
            Some(body) => {
                let kind = body.get("kind").and_then(serde_json::Value::as_str);
                if kind.is_some_and(|k| k != "DeleteOptions") {
                    return Err(ApiError::bad_request("expected DeleteOptions in the body of a delete request"));
                }
                serde_json::from_value(body).map_err(|e| ApiError::bad_request(format!("DeleteOptions: {e}")))?
            }
            None => Self::of_query(call)?,
        };
        if call.params.dry_run()? {
            options.dry_run = vec!["All".into()];
        }
        options.check()?;
        Ok(options)
    }

    /// As they stand inside of another object.
    pub(crate) fn of_value(value: Option<&serde_json::Value>) -> ApiResult<Self> {
        let Some(value) = value.filter(|v| !v.is_null()) else { return Ok(Self::default()) };
        let options: Self =
            serde_json::from_value(value.clone()).map_err(|e| ApiError::bad_request(format!("DeleteOptions: {e}")))?;
        options.check()?;
        Ok(options)
    }

    fn of_query(call: &Call) -> ApiResult<Self> {
        let params = &call.params;
        Ok(Self {
            grace_period_seconds: params.integer("gracePeriodSeconds")?,
            preconditions: None,
            orphan_dependents: params.get("orphanDependents").map(|_| params.flag("orphanDependents")),
            propagation_policy: params.get("propagationPolicy").map(str::to_string),
            dry_run: Vec::new(),
        })
    }

    fn check(&self) -> ApiResult<()> {
        let invalid = |error| Err(ApiError::invalid_kind(("meta.k8s.io", "DeleteOptions"), "", &[error]));
        let path = Path::root("propagationPolicy");
        if self.propagation_policy.is_some() && self.orphan_dependents.is_some() {
            let policy = serde_json::json!(self.propagation_policy);
            let why = "orphanDependents and deletionPropagation cannot be both set";
            return invalid(FieldError::invalid(&path, &policy, why));
        }
        if let Some(other) = self.dry_run.iter().find(|v| *v != "All") {
            return invalid(FieldError::not_supported(&Path::root("dryRun"), &other.as_str().into(), &["All"]));
        }
        match self.propagation_policy.as_deref() {
            None | Some("Orphan" | "Background" | "Foreground") => Ok(()),
            Some(other) => {
                invalid(FieldError::not_supported(&path, &other.into(), &["Background", "Foreground", "Orphan"]))
            }
        }
    }

    /// Whether the deletion is only tried.
    pub(crate) fn is_dry_run(&self) -> bool {
        !self.dry_run.is_empty()
    }

    /// What the request says about dependents, if anything.
    pub(crate) fn propagation(&self) -> Option<Propagation> {
        match (self.orphan_dependents, self.propagation_policy.as_deref()) {
            (Some(true), _) | (None, Some("Orphan")) => Some(Propagation::Orphan),
            (None, Some("Foreground")) => Some(Propagation::Foreground),
            (Some(false), _) | (None, Some(_)) => Some(Propagation::Background),
            (None, None) => None,
        }
    }
}
