//! What is done about the verdict of a policy, and how it is told
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go`).

use std::collections::BTreeMap;

use coracle_api::{ApiError, Reason};
use serde::Serialize;
use serde_json::json;

use super::super::super::Notes;
use super::super::super::webhooks::Asked;
use super::super::invocations::Invocation;
use super::super::shown_name;
use super::{Annotation, Decision, Validations, Verdict};

/// Longest value of an annotation that a policy makes.
const ANNOTATION_LIMIT_BYTES: usize = 10 * 1024;
const FAILURE: &str = "validation.policy.admission.k8s.io/validation_failure";

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    pub(super) policy: String,
    /// None when the policy itself can't be used.
    pub(super) binding: Option<String>,
    pub(super) message: String,
    /// Empty for `Invalid`.
    pub(super) reason: String,
}

/// What an annotation says about a validation that has failed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureValue<'a> {
    message: &'a str,
    policy: &'a str,
    binding: &'a str,
    expression_index: usize,
    validation_actions: &'a [String],
}

/// Does what the binding wants done about the verdict. Returns the first denial.
pub(super) fn settle(
    notes: &Notes,
    invocation: &Invocation<'_, Validations>,
    verdict: Verdict,
    annotations: &mut Annotations,
) -> Option<Denial> {
    let (policy, binding) = (&invocation.policy.name, invocation.binding);
    let denial = |message: String, reason: String| Denial {
        policy: policy.clone(),
        binding: Some(binding.name.clone()),
        message,
        reason,
    };
    let mut denied = None;
    for (expression_index, decision) in verdict.decisions.into_iter().enumerate() {
        let Decision::Deny { message, reason } = decision else { continue };
        for action in &binding.actions {
            match action.as_str() {
                "Deny" if denied.is_none() => denied = Some(denial(message.clone(), reason.clone())),
                "Warn" => notes.warn(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{}': {message}",
                    binding.name
                )),
                "Audit" => {
                    let (policy, binding, validation_actions) = (policy, &binding.name, binding.actions.as_slice());
                    let value =
                        FailureValue { message: &message, policy, binding, expression_index, validation_actions };
                    notes.annotate(FAILURE, go_json(&[value]));
                }
                _ => {}
            }
        }
    }
    for annotation in verdict.annotations {
        match annotation {
            Annotation::Publish { key, value } => annotations.add(format!("{policy}/{key}"), &value),
            Annotation::Error(why) if denied.is_none() => denied = Some(denial(why, String::new())),
            Annotation::Error(_) => {}
        }
    }
    denied
}

/// JSON as Go writes it, which has no characters in it that HTML knows.
fn go_json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// The annotations that policies make, by key. With several parameters there may be several values.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    values: BTreeMap<String, Vec<String>>,
    /// What all values take, which is bounded as one of them is.
    bytes: usize,
}

/// What the annotations of one request may take together.
const ALL_LIMIT_BYTES: usize = 100 * ANNOTATION_LIMIT_BYTES;

impl Annotations {
    pub(super) fn add(&mut self, key: String, value: &str) {
        let value = &value[..value.floor_char_boundary(ANNOTATION_LIMIT_BYTES)];
        let values = self.values.entry(key).or_default();
        if self.bytes + value.len() <= ALL_LIMIT_BYTES && !values.iter().any(|known| known == value) {
            self.bytes += value.len();
            values.push(value.to_string());
        }
    }

    /// Writes them to the audit log.
    pub(super) fn publish(self, notes: &Notes) {
        for (key, values) in self.values {
            notes.annotate(key, values.join(", "));
        }
    }
}

/// The answer to a request that is denied.
pub(super) fn refusal(asked: &Asked<'_>, denial: &Denial) -> ApiError {
    let Denial { policy, binding, message, reason } = denial;
    let with = binding.as_ref().map(|binding| format!(" with binding '{binding}'")).unwrap_or_default();
    let message = format!("ValidatingAdmissionPolicy '{policy}'{with} denied request: {message}");
    let (code, reason) = match reason.as_str() {
        "Forbidden" => (403, reason.as_str()),
        "Unauthorized" => (401, reason.as_str()),
        "RequestEntityTooLarge" => (413, reason.as_str()),
        "" => (422, "Invalid"),
        other => (422, other),
    };
    let mut error = ApiError::forbidden(asked.write.resource, shown_name(asked), &message);
    error.details.insert("causes".into(), json!([{ "message": message }]));
    error.foreign = Some((code, reason.to_string()));
    // To whoever asks for a reason here it is nobody's: nothing is tried again because of what a policy calls it.
    error.reason = Reason::Unknown;
    error
}
