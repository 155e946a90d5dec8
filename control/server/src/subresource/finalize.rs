//! `finalize` of a namespace: replaces `spec.finalizers`, which nothing else can; without any, a deleted namespace is
//! gone.

use axum::body::Body;
use coracle_api::ApiResult;
use http::Response;
use serde_json::Value;

use crate::hub::{Call, Hub};
use crate::read::key;
use crate::write::{Next, Writer, author, body_of, check_place, check_version, edit_as, respond, revise_as};

pub(super) async fn finalize(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let author = author(call)?;
    let (wanted, warnings) = body_of(call)?;
    let resource = &call.target.resource;
    check_place(call, &wanted)?;
    let decide = |old: &Value| {
        let pinned = check_version(call, &wanted, old)?;
        let (before, resource, old, author) = (Some(old.clone()), resource.clone(), old.clone(), author.clone());
        let make = move |wanted: &Value| revise_as(&resource, take(wanted, &old), &old, &author, |_, _| Vec::new());
        Ok(Next::Ask { asked: wanted.clone(), before, make: Box::new(make), pinned })
    };
    let edited = edit_as(hub, &Writer::of(call)?, &key(&call.target), decide).await?;
    respond(call, &edited.record, &warnings)
}

/// The namespace with the finalizers that are wanted.
fn take(wanted: &Value, old: &Value) -> Value {
    let mut new = old.clone();
    match wanted["spec"].get("finalizers") {
        Some(finalizers) => new["spec"]["finalizers"] = finalizers.clone(),
        None => {
            new["spec"].as_object_mut().map(|spec| spec.remove("finalizers"));
        }
    }
    new
}
