//! What a webhook answers, and whether that is an answer (`request.VerifyAdmissionResponse` upstream).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_api::decode::json_problem;
use serde::Deserialize;
use serde_json::Value;

use super::hook::ReviewVersion;
use super::review::KIND;

/// What a webhook has answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    /// A Status, if it says why.
    pub(super) result: Value,
    /// A JSON patch, empty for none.
    pub(super) patch: Vec<u8>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) warnings: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    api_version: Option<String>,
    kind: Option<String>,
    response: Option<Response>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    uid: Option<String>,
    allowed: Option<bool>,
    status: Option<Value>,
    patch: Option<String>,
    patch_type: Option<String>,
    audit_annotations: Option<BTreeMap<String, String>>,
    warnings: Option<Vec<String>>,
}

impl Answer {
    /// Reads an answer and checks that it is one to the question.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn read(body: &[u8], version: ReviewVersion, uid: &str, mutating: bool) -> Result<Self, String> {
        let unreadable = |why: String| format!("failed to call webhook: {why}");
        if body.is_empty() {
            return Err(unreadable("0-length response with status code: 200 and content type: ".into()));
        }
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            unreadable(format!("couldn't get version/kind; json parse error: {}", json_problem(body, &error)))
        })?;
        let said: Said = serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
        let answer = Self::checked(said, version, uid, mutating);
        answer.map_err(|why| format!("received invalid webhook response: {why}"))
    }

    fn checked(said: Said, version: ReviewVersion, uid: &str, mutating: bool) -> Result<Self, String> {
        let response = said.response.ok_or("webhook response was absent")?;
        let strict = version == ReviewVersion::V1;
        if strict {
            let answered = response.uid.as_deref().unwrap_or_default();
            if answered != uid {
                return Err(format!("expected response.uid={uid:?}, got {answered:?}"));
            }
            check_kind(said.api_version.as_deref().unwrap_or_default(), said.kind.as_deref().unwrap_or_default())?;
        }
        let patch = response.patch.unwrap_or_default();
        if strict {
            check_patch(&patch, response.patch_type.as_deref(), mutating)?;
        }
        let patch = if mutating { STANDARD.decode(patch).map_err(|error| error.to_string())? } else { Vec::new() };
        Ok(Self {
            allowed: response.allowed.unwrap_or_default(),
            result: response.status.unwrap_or_default(),
            patch,
            annotations: response.audit_annotations.unwrap_or_default(),
            warnings: response.warnings.unwrap_or_default(),
        })
    }
}

fn check_kind(api_version: &str, kind: &str) -> Result<(), String> {
    let expected = ReviewVersion::V1.api_version();
    if (api_version, kind) == (expected, KIND) {
        return Ok(());
    }
    // The core group is the empty one.
    let slash = if api_version.contains('/') { "" } else { "/" };
    Err(format!("expected webhook response of {expected}, Kind={KIND}, got {slash}{api_version}, Kind={kind}"))
}

fn check_patch(patch: &str, kind: Option<&str>, mutating: bool) -> Result<(), String> {
    let wrong = match (mutating, patch.is_empty(), kind) {
        (false, false, _) => "validating webhook may not return response.patch",
        (false, true, Some(_)) => "validating webhook may not return response.patchType",
        (true, false, None) => "webhook returned response.patch but not response.patchType",
        (true, true, Some(_)) => "webhook returned response.patchType but not response.patch",
        (true, false, Some("")) => "webhook returned invalid response.patchType of \"\"",
        (true, false, Some(other)) if other != "JSONPatch" => return Err(format!("unsupported patch type {other:?}")),
        _ => return Ok(()),
    };
    Err(wrong.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(answer: Value, mutating: bool) -> Result<Answer, String> {
        Answer::read(answer.to_string().as_bytes(), ReviewVersion::V1, "u", mutating)
    }

    fn answer(response: Value) -> Value {
        json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response })
    }

    #[test]
    fn a_complete_answer_is_read() {
        let given = answer(json!({
            "uid": "u", "allowed": true, "patch": STANDARD.encode("[]"), "patchType": "JSONPatch",
            "auditAnnotations": { "a": "b" }, "warnings": ["w"], "status": { "code": 1 },
        }));
        let read = read(given, true).unwrap();
        assert_eq!((read.allowed, read.patch.as_slice()), (true, b"[]".as_slice()));
        assert_eq!((&read.annotations["a"], read.warnings), (&"b".to_string(), vec!["w".to_string()]));
    }

    #[test]
    fn wrong_answers_are_told_as_kubernetes_does() {
        let patch = STANDARD.encode("[]");
        let invalid = "received invalid webhook response: ";
        let cases = [
            (json!({ "response": { "uid": "x" } }), "expected response.uid=\"u\", got \"x\""),
            (
                json!({ "response": { "uid": "u" } }),
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
            ),
            (
                json!({ "apiVersion": "v1", "kind": "Pod", "response": { "uid": "u" } }),
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /v1, Kind=Pod",
            ),
            (json!({}), "webhook response was absent"),
            (
                answer(json!({ "uid": "u", "patch": patch })),
                "webhook returned response.patch but not response.patchType",
            ),
            (
                answer(json!({ "uid": "u", "patchType": "JSONPatch" })),
                "webhook returned response.patchType but not response.patch",
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(read(given, true), Err(format!("{invalid}{expected}")));
        }
        let patched = read(answer(json!({ "uid": "u", "patch": patch, "patchType": "JSONPatch" })), false);
        assert_eq!(patched, Err(format!("{invalid}validating webhook may not return response.patch")));
        let garbage = Answer::read(b"<html>", ReviewVersion::V1, "u", true).unwrap_err();
        assert_eq!(
            garbage,
            "failed to call webhook: couldn't get version/kind; json parse error: invalid character '<' looking for \
             beginning of value"
        );
    }

    #[test]
    fn the_old_version_is_taken_as_it_comes() {
        let given = json!({ "response": { "allowed": true, "patch": STANDARD.encode("[]") } });
        let read = Answer::read(given.to_string().as_bytes(), ReviewVersion::V1Beta1, "u", true).unwrap();
        assert!(read.allowed && read.patch == b"[]");
    }
}
