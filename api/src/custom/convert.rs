//! Conversion between versions: by name alone, or by a webhook that is asked with a ConversionReview
//! (`apiextensions-apiserver/pkg/apiserver/conversion`). Here is what needs no network: the question, and judging the answer.

use serde_json::{Map, Value, json};

use crate::field::{FieldError, Path, join};
use crate::names;
use crate::patch::go_format;

/// Versions of ConversionReview that can be spoken, in the order of preference.
const SPOKEN: [&str; 2] = ["v1", "v1beta1"];
/// Metadata that a webhook may change.
const MUTABLE_METADATA: [&str; 2] = ["labels", "annotations"];

/// Why a conversion did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The webhook lists no version that is spoken here.
    #[error("no supported conversion review versions")]
    NoVersion,
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
    /// An object of another version or kind than was asked for.
    #[error("invalid object at index 0: {0}")]
    Type(String),
    /// An object that is not what it was before.
    #[error("invalid object: {0}")]
    Object(String),
    /// An object whose metadata can't be used.
    #[error("invalid metadata: {0}")]
    Metadata(String),
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
        let review_version = found.ok_or(ConversionError::NoVersion)?;
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
        for object in &self.objects {
            if !self.needs(object) {
                objects.push(object.clone());
                continue;
            }
            let Some(new) = converted.next() else { break };
            objects.push(self.checked(object, new)?);
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
        // Answers in the beta version were never checked for what they are about.
        let is_strict = self.review_version != "v1beta1";
        let (version, kind) = (text(&answer["apiVersion"]), text(&answer["kind"]));
        if is_strict && (version != self.api_version() || kind != "ConversionReview") {
            let expected = format!("{}, Kind=ConversionReview", self.api_version());
            return Err(ConversionError::Kind { expected, found: format!("{version}, Kind={kind}") });
        }
        let response = answer.get("response").filter(|response| response.is_object());
        let response = response.ok_or(ConversionError::NoResponse)?;
        let found = text(&response["uid"]);
        if is_strict && found != self.uid {
            return Err(ConversionError::Uid { expected: self.uid.clone(), found });
        }
        if response["result"]["status"] != "Success" {
            let message = match text(&response["result"]["message"]) {
                empty if empty.is_empty() => {
                    format!("response.result.status was '{}', not 'Success'", text(&response["result"]["status"]))
                }
                message => message,
            };
            return Err(ConversionError::Refused(message));
        }
        Ok(response["convertedObjects"].as_array().map(Vec::as_slice).unwrap_or_default())
    }

    /// The converted object, with the metadata that only the server writes taken from the original.
    fn checked(&self, original: &Value, converted: &Value) -> Result<Value, ConversionError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        if converted["apiVersion"] != json!(self.desired) {
            let (wanted, found) = (&self.desired, text(&converted["apiVersion"]));
            let why = format!("invalid groupVersion (expected {wanted}, received {found})");
            return Err(ConversionError::Type(why));
        }
        let (wanted, found) = (text(&original["kind"]), text(&converted["kind"]));
        if wanted != found {
            return Err(ConversionError::Type(format!("invalid kind (expected {wanted}, received {found})")));
        }
        for (field, name) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
            let (wanted, found) = (text(&original["metadata"][field]), text(&converted["metadata"][field]));
            if wanted != found {
                let why = format!("must have the same {name}: {wanted} != {found}");
                return Err(ConversionError::Object(why));
            }
        }
        let mut object = converted.clone();
        object["metadata"] = Value::Object(restored(original, converted).map_err(ConversionError::Metadata)?);
        Ok(object)
    }
}

/// The metadata of the original, with the labels and annotations of the converted object.
fn restored(original: &Value, converted: &Value) -> Result<Map<String, Value>, String> {
    let metadata = match converted.get("metadata") {
        None => return Err("missing metadata in converted object".into()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => {
            return Err(format!("invalid metadata of type {} in converted object", go_format::type_of(other)));
        }
    };
    let mut merged: Map<String, Value> = original["metadata"].as_object().cloned().unwrap_or_default();
    for field in MUTABLE_METADATA {
        let Some(value) = metadata.get(field).filter(|value| !value.is_null()) else {
            merged.remove(field);
            continue;
        };
        let Some(entries) = value.as_object() else {
            return Err(format!("invalid metadata.{field} of type {} in converted object", go_format::type_of(value)));
        };
        if let Some((key, other)) = entries.iter().find(|(_, value)| !value.is_string()) {
            let kind = go_format::type_of(other);
            return Err(format!("metadata.{field}[{key}] must be a string, but is {kind} in converted object"));
        }
        if original["metadata"].get(field) != Some(value) {
            let errors = entry_errors(field, entries);
            if !errors.is_empty() {
                return Err(join(&errors));
            }
        }
        merged.insert(field.to_string(), value.clone());
    }
    Ok(merged)
}

/// What is wrong with labels or annotations.
fn entry_errors(field: &str, entries: &Map<String, Value>) -> Vec<FieldError> {
    let is_label = field == "labels";
    let path = Path::root("metadata").child(if is_label { "labels" } else { "annotation" });
    let mut errors = Vec::new();
    for (key, value) in entries {
        let name = if is_label { key.clone() } else { key.to_lowercase() };
        let wrong = names::qualified_name(&name);
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&path, &json!(key), detail)));
        if is_label {
            let wrong = names::label_value(value.as_str().unwrap_or_default());
            errors.extend(wrong.iter().map(|detail| FieldError::invalid(&path, value, detail)));
        }
    }
    errors
}
