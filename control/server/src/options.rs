//! `DeleteOptions`, from a body and the query of a request.

use coracle_api::field::{FieldError, Path};
use coracle_api::{ApiError, ApiResult};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::http::{Encoding, dry_run_error, read_json};
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
    /// Has an object deleted that cannot be read. None is stored here that can't, so that it changes nothing.
    pub(crate) ignore_store_read_error_with_cluster_breaking_potential: Option<bool>,
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

/// The policies there are, and how a missing one is called.
const POLICIES: [&str; 4] = ["Foreground", "Background", "Orphan", "nil"];

const IGNORE_READ_ERRORS: &str = "ignoreStoreReadErrorWithClusterBreakingPotential";

impl DeleteOptions {
    /// From the body if there is one, otherwise from the query: never from both.
    pub(crate) fn of(call: &Call) -> ApiResult<Self> {
        // Without a body nobody asks what it is written in.
        let body = match call.body.is_empty() {
            true => None,
            false => read_json(&call.body, Encoding::of(&call.headers)?)?,
        };
        let options = match body {
            Some(body) => {
                let kind = body.get("kind").and_then(Value::as_str);
                if kind.is_some_and(|k| k != "DeleteOptions") {
                    return Err(ApiError::bad_request("expected DeleteOptions in the body of a delete request"));
                }
                serde_json::from_value(body).map_err(|e| ApiError::bad_request(format!("DeleteOptions: {e}")))?
            }
            None => Self::of_query(call)?,
        };
        options.check()?;
        Ok(options)
    }

    /// The same for a collection.
    pub(crate) fn of_collection(call: &Call) -> ApiResult<Self> {
        let options = Self::of(call)?;
        if options.ignores_read_errors() {
            let why = "is not allowed with DELETECOLLECTION, try again after removing the option";
            return Err(refused(&[FieldError::invalid(&Path::root(IGNORE_READ_ERRORS), &true.into(), why)]));
        }
        Ok(options)
    }

    /// As they stand inside of another object.
    pub(crate) fn of_value(value: Option<&Value>) -> ApiResult<Self> {
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
            orphan_dependents: params.given_flag("orphanDependents"),
            propagation_policy: params.get("propagationPolicy").map(str::to_string),
            dry_run: params.all("dryRun").map(str::to_string).collect(),
            ignore_store_read_error_with_cluster_breaking_potential: params.given_flag(IGNORE_READ_ERRORS),
        })
    }

    /// The fields that are given, as webhooks see them.
    pub(crate) fn given(&self) -> Map<String, Value> {
        let preconditions = self.preconditions.as_ref().map(|wanted| {
            let given = [("uid", &wanted.uid), ("resourceVersion", &wanted.resource_version)];
            let given = given.into_iter().filter_map(|(name, text)| Some((name.to_string(), json!(text.as_ref()?))));
            Value::Object(given.collect())
        });
        let fields = [
            ("gracePeriodSeconds", self.grace_period_seconds.map(Value::from)),
            ("preconditions", preconditions),
            ("orphanDependents", self.orphan_dependents.map(Value::from)),
            ("propagationPolicy", self.propagation_policy.clone().map(Value::from)),
            ("dryRun", self.is_dry_run().then(|| json!(self.dry_run))),
            (IGNORE_READ_ERRORS, self.ignore_store_read_error_with_cluster_breaking_potential.map(Value::from)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
    }

    fn check(&self) -> ApiResult<()> {
        let mut errors = Vec::new();
        let path = Path::root("propagationPolicy");
        if let Some(policy) = &self.propagation_policy {
            let policy = json!(policy);
            if self.orphan_dependents.is_some() {
                let why = "orphanDependents and deletionPropagation cannot be both set";
                errors.push(FieldError::invalid(&path, &policy, why));
            }
            if !POLICIES[..3].iter().any(|known| policy == *known) {
                errors.push(FieldError::not_supported(&path, &policy, &POLICIES));
            }
        }
        errors.extend(dry_run_error(&self.dry_run));
        if self.ignores_read_errors() {
            let given = [
                (self.is_dry_run(), "dryRun"),
                (self.propagation_policy.is_some(), "propagationPolicy"),
                (self.orphan_dependents.is_some(), "orphanDependents"),
                (self.grace_period_seconds.is_some(), "gracePeriodSeconds"),
                (self.preconditions.is_some(), "preconditions"),
            ];
            for (_, other) in given.into_iter().filter(|(given, _)| *given) {
                let why = format!("cannot be set together with .{other}");
                errors.push(FieldError::invalid(&Path::root(IGNORE_READ_ERRORS), &true.into(), &why));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(refused(&errors)) }
    }

    fn ignores_read_errors(&self) -> bool {
        self.ignore_store_read_error_with_cluster_breaking_potential == Some(true)
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

fn refused(errors: &[FieldError]) -> ApiError {
    ApiError::invalid_kind(("meta.k8s.io", "DeleteOptions"), "", errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: Value) -> String {
        let message = DeleteOptions::of_value(Some(&options)).unwrap_err().message;
        message.strip_prefix("DeleteOptions.meta.k8s.io \"\" is invalid: ").unwrap().to_string()
    }

    #[test]
    fn options_that_exclude_each_other_are_all_named() {
        assert_eq!(
            refused(json!({ "propagationPolicy": "Foo", "orphanDependents": true })),
            "[propagationPolicy: Invalid value: \"Foo\": orphanDependents and deletionPropagation cannot be both set, \
             propagationPolicy: Unsupported value: \"Foo\": supported values: \"Foreground\", \"Background\", \"Orphan\", \
             \"nil\"]"
        );
        assert_eq!(
            refused(json!({ "dryRun": ["All", "Some"] })),
            "dryRun: Unsupported value: []string{\"All\", \"Some\"}: supported values: \"All\""
        );
        assert_eq!(
            refused(json!({ IGNORE_READ_ERRORS: true, "gracePeriodSeconds": 0, "dryRun": ["All"] })),
            "[ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: cannot be set together with .dryRun, \
             ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: cannot be set together with \
             .gracePeriodSeconds]"
        );
        assert!(DeleteOptions::of_value(Some(&json!({ IGNORE_READ_ERRORS: true }))).is_ok());
    }
}
