//! PUT and PATCH of what is a part of its object: `approval`, `ephemeralcontainers`, `resize`.

use axum::body::Body;
use coracle_api::ApiResult;
use coracle_api::field::FieldError;
use coracle_api::patch::patch_object;
use http::Response;
use serde_json::Value;

use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::key;
use crate::write::{Next, Writer, author, body_of, check_version, edit_as, patch_kind, respond, revise_as};

/// What is wrong with the step from the old object to the new one.
pub(super) type Check = fn(&Value, &Value) -> Vec<FieldError>;

/// Answers the request. `take` makes the new object: the old one (second) with its part of the wanted one (first).
pub(super) async fn update(
    hub: &Hub,
    call: &Call,
    take: impl Fn(&Value, &Value) -> Value + Copy + Send + Sync + 'static,
    check: Check,
) -> ApiResult<Response<Body>> {
    let resource = &call.target.resource;
    let author = author(call)?;
    let given = if call.verb == Verb::Patch { None } else { Some(body_of(call)?) };
    let mut warnings = Vec::new();
    let decide = |old: &Value| {
        let (wanted, found) = match &given {
            Some(given) => given.clone(),
            None => patch_object(resource, patch_kind(call)?, old, &call.body, call.params.field_validation()?)?,
        };
        warnings = found;
        let pinned = check_version(call, &wanted, old)?;
        let (before, resource, old, author) = (Some(old.clone()), resource.clone(), old.clone(), author.clone());
        let make = move |wanted: &Value| revise_as(&resource, take(wanted, &old), &old, &author, check);
        Ok(Next::Ask { asked: wanted, before, make: Box::new(make), pinned })
    };
    let edited = edit_as(hub, &Writer::of(call)?, &key(&call.target), decide).await?;
    respond(call, &edited.record, &warnings)
}
