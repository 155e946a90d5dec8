//! Reviews: questions about users and rights, asked by creating an object that is answered and never stored.

mod access;
mod rules;
mod token;

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, meta};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::hub::{Call, Hub};
use crate::write::{Action, admit_request, body_of};

/// Answers the POST of a review: with the object itself, its `status` filled in.
pub(crate) async fn serve(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    call.params.dry_run()?;
    let (mut review, warnings) = body_of(call)?;
    let named = meta::namespace(&review);
    if !named.is_empty() && named != call.target.namespace {
        let text = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(ApiError::bad_request(text));
    }
    let rules = call.target.resource.rules;
    if call.target.resource.namespaced {
        meta::metadata_mut(&mut review).insert("namespace".into(), json!(call.target.namespace));
    } else {
        meta::metadata_mut(&mut review);
    }
    (rules.defaults)(&mut review);
    admit_request(hub, call, Action::Create, &mut review).await?;
    let errors = (rules.validate)(&review);
    if !errors.is_empty() {
        return Err(ApiError::invalid(&call.target.resource, "", &errors));
    }
    let user = &call.user;
    review["status"] = match call.target.resource.kind.as_ref() {
        "TokenReview" => token::status(hub, &review["spec"], &call.notes).await?,
        "SelfSubjectReview" => json!({ "userInfo": user.info() }),
        "SelfSubjectRulesReview" => rules::status(hub, user, &review["spec"])?,
        "SelfSubjectAccessReview" => access::of_self(hub, user, &review["spec"]),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => access::of_subject(hub, &review["spec"]),
        other => return Err(ApiError::internal(format!("nobody answers a {other}"))),
    };
    Ok(call.respond(StatusCode::CREATED, review.to_string().into(), &warnings))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
