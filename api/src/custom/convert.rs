//! Conversion between versions: by name alone, or by a webhook that is asked with a ConversionReview
//! (`apiextensions-apiserver/pkg/apiserver/conversion`). Here is what needs no network: the question, and judging the answer.

use serde_json::{Map, Value, json};

/// Versions of ConversionReview that can be spoken, in the order of preference.
const SPOKEN: [&str; 2] = ["v1", "v1beta1"];
/// Metadata that a webhook may change.
const MUTABLE_METADATA: [&str; 2] = ["labels", "annotations"];

/// Why a conversion did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The webhook lists no version that is spoken here.
    #[error("does not support any of the conversion review versions {0}")]
    NoVersion(String),
    /// The answer is not about this question.
    #[error("expected response.uid={expected:?}, got {found:?}")]
    Uid {
        /// The uid of the question.
        expected: String,
        /// The uid of the answer.
        found: String,
    },
    /// The answer is no ConversionReview of that version.
    #[error("expected webhook response of {expected}, got {found}")]
    Kind {
        /// Version and kind of the question.
        expected: String,
        /// Version and kind of the answer.
        found: String,
    },
    /// The answer has no `response`.
    #[error("no response provided")]
    NoResponse,
    /// The webhook says that it could not.
    #[error("{0}")]
    Refused(String),
    /// Too many or too few objects.
    #[error("returned {found} objects, expected {expected}")]
    Count {
        /// Objects asked about.
        expected: usize,
        /// Objects returned.
        found: usize,
    },
    /// An object that is not what was asked for.
    #[error("invalid converted object at index {index}: {why}")]
    Object {
        /// Which.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// The None strategy: only `apiVersion` changes.
pub fn convert_by_name(object: &mut Value, api_version: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".into(), json!(api_version));
    }
}

/// A question to a conversion webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    uid: String,
    review_version: &'static str,
    desired: String,
    /// The objects, each with whether it has to be converted at all.
    objects: Vec<Value>,
}

impl Review {
    /// A question about objects that are to be of `desired` version. `webhook` is `spec.conversion.webhook`; `uid` is the caller's
    /// choice and must be unique.
    ///
    /// # Errors
    /// When the webhook speaks no version of ConversionReview that is known here.
    pub fn new(webhook: &Value, uid: String, desired: &str, objects: Vec<Value>) -> Result<Self, ConversionError> {
        let offered: Vec<&str> =
            webhook["conversionReviewVersions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let found = offered.iter().find_map(|offer| SPOKEN.iter().find(|spoken| *spoken == offer));
        let review_version = found.ok_or_else(|| ConversionError::NoVersion(offered.join(", ")))?;
        Ok(Self { uid, review_version, desired: desired.to_string(), objects })
    }

    /// The body of the request; `None` when no object needs to be converted.
    pub fn request(&self) -> Option<Value> {
        let objects: Vec<&Value> = self.objects.iter().filter(|object| self.needs(object)).collect();
        (!objects.is_empty()).then(|| {
            json!({
                "kind": "ConversionReview",
                "apiVersion": self.api_version(),
                "request": { "uid": self.uid, "desiredAPIVersion": self.desired, "objects": objects },
            })
        })
    }

    /// The converted objects, in the order of the question.
    ///
    /// # Errors
    /// When the answer is not one to this question, or changes what a conversion may not change.
    pub fn accept(self, answer: &Value) -> Result<Vec<Value>, ConversionError> {
        let converted = self.converted(answer)?;
        let expected = self.objects.iter().filter(|object| self.needs(object)).count();
        if converted.len() != expected {
            return Err(ConversionError::Count { expected, found: converted.len() });
        }
        let mut converted = converted.iter();
        let mut objects = Vec::with_capacity(self.objects.len());
        for (index, object) in self.objects.iter().enumerate() {
            if !self.needs(object) {
                objects.push(object.clone());
                continue;
            }
            let Some(new) = converted.next() else { break };
            objects.push(self.checked(object, new).map_err(|why| ConversionError::Object { index, why })?);
        }
        Ok(objects)
    }

    fn api_version(&self) -> String {
        format!("apiextensions.k8s.io/{}", self.review_version)
    }

    fn needs(&self, object: &Value) -> bool {
        object["apiVersion"] != json!(self.desired)
    }

    fn converted<'v>(&self, answer: &'v Value) -> Result<&'v [Value], ConversionError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let (version, kind) = (text(&answer["apiVersion"]), text(&answer["kind"]));
        if version != self.api_version() || kind != "ConversionReview" {
            let expected = format!("{}, Kind=ConversionReview", self.api_version());
            return Err(ConversionError::Kind { expected, found: format!("{version}, Kind={kind}") });
        }
        let response = answer.get("response").filter(|response| response.is_object());
        let response = response.ok_or(ConversionError::NoResponse)?;
        let found = text(&response["uid"]);
        if found != self.uid {
            return Err(ConversionError::Uid { expected: self.uid.clone(), found });
        }
        if response["result"]["status"] != "Success" {
            let message = match text(&response["result"]["message"]) {
                empty if empty.is_empty() => format!(
                    "conversion request failed without a message (status {:?})",
                    text(&response["result"]["status"])
                ),
                message => message,
            };
            return Err(ConversionError::Refused(message));
        }
        Ok(response["convertedObjects"].as_array().map(Vec::as_slice).unwrap_or_default())
    }

    /// The converted object, with the metadata that only the server writes taken from the original.
    fn checked(&self, original: &Value, converted: &Value) -> Result<Value, String> {
        if converted["apiVersion"] != json!(self.desired) {
            let found = converted["apiVersion"].as_str().unwrap_or_default();
            return Err(format!("invalid groupVersion (expected {}, received {found})", self.desired));
        }
        if converted["kind"] != original["kind"] {
            let (wanted, found) = (original["kind"].as_str(), converted["kind"].as_str());
            let (wanted, found) = (wanted.unwrap_or_default(), found.unwrap_or_default());
            return Err(format!("invalid kind (expected {wanted}, received {found})"));
        }
        for field in ["name", "namespace", "uid"] {
            let (wanted, found) = (&original["metadata"][field], &converted["metadata"][field]);
            let empty = |value: &Value| value.is_null() || value == "";
            if wanted != found && !(empty(wanted) && empty(found)) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
                return Err(format!("must have the same {field}: {} != {}", text(wanted), text(found)));
            }
        }
        let metadata =
            converted.get("metadata").and_then(Value::as_object).ok_or("missing metadata in converted object")?;
        let mut merged: Map<String, Value> = original["metadata"].as_object().cloned().unwrap_or_default();
        for field in MUTABLE_METADATA {
            match metadata.get(field).filter(|value| !value.is_null()) {
                Some(value) => merged.insert(field.to_string(), value.clone()),
                None => merged.remove(field),
            };
        }
        let mut object = converted.clone();
        object["metadata"] = Value::Object(merged);
        Ok(object)
    }
}
