//! `apiVersion` and `kind`: is the document what the path says?

use serde_json::{Value, json};

use super::json_error::{json_type, summarize};
use crate::error::{ApiError, ApiResult};
use crate::schema::Schemas;

/// The kind a path expects.
pub(super) struct Expected<'a> {
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
}

impl Expected<'_> {
    /// `Pod in version "v1" cannot be handled as a Pod: WHY`, with what the document says it is.
    pub(super) fn cannot_be_handled(&self, value: &Value, why: &dyn std::fmt::Display) -> String {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or(self.kind);
        let api_version = value.get("apiVersion").and_then(Value::as_str).unwrap_or(self.api_version);
        let version = api_version.rsplit('/').next().unwrap_or(api_version);
        format!("{kind} in version \"{version}\" cannot be handled as a {}: {why}", self.kind)
    }

    fn unrecognized(&self, value: &Value, why: &str) -> ApiError {
        let summary = summarize(value.to_string().as_bytes());
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: \
             {why} ({summary})",
            self.kind
        ))
    }

    /// The package of the internal type in Go, which one error text names.
    fn internal_package(&self) -> &str {
        match self.api_version.split_once('/') {
            None | Some(("events.k8s.io", _)) => "core",
            Some((group, _)) => group.split('.').next().unwrap_or(group),
        }
    }
}

/// Checks `apiVersion` and `kind`, and fills them in when they are absent, as kube-apiserver does for a body whose
/// path says what it is.
pub(super) fn check(expected: &Expected<'_>, value: &mut Value) -> ApiResult<()> {
    if !value.is_object() {
        let go_type =
            r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
        let why = format!("json: cannot unmarshal {} into Go value of type {go_type}", json_type(value));
        return Err(expected.unrecognized(value, &why));
    }
    for field in ["apiVersion", "kind"] {
        if let Some(found) = value.get(field).filter(|found| !found.is_string() && !found.is_null()) {
            let found = json_type(found);
            let why = format!("json: cannot unmarshal {found} into Go struct field .{field} of type string");
            return Err(expected.unrecognized(value, &why));
        }
    }
    for (field, default) in [("apiVersion", expected.api_version), ("kind", expected.kind)] {
        if value.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
            value[field] = json!(default);
        }
    }
    let (api_version, kind) = (text(value, "apiVersion"), text(value, "kind"));
    // Every group registers the options kinds, so any group's version will do for them.
    if kind == expected.kind && (api_version == expected.api_version || kind == "DeleteOptions") {
        return Ok(());
    }
    Err(ApiError::bad_request(mismatch(expected, value)))
}

fn mismatch(expected: &Expected<'_>, value: &Value) -> String {
    let (api_version, kind) = (text(value, "apiVersion"), text(value, "kind"));
    let version = api_version.rsplit('/').next().unwrap_or(api_version);
    if Schemas::builtin().root(api_version, kind).is_none() {
        let why = format!(
            "no kind \"{kind}\" is registered for version \"{api_version}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\""
        );
        return expected.cannot_be_handled(value, &why);
    }
    if kind == expected.kind {
        let expected = expected.api_version;
        return format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        );
    }
    let (package, wanted) = (expected.internal_package(), expected.kind);
    let why = format!("converting ({version}.{kind}) to ({package}.{wanted}): unknown conversion");
    expected.cannot_be_handled(value, &why)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
