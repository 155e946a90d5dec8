//! What becomes of a request when a webhook refuses it, or does not answer as it should.

use coracle_api::ApiError;
use serde_json::{Value, json};

/// The lowest code that refuses anything.
const BAD_REQUEST: u16 = 400;

/// Why a webhook has not let a request pass.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be asked, or has not answered the question. `failurePolicy` decides.
    Calling(String),
    /// It refuses, or what it wants can't be done.
    Refused(ApiError),
}

/// The refusal of a webhook, with the code and the reason that it has given (`errors.ToStatusErr`).
pub(super) fn denied(name: &str, result: &Value) -> ApiError {
    let text = |field: &str| result[field].as_str().unwrap_or_default();
    let denied = format!("admission webhook {name:?} denied the request");
    let message = match (text("message"), text("reason")) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let code = result["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
    let mut error = ApiError::foreign(code.max(BAD_REQUEST), text("reason"), message);
    error.details = result["details"].as_object().cloned().unwrap_or_default();
    error
}

/// 400 for what is only tried, of a webhook that can't be asked without consequences.
pub(super) fn no_dry_run(name: &str) -> ApiError {
    ApiError::bad_request(format!("admission webhook {name:?} does not support dry run"))
}

/// 500 of a webhook that fails and must not.
pub(super) fn failed(name: &str, why: &str) -> ApiError {
    ApiError::internal(format!("failed calling webhook {name:?}: {why}"))
}

/// 500 for a patch where there is no object.
pub(super) fn nothing_to_change(name: &str) -> ApiError {
    ApiError::internal(format!(
        "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
    ))
}

/// The text of the annotation that says whether a webhook has changed the object.
pub(super) fn mutation(configuration: &str, name: &str, changed: bool) -> String {
    // In the order of Go's structure, which is what people search their logs for.
    format!("{{\"configuration\":{},\"webhook\":{},\"mutated\":{changed}}}", json!(configuration), json!(name))
}

/// The text of the annotation that quotes the patch of a webhook.
pub(super) fn quoted_patch(configuration: &str, name: &str, steps: &[Value]) -> String {
    let steps = json!(steps);
    let (configuration, name) = (json!(configuration), json!(name));
    format!("{{\"configuration\":{configuration},\"webhook\":{name},\"patch\":{steps},\"patchType\":\"JSONPatch\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_webhook_says() {
        let status = |result: Value| denied("w.example.com", &result).to_status();
        let plain = status(Value::Null);
        assert_eq!(plain["message"], "admission webhook \"w.example.com\" denied the request without explanation");
        assert_eq!((&plain["code"], plain.get("reason")), (&json!(400), None));
        let given = status(json!({
            "code": 403, "reason": "Forbidden", "message": "not on Fridays", "details": { "kind": "pods" },
        }));
        assert_eq!(given["message"], "admission webhook \"w.example.com\" denied the request: not on Fridays");
        assert_eq!((&given["code"], &given["reason"]), (&json!(403), &json!("Forbidden")));
        assert_eq!(given["details"], json!({ "kind": "pods" }));
        let odd = status(json!({ "code": 200, "reason": "TooLate" }));
        assert_eq!(odd["message"], "admission webhook \"w.example.com\" denied the request: TooLate");
        assert_eq!((&odd["code"], &odd["reason"]), (&json!(400), &json!("TooLate")));
    }

    #[test]
    fn failures_are_internal_errors() {
        let error = failed("w.example.com", "failed to call webhook: Post \"https://x\": EOF");
        let text = "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post \
                    \"https://x\": EOF";
        assert_eq!((error.code(), error.message.as_str()), (500, text));
        let tried = no_dry_run("w.example.com");
        let text = "admission webhook \"w.example.com\" does not support dry run";
        assert_eq!((tried.code(), tried.message.as_str()), (400, text));
        assert_eq!(mutation("c", "w", true), "{\"configuration\":\"c\",\"webhook\":\"w\",\"mutated\":true}");
    }
}
