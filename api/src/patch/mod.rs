//! The three patches of the API: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch.
//!
//! [`apply_patch`] changes a document; [`patch_object`] also decodes the result, with the error wording that
//! kube-apiserver has for patches. Server-side apply is not a patch in this sense and lives elsewhere.
//!
//! Invariant: no patch, however hostile, makes an object nested deeper than [`MAX_DEPTH`](crate::decode::MAX_DEPTH)
//! or much larger than the object and the body together.

mod errors;
pub(crate) mod go_format;
mod json;
mod merge;
mod strategic;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::catalog::Resource;
use crate::decode::{DecodeError, FieldValidation, Parsed, Wording, check_fields, parse_json, parse_yaml};
use crate::error::{ApiError, ApiResult};
use crate::schema::{Schemas, Type};

/// The media type of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatchKind {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`
    StrategicMerge,
    /// `application/apply-patch+yaml`: server-side apply.
    Apply,
}

impl PatchKind {
    /// All media types, in the order error texts list them.
    pub const MEDIA_TYPES: [&str; 4] = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ];

    /// Reads a `Content-Type` header; parameters such as `charset` don't matter.
    pub fn from_content_type(header: &str) -> Option<Self> {
        let media_type = header.split(';').next().unwrap_or_default().trim();
        let kinds = [Self::Json, Self::Merge, Self::StrategicMerge, Self::Apply];
        let found = Self::MEDIA_TYPES.iter().position(|known| known.eq_ignore_ascii_case(media_type));
        found.map(|index| kinds[index])
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => Self::MEDIA_TYPES[0],
            Self::Merge => Self::MEDIA_TYPES[1],
            Self::StrategicMerge => Self::MEDIA_TYPES[2],
            Self::Apply => Self::MEDIA_TYPES[3],
        }
    }
}

/// A body that was parsed and applied.
struct Applied {
    value: Value,
    /// Fields that the patch itself gives twice.
    duplicates: Vec<String>,
    /// What strict decoding says about the operations of a JSON patch.
    findings: Vec<String>,
}

/// Applies a patch to a document of `resource`. The result is not yet decoded: see [`patch_object`].
///
/// # Errors
/// 400 for a malformed body, 413 for too many operations, 415 for [`PatchKind::Apply`] (not a change to a document),
/// 422 for a patch that does not fit the document, 500 for directives that can't be carried out, as upstream.
pub fn apply_patch(resource: &Resource, kind: PatchKind, current: &Value, patch: &[u8]) -> ApiResult<Value> {
    apply(&resource.api_version(), &resource.kind, kind, current, patch).map(|applied| applied.value)
}

/// Applies a patch and decodes the result. Returns the new object and the warnings for the client.
///
/// # Errors
/// Those of [`apply_patch`], and 422 `Invalid` when the result is no object of the kind or, under strict validation,
/// has unknown fields.
pub fn patch_object(
    resource: &Resource,
    kind: PatchKind,
    current: &Value,
    patch: &[u8],
    validation: FieldValidation,
) -> ApiResult<(Value, Vec<String>)> {
    patch_object_as((&resource.api_version(), &resource.kind), kind, current, patch, validation)
}

/// [`patch_object`] for a kind that is no resource, such as `("autoscaling/v1", "Scale")`.
///
/// # Errors
/// As [`patch_object`].
pub fn patch_object_as(
    (api_version, object_kind): (&str, &str),
    kind: PatchKind,
    current: &Value,
    patch: &[u8],
    validation: FieldValidation,
) -> ApiResult<(Value, Vec<String>)> {
    let Applied { mut value, duplicates, findings } = apply(api_version, object_kind, kind, current, patch)?;
    // Decoding changes the value, and errors quote it as it was: they are rare enough to patch once more for.
    let quoted = || match kind {
        PatchKind::StrategicMerge => read(patch).map(|parsed| go_format::format(&parsed.value)),
        _ => apply(api_version, object_kind, kind, current, patch).map(|applied| applied.value.to_string()),
    };
    let invalid = |why: &str| Err(errors::invalid_patch(&quoted()?, why));
    if !value.is_object() {
        return invalid(&format!("Object 'Kind' is missing in '{value}'"));
    }
    for (field, expected) in [("apiVersion", api_version), ("kind", object_kind)] {
        if value.get(field).and_then(Value::as_str) != Some(expected) {
            return invalid(&errors::changed_type(&value, api_version, object_kind));
        }
    }
    let wording = if kind == PatchKind::StrategicMerge { Wording::Converter } else { Wording::Json };
    match check_fields(api_version, object_kind, &mut value, duplicates, (validation, wording)) {
        Ok(_) if validation == FieldValidation::Strict && !findings.is_empty() => {
            invalid(&DecodeError::Strict(findings).to_string())
        }
        Ok(_) if validation == FieldValidation::Ignore => Ok((value, Vec::new())),
        Ok(warnings) => Ok((value, findings.into_iter().chain(warnings).collect())),
        Err(DecodeError::Strict(more)) => {
            invalid(&DecodeError::Strict(findings.into_iter().chain(more).collect()).to_string())
        }
        Err(error) => invalid(&error.to_string()),
    }
}

fn apply(api_version: &str, object_kind: &str, kind: PatchKind, current: &Value, patch: &[u8]) -> ApiResult<Applied> {
    // kubectl sends JSON, but all patch bodies are read as YAML upstream, of which JSON is nearly a subset.
    let Parsed { value: patch, duplicates } = read(patch)?;
    match kind {
        PatchKind::Json => {
            let findings = json::findings(&patch, &duplicates);
            let value = json::apply(current, patch)?;
            Ok(Applied { value, duplicates: Vec::new(), findings })
        }
        PatchKind::Merge => {
            let value = merge::apply(current, &patch)?;
            Ok(Applied { value, duplicates, findings: Vec::new() })
        }
        PatchKind::StrategicMerge => {
            let schemas = Schemas::builtin();
            let ty = schemas.root(api_version, object_kind).map(Type::Object);
            let ty = ty.ok_or_else(|| ApiError::unsupported_media_type(&UNTYPED_MEDIA_TYPES))?;
            let value = strategic::apply(schemas, &ty, current, patch).map_err(strategic::StrategicError::into_api)?;
            Ok(Applied { value, duplicates, findings: Vec::new() })
        }
        PatchKind::Apply => Err(ApiError::unsupported_media_type(&PatchKind::MEDIA_TYPES[..3])),
    }
}

/// What a kind without built-in schema (a custom resource) may be patched with.
const UNTYPED_MEDIA_TYPES: [&str; 2] = ["application/json-patch+json", "application/merge-patch+json"];

fn read(patch: &[u8]) -> ApiResult<Parsed> {
    parse_json(patch)
        .or_else(|json_error| {
            let looks_like_json = matches!(patch.iter().find(|b| !b.is_ascii_whitespace()), None | Some(b'{' | b'['));
            if looks_like_json { Err(json_error) } else { parse_yaml(patch) }
        })
        .map_err(|error| ApiError::bad_request(error.to_string()))
}
