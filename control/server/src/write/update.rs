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
use super::edit::{Next, edit};
use super::strategy::{Author, Part, revise};
use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::{View, key};

/// Answers a PUT or PATCH to one part of an object.
pub(crate) async fn update_part(hub: &Hub, call: &Call, part: Part) -> ApiResult<Response<Body>> {
    let dry_run = call.params.dry_run()?;
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
            edit(hub, resource, &key(&call.target), dry_run, decide).await?
        }
        _ => {
            let (new, found) = body_of(call)?;
            warnings = found;
            check_place(call, &new)?;
            edit(hub, resource, &key(&call.target), dry_run, |old| successor(call, part, new.clone(), old, &author))
                .await?
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
    let resource = &call.target.resource;
    check_place(call, &new)?;
    let (wanted, actual) = (meta::resource_version(&new), meta::resource_version(old));
    if !wanted.is_empty() && wanted != actual {
        if wanted.parse::<u64>().is_err() {
            let path = coracle_api::field::Path::root("metadata").child("resourceVersion");
            let error = coracle_api::field::FieldError::invalid(&path, &wanted.into(), "must be a number");
            return Err(ApiError::invalid(resource, meta::name(old), &[error]));
        }
        return Err(ApiError::modified(resource, meta::name(old)));
    }
    // A patch carries the version it was applied to; only a PUT's was chosen by its author.
    let pinned = call.verb == Verb::Update && !wanted.is_empty();
    Ok(Next::Write { object: revise(resource, part, new, old, author)?, pinned })
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
    PatchKind::from_content_type(header).ok_or_else(|| ApiError::unsupported_media_type(&PatchKind::MEDIA_TYPES))
}
