//! `finalize` of a namespace: replaces `spec.finalizers`, which nothing else can; without any, a deleted namespace is
//! gone.

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, meta};
use http::Response;
use serde_json::Value;

use crate::hub::{Call, Hub};
use crate::read::key;
use crate::write::{Next, Writer, author, body_of, edit_as, respond, revise_as};

pub(super) async fn finalize(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let author = author(call)?;
    let (wanted, warnings) = body_of(call)?;
    let resource = &call.target.resource;
    if meta::name(&wanted) != call.target.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            meta::name(&wanted),
            call.target.name
        )));
    }
    let decide = |old: &Value| {
        let version = meta::resource_version(&wanted);
        if !version.is_empty() && version != meta::resource_version(old) {
            return Err(ApiError::modified(resource, &call.target.name));
        }
        let mut new = old.clone();
        match wanted["spec"].get("finalizers") {
            Some(finalizers) => new["spec"]["finalizers"] = finalizers.clone(),
            None => {
                new["spec"].as_object_mut().map(|spec| spec.remove("finalizers"));
            }
        }
        let object = revise_as(resource, new, old, &author, |_, _| Vec::new())?;
        Ok(Next::Write { object, pinned: !version.is_empty() })
    };
    let edited = edit_as(hub, &Writer::of(call)?, &key(&call.target), decide).await?;
    respond(call, &edited.record, &warnings)
}
