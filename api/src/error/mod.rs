//! API errors as clients see them: `metav1.Status` with reason, code, message and causes.
//!
//! Texts follow `k8s.io/apimachinery/pkg/api/errors`, because people search for them.

mod reason;

use serde_json::{Map, Value, json};

use crate::catalog::Resource;
use crate::field::{FieldError, join, told};

pub use reason::Reason;

/// The result of anything that can answer a request with a Status.
pub type ApiResult<T> = Result<T, ApiError>;

/// An error that a request is answered with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// `status.details`, already in wire form; empty when there are none.
    pub details: Map<String, Value>,
    /// `metadata.continue`: an inconsistent continuation token that lets a pager go on after 410.
    pub continue_token: Option<String>,
    /// Code and reason in somebody else's words (a webhook's, a policy's), which clients see instead of those of
    /// `reason`.
    pub foreign: Option<(u16, String)>,
}

/// What clients make of a bare 404.
const NO_SUCH_PATH: &str = "the server could not find the requested resource";

impl ApiError {
    /// An error with a reason and a message, and no details.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: Map::new(), continue_token: None, foreign: None }
    }

    /// 400: the request makes no sense as sent.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// 401: nobody we know.
    pub fn unauthorized() -> Self {
        Self::new(Reason::Unauthorized, "Unauthorized")
    }

    /// 403 on an object, with the reason after the colon.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let qualified = resource.qualified();
        let message = if name.is_empty() {
            format!("{qualified} is forbidden: {why}")
        } else {
            format!("{qualified} \"{name}\" is forbidden: {why}")
        };
        Self::new(Reason::Forbidden, message).about(resource, name)
    }

    /// 404 for an object that is not there.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(Reason::NotFound, format!("{} \"{name}\" not found", resource.qualified())).about(resource, name)
    }

    /// 404 for a path that leads nowhere.
    pub fn no_such_path() -> Self {
        Self::new(Reason::NotFound, NO_SUCH_PATH)
    }

    /// Whether it is [`Self::no_such_path`], which Kubernetes answers without a Status.
    pub fn is_no_such_path(&self) -> bool {
        self.reason == Reason::NotFound && self.message == NO_SUCH_PATH
    }

    /// 405: the resource exists but not this verb on it.
    pub fn method_not_allowed() -> Self {
        Self::new(Reason::MethodNotAllowed, "the server does not allow this method on the requested resource")
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(Reason::AlreadyExists, format!("{} \"{name}\" already exists", resource.qualified()))
            .about(resource, name)
    }

    /// 409: an update or delete could not be carried out; `why` names the precondition.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::new(Reason::Conflict, message).about(resource, name)
    }

    /// 409: optimistic locking failed.
    pub fn modified(resource: &Resource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 410: the revision asked for is no longer kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(Reason::Expired, message)
    }

    /// 413: the body is over the limit.
    pub fn too_large(limit_bytes: usize) -> Self {
        Self::new(Reason::RequestEntityTooLarge, format!("Request entity too large: limit is {limit_bytes}"))
    }

    /// 415: a body in a format we do not read.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(Reason::UnsupportedMediaType, message)
    }

    /// 406: an answer in a format we do not write.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", accepted.join(", "));
        Self::new(Reason::NotAcceptable, message)
    }

    /// 422: the object breaks the rules of its kind; one cause per field, unless there are very many.
    pub fn invalid(resource: &Resource, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_kind((&resource.group, &resource.kind), name, errors)
    }

    /// [`ApiError::invalid`] for a kind that is no resource: `Scale`, options.
    pub fn invalid_kind((group, kind): (&str, &str), name: &str, errors: &[FieldError]) -> Self {
        let qualified = if group.is_empty() { kind.to_string() } else { format!("{kind}.{group}") };
        let mut error = Self::new(Reason::Invalid, format!("{qualified} \"{name}\" is invalid: {}", join(errors)));
        error.details.insert("name".into(), json!(name));
        if !group.is_empty() {
            error.details.insert("group".into(), json!(group));
        }
        error.details.insert("kind".into(), json!(kind));
        let causes: Vec<Value> = told(errors).iter().map(FieldError::cause).collect();
        error.details.insert("causes".into(), Value::Array(causes));
        error
    }

    /// 429: come back in `retry_after_seconds`.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        let mut error = Self::new(Reason::TooManyRequests, message);
        error.details.insert("retryAfterSeconds".into(), json!(retry_after_seconds));
        error
    }

    /// 500: ours.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        let mut error = Self::new(Reason::InternalError, format!("Internal error occurred: {message}"));
        error.details.insert("causes".into(), json!([{ "message": message.to_string() }]));
        error
    }

    /// 503: not now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Reason::ServiceUnavailable, message)
    }

    /// Says which object the error is about (`status.details`).
    pub fn about(mut self, resource: &Resource, name: &str) -> Self {
        if !name.is_empty() {
            self.details.insert("name".into(), json!(name));
        }
        if !resource.group.is_empty() {
            self.details.insert("group".into(), json!(resource.group));
        }
        self.details.insert("kind".into(), json!(resource.plural));
        self
    }

    /// A refusal whose code and reason somebody else has chosen. It is [`Reason::Unknown`] to whoever asks for a reason
    /// here: nothing is tried again because of what a webhook calls it.
    pub fn foreign(code: u16, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { foreign: Some((code, reason.into())), ..Self::new(Reason::Unknown, message) }
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.foreign.as_ref().map_or(self.reason.code(), |(code, _)| *code)
    }

    /// The reason that clients see, empty for none.
    fn shown_reason(&self) -> &str {
        self.foreign.as_ref().map_or(self.reason.as_str(), |(_, reason)| reason)
    }

    /// The `v1.Status` document.
    pub fn to_status(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".into(), json!(token));
        }
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.shown_reason(),
            "code": self.code(),
        });
        if self.shown_reason().is_empty()
            && let Some(fields) = status.as_object_mut()
        {
            fields.remove("reason");
        }
        // Clients look into the details of a NotFound without asking whether there are any (`kubectl debug`).
        if !self.details.is_empty() || self.reason == Reason::NotFound {
            status["details"] = Value::Object(self.details.clone());
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::field::Path;

    #[test]
    fn not_found_names_the_qualified_resource() {
        let catalog = Catalog::builtin();
        let deployments = catalog.find("apps", "v1", "deployments").expect("deployments are built in");
        let status = ApiError::not_found(&deployments, "web").to_status();
        assert_eq!(status["message"], "deployments.apps \"web\" not found");
        assert_eq!(status["details"], json!({ "name": "web", "group": "apps", "kind": "deployments" }));
        assert_eq!(status["code"], 404);
    }

    #[test]
    fn somebody_else_may_choose_code_and_reason() {
        let status = ApiError::foreign(402, "TooExpensive", "no").to_status();
        assert_eq!((&status["code"], &status["reason"]), (&json!(402), &json!("TooExpensive")));
        assert_eq!(ApiError::foreign(400, "", "no").to_status().get("reason"), None);
    }

    #[test]
    fn a_path_that_leads_nowhere_has_details() {
        assert_eq!(ApiError::no_such_path().to_status()["details"], json!({}));
        assert!(ApiError::unauthorized().to_status().get("details").is_none());
    }

    #[test]
    fn invalid_lists_a_cause_per_field() {
        let catalog = Catalog::builtin();
        let pods = catalog.find("", "v1", "pods").expect("pods are built in");
        let spec = Path::root("spec");
        let errors = [
            FieldError::required(&spec.child("containers"), ""),
            FieldError::invalid(&spec.child("restartPolicy"), &json!("Maybe"), "no"),
        ];
        let error = ApiError::invalid(&pods, "p", &errors);
        assert_eq!(
            error.message,
            "Pod \"p\" is invalid: [spec.containers: Required value, spec.restartPolicy: Invalid value: \"Maybe\": no]"
        );
        assert_eq!(error.details["causes"][0]["reason"], "FieldValueRequired");
        assert_eq!(error.details["causes"][1]["field"], "spec.restartPolicy");
    }

    #[test]
    fn very_many_causes_are_left_out() {
        let path = Path::root("spec");
        let errors: Vec<FieldError> = (0..200_000).map(|index| FieldError::required(&path.index(index), "")).collect();
        let error = ApiError::invalid_kind(("", "Pod"), "p", &errors);
        assert_eq!(error.details["causes"].as_array().unwrap().len(), 1_000);
        assert!(error.message.ends_with("spec[999]: Required value, and 199000 more]"));
    }
}
