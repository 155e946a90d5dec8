//! PUT and PATCH of an object or its status.

use axum::body::Body;
use coracle_api::field::{ErrorType, FieldError, Path};
use coracle_api::patch::{PatchKind, patch_object};
use coracle_api::{ApiError, ApiResult, Reason, Resource, meta};
use coracle_store::Record;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use serde_json::Value;

use super::apply::apply;
use super::author::author;
use super::create::{Created, Intent, create_object};
use super::document::{body_of, validation};
use super::edit::{Edited, Next, Writer, edit_as};
use super::owners;
use super::strategy::{Author, Part};
use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::{View, key};

/// How often an object may appear or vanish while it is being updated.
const MAX_ATTEMPTS: usize = 8;

/// Answers a PUT or PATCH to one part of an object.
pub(crate) async fn update_part(hub: &Hub, call: &Call, part: Part) -> ApiResult<Response<Body>> {
    let resource = &call.target.resource;
    let kind = if call.verb == Verb::Patch { Some(patch_kind(call)?) } else { None };
    let author = author(call)?;
    let writer = Writer::of(call)?;
    let mut warnings = Vec::new();
    let edited = match kind {
        Some(kind) => {
            if kind == PatchKind::Apply {
                return apply(hub, call, part, author).await;
            }
            let strictness = validation(call)?;
            let decide = |old: &Value| {
                let (mut new, found) = patch_object(resource, kind, old, &call.body, strictness)?;
                warnings = found;
                warnings.extend(owners::dedup(&mut new, true));
                successor(call, part, new, old, &author)
            };
            edit_as(hub, &writer, &key(&call.target), decide).await?
        }
        None => {
            let (mut new, found) = body_of(call)?;
            warnings = found;
            warnings.extend(owners::dedup(&mut new, false));
            check_place(call, &new)?;
            match put(hub, call, (part, new), &author).await? {
                Put::Changed(edited) => edited,
                Put::Created(created) => {
                    warnings.extend(created.warnings);
                    let view = View::new(resource, call.accept, &call.params)?;
                    return Ok(call.respond(StatusCode::CREATED, view.object(&created.record, true)?, &warnings));
                }
            }
        }
    };
    if part == Part::Main && resource.rules.warns_on_update {
        let now = super::document::load(resource, &edited.record)?;
        warnings.extend((resource.rules.warnings)(&now));
    }
    respond(call, &edited.record, &warnings)
}

/// What became of a PUT.
enum Put {
    Changed(Edited),
    Created(Created),
}

/// Changes the object, or makes it if it is not there and its kind is one that a PUT makes.
async fn put(hub: &Hub, call: &Call, (part, new): (Part, Value), author: &Author) -> ApiResult<Put> {
    let (resource, key) = (&call.target.resource, key(&call.target));
    for _ in 0..MAX_ATTEMPTS {
        let decide = |old: &Value| successor(call, part, new.clone(), old, author);
        match edit_as(hub, &Writer::of(call)?, &key, decide).await {
            Err(error) if error.reason == Reason::NotFound && part == Part::Main && resource.is_created_by_update() => {
            }
            outcome => return outcome.map(Put::Changed),
        }
        match create_by_update(hub, call, new.clone(), author).await {
            // Somebody else was faster, and there is something to update now.
            Err(error) if error.reason == Reason::AlreadyExists => {}
            outcome => return outcome.map(Put::Created),
        }
    }
    Err(ApiError::modified(resource, &call.target.name))
}

/// Makes an object that a PUT names.
async fn create_by_update(hub: &Hub, call: &Call, mut object: Value, author: &Author) -> ApiResult<Created> {
    let (resource, target) = (&call.target.resource, &call.target);
    let uid = meta::uid(&object);
    if !uid.is_empty() {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: ");
        return Err(ApiError::conflict(resource, &target.name, &why));
    }
    // Whoever follows a version expects something to be there.
    if !matches!(meta::resource_version(&object), "" | "0") {
        return Err(ApiError::not_found(resource, &target.name));
    }
    meta::metadata_mut(&mut object).remove("resourceVersion");
    let dry_run = call.params.dry_run()?;
    let intent = Intent::of(call, author, dry_run);
    create_object(hub, &intent, object).await
}

/// Answers 200 with an object.
pub(crate) fn respond(call: &Call, record: &Record, warnings: &[String]) -> ApiResult<Response<Body>> {
    let view = View::new(&call.target.resource, call.accept, &call.params)?;
    Ok(call.respond(StatusCode::OK, view.object(record, true)?, warnings))
}

/// The next version, if the author means the one that is there.
pub(super) fn successor(call: &Call, part: Part, new: Value, old: &Value, author: &Author) -> ApiResult<Next> {
    let pinned = check_version(call, &new, old)?;
    Ok(Next::Propose { wanted: new, pinned, part, author: author.clone() })
}

/// Whether the author chose the version to follow, which must be the one that is there: 409 otherwise, and 400 for an
/// object that is not the one in the URL. Of some kinds a PUT must choose one.
pub(crate) fn check_version(call: &Call, new: &Value, old: &Value) -> ApiResult<bool> {
    check_place(call, new)?;
    let resource = &call.target.resource;
    let (wanted, actual) = (meta::resource_version(new), meta::resource_version(old));
    if !wanted.is_empty() && wanted != actual {
        if wanted.parse::<u64>().is_err() {
            let path = Path::root("metadata").child("resourceVersion");
            let error = FieldError::invalid(&path, &wanted.into(), "must be a number");
            return Err(ApiError::invalid(resource, meta::name(old), &[error]));
        }
        return Err(ApiError::modified(resource, meta::name(old)));
    }
    if call.verb == Verb::Patch && meta::uid(new) != meta::uid(old) && !meta::uid(new).is_empty() {
        let error =
            FieldError::invalid(&Path::root("metadata").child("uid"), &meta::uid(new).into(), "field is immutable");
        return Err(ApiError::invalid(resource, meta::name(old), &[error]));
    }
    if matches!(wanted, "" | "0") && call.verb == Verb::Update && !resource.is_updated_unconditionally() {
        return Err(no_version(resource, meta::name(old)));
    }
    // A patch carries the version it was applied to; only a PUT's was chosen by its author.
    Ok(call.verb == Verb::Update && !wanted.is_empty())
}

/// 422 for an update that must follow a version and names none, which is 0 as Go prints unsigned numbers.
fn no_version(resource: &Resource, name: &str) -> ApiError {
    let path = Path::root("metadata").child("resourceVersion");
    let body = "Invalid value: 0x0: must be specified for an update".into();
    ApiError::invalid(resource, name, &[FieldError { kind: ErrorType::Invalid, path, body }])
}

/// The object must be the one that the URL names.
pub(crate) fn check_place(call: &Call, object: &Value) -> ApiResult<()> {
    let (target, name, namespace) = (&call.target, meta::name(object), meta::namespace(object));
    if target.resource.namespaced && !namespace.is_empty() && namespace != target.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if name.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            target.name
        )));
    }
    if name != target.name {
        let message = format!("the name of the object ({name}) does not match the name on the URL ({})", target.name);
        return Err(ApiError::bad_request(message));
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
