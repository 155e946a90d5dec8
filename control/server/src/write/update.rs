//! PUT and PATCH of an object or its status.

use axum::body::Body;
use coracle_api::patch::{PatchKind, patch_object};
use coracle_api::{ApiError, ApiResult, meta};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use serde_json::Value;

use super::apply::apply;
use super::author::author;
use super::document::{body_of, validation};
use super::edit::{Next, Writer, edit_as};
use super::strategy::{Author, Part, revise};
use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::{View, key};

/// Answers a PUT or PATCH to one part of an object.
pub(crate) async fn update_part(hub: &Hub, call: &Call, part: Part) -> ApiResult<Response<Body>> {
    let writer = Writer::of(call)?;
    let resource = &call.target.resource;
    let author = author(call)?;
    let mut warnings = Vec::new();
    let edited = match call.verb {
        Verb::Patch => {
            let kind = patch_kind(call)?;
            if kind == PatchKind::Apply {
                return apply(hub, call, part, author).await;
            }
            let strictness = validation(call)?;
            let decide = |old: &Value| {
                let (new, found) = patch_object(resource, kind, old, &call.body, strictness)?;
                warnings = found;
                successor(call, part, new, old, &author)
            };
            edit_as(hub, &writer, &key(&call.target), decide).await?
        }
        _ => {
            let (new, found) = body_of(call)?;
            warnings = found;
            check_place(call, &new)?;
            let decide = |old: &Value| successor(call, part, new.clone(), old, &author);
            edit_as(hub, &writer, &key(&call.target), decide).await?
        }
    };
    if part == Part::Main {
        let now = super::document::load(resource, &edited.record)?;
        warnings.extend((resource.rules.warnings)(&now));
    }
    respond(call, &edited.record, &warnings)
}

/// Answers 200 with an object.
pub(crate) fn respond(call: &Call, record: &coracle_store::Record, warnings: &[String]) -> ApiResult<Response<Body>> {
    let view = View::new(&call.target.resource, call.accept, &call.params)?;
    Ok(call.respond(StatusCode::OK, view.object(record, true)?, warnings))
}

/// The next version, if the author means the one that is there.
pub(super) fn successor(call: &Call, part: Part, new: Value, old: &Value, author: &Author) -> ApiResult<Next> {
    let pinned = check_version(call, &new, old)?;
    Ok(Next::Write { object: revise(&call.target.resource, part, new, old, author)?, pinned })
}

/// Whether the author chose the version to follow, which must be the one that is there: 409 otherwise, and 400 for an
/// object that is not the one in the URL.
pub(crate) fn check_version(call: &Call, new: &Value, old: &Value) -> ApiResult<bool> {
    check_place(call, new)?;
    let resource = &call.target.resource;
    let (wanted, actual) = (meta::resource_version(new), meta::resource_version(old));
    if !wanted.is_empty() && wanted != actual {
        if wanted.parse::<u64>().is_err() {
            let path = coracle_api::field::Path::root("metadata").child("resourceVersion");
            let error = coracle_api::field::FieldError::invalid(&path, &wanted.into(), "must be a number");
            return Err(ApiError::invalid(resource, meta::name(old), &[error]));
        }
        return Err(ApiError::modified(resource, meta::name(old)));
    }
    // A patch carries the version it was applied to; only a PUT's was chosen by its author.
    Ok(call.verb == Verb::Update && !wanted.is_empty())
}

/// The object must be the one that the URL names.
fn check_place(call: &Call, object: &Value) -> ApiResult<()> {
    let (target, name, namespace) = (&call.target, meta::name(object), meta::namespace(object));
    if name.is_empty() {
        return Err(ApiError::bad_request("name must be provided"));
    }
    if name != target.name {
        let message = format!("the name of the object ({name}) does not match the name on the URL ({})", target.name);
        return Err(ApiError::bad_request(message));
    }
    if !namespace.is_empty() && namespace != target.namespace {
        return Err(ApiError::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the URL ({})",
            target.namespace
        )));
    }
    Ok(())
}

/// Which patch the body is. 415 for one that is not served.
pub(crate) fn patch_kind(call: &Call) -> ApiResult<PatchKind> {
    let header = call.headers.get(CONTENT_TYPE).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let kind = PatchKind::from_content_type(header);
    if call.target.resource.custom.is_none() {
        return kind.ok_or_else(|| ApiError::unsupported_media_type(&PatchKind::MEDIA_TYPES));
    }
    // A schema says nothing about how lists are merged by a strategy.
    let served = PatchKind::MEDIA_TYPES.into_iter().filter(|media| !media.contains("strategic")).collect::<Vec<_>>();
    let kind = kind.filter(|kind| *kind != PatchKind::StrategicMerge);
    kind.ok_or_else(|| ApiError::unsupported_media_type(&served))
}
