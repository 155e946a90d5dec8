//! `AdmissionReview`: what a webhook is asked
//! (`apiserver/pkg/admission/plugin/webhook/request/admissionreview.go`).

use coracle_api::{ApiError, ApiResult, Resource};
use serde::Serialize;
use serde_json::Value;

use super::asked::{Asked, Kind, Place};
use super::hook::ReviewVersion;

pub(super) const KIND: &str = "AdmissionReview";

impl ReviewVersion {
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "admission.k8s.io/v1",
            Self::V1Beta1 => "admission.k8s.io/v1beta1",
        }
    }
}

#[derive(Serialize)]
struct Question<'a> {
    kind: &'static str,
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    request: &'a Request<'a>,
}

#[derive(Serialize)]
struct Gvr<'a> {
    group: &'a str,
    version: &'a str,
    resource: &'a str,
}

impl<'a> Gvr<'a> {
    fn of(place: &Place<'a>) -> Self {
        Self { group: place.group, version: place.version, resource: place.resource }
    }
}

/// The request as expressions see it: without objects, which are variables of their own. `kind` and `place` are the versions
/// that the objects and the resource are shown in, the request's own if none.
///
/// # Errors
/// When it can't be made JSON of.
pub(in super::super) fn request_seen(
    asked: &Asked<'_>,
    kind: Option<&Resource>,
    place: Option<&Resource>,
) -> ApiResult<Value> {
    let (kind, place) = (asked.kind_in(kind), asked.place(place));
    let request = Request::of(asked, (&kind, &place), "", (None, None));
    let mut request = serde_json::to_value(&request).map_err(ApiError::internal)?;
    if let Some(fields) = request.as_object_mut() {
        ["object", "oldObject"].into_iter().for_each(|field| drop(fields.remove(field)));
    }
    Ok(request)
}

/// `AdmissionRequest`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'a str,
    kind: &'a Kind,
    resource: Gvr<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    sub_resource: &'a str,
    request_kind: &'a Kind,
    request_resource: Gvr<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_sub_resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    operation: &'static str,
    user_info: Value,
    object: Option<&'a Value>,
    old_object: Option<&'a Value>,
    dry_run: bool,
    options: Value,
}

impl<'a> Request<'a> {
    /// The request as a webhook sees it that asks for `kind` at `place`, with the objects in that version.
    pub(super) fn of(
        asked: &'a Asked<'a>,
        (kind, place): (&'a Kind, &Place<'a>),
        uid: &'a str,
        (object, old): (Option<&'a Value>, Option<&'a Value>),
    ) -> Self {
        let (write, own) = (asked.write, asked.place(None));
        Self {
            uid,
            kind,
            resource: Gvr::of(place),
            sub_resource: place.subresource,
            request_kind: &asked.kind,
            request_resource: Gvr::of(&own),
            request_sub_resource: own.subresource,
            name: &asked.name,
            namespace: &asked.namespace,
            operation: asked.operation(),
            user_info: write.user.info(),
            object,
            old_object: old,
            dry_run: write.dry_run,
            options: write.notes.options().shown(write.action),
        }
    }

    /// The document that is sent.
    pub(super) fn review(&self, version: ReviewVersion) -> Result<Vec<u8>, String> {
        let question = Question { kind: KIND, api_version: version.api_version(), request: self };
        serde_json::to_vec(&question).map_err(|error| format!("could not create admission objects: {error}"))
    }
}
