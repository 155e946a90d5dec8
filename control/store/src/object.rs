//! An object on its way into the store: JSON without `metadata.resourceVersion`, and the place where
//! the revision goes once it is known. The state machine must not parse objects, so the one scan it
//! takes to find that place is done here, by the caller, before the transaction waits for anything.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::scan::{ScanError, members, object_at, only_space_after};

/// Why bytes are not an object that can be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The bytes are not one JSON object.
    #[error("the object is not valid JSON: {0}")]
    Json(#[from] ScanError),
    /// There is no `metadata` object at the top level.
    #[error("the object has no metadata: every stored object needs a \"metadata\" object at its top level")]
    NoMetadata,
    /// The bytes are more than offsets can express.
    #[error("the object is {0} bytes long, which is more than can be stored")]
    TooLong(usize),
}

/// The wire JSON of an object without `metadata.resourceVersion`, which the store assigns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Object {
    #[serde(with = "crate::wire")]
    json: Bytes,
    /// Offset just behind the opening brace of `metadata`.
    splice_at: u32,
    /// Whether other members of `metadata` follow, so that a comma is needed.
    comma: bool,
}

impl Object {
    /// Takes the JSON of a whole object. A `metadata.resourceVersion` in it is cut out.
    pub fn from_json(json: Vec<u8>) -> Result<Self, ObjectError> {
        if u32::try_from(json.len()).is_err() {
            return Err(ObjectError::TooLong(json.len()));
        }
        let start = object_at(&json, 0)?;
        let mut metadata = None;
        let end = members(&json, start, |member| {
            if member.key(&json) == b"metadata" && json[member.value.start] == b'{' {
                metadata = Some(member.value.start);
            }
        })?;
        only_space_after(&json, end)?;
        let metadata = metadata.ok_or(ObjectError::NoMetadata)?;

        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut version = None;
        members(&json, metadata, |member| {
            if member.key(&json) == b"resourceVersion" {
                version = Some(spans.len());
            }
            spans.push(member.span());
        })?;
        let json = match version {
            Some(index) => without(json, &spans, index),
            None => json,
        };
        let others = spans.len() - usize::from(version.is_some());
        // The length was checked above, and cutting only made it shorter.
        Ok(Self { json: json.into(), splice_at: metadata as u32 + 1, comma: others > 0 })
    }

    /// The same object, its JSON in another form: encrypted, or plain again.
    pub(crate) fn with_json(&self, json: Bytes) -> Self {
        Self { json, splice_at: self.splice_at, comma: self.comma }
    }

    /// The JSON as it was given, without a resourceVersion.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The event that tells watchers of this object at `revision`, one line of a watch response, and the
    /// complete object, which is a part of the same allocation.
    pub(crate) fn at_revision(&self, kind: EventKind, revision: u64) -> (Bytes, Bytes) {
        let (before, after) = self.json.split_at(self.splice_at as usize);
        let mut digits = [0; 20];
        let digits = decimal(revision, &mut digits);
        let comma: &[u8] = if self.comma { b"," } else { b"" };
        let parts: [&[u8]; 6] = [before, b"\"resourceVersion\":\"", digits, b"\"", comma, after];
        wrap(kind, &parts)
    }
}

/// One line of a watch response around the object that `parts` make, and that object itself.
pub(crate) fn wrap(kind: EventKind, parts: &[&[u8]]) -> (Bytes, Bytes) {
    let head = kind.head();
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut line = Vec::with_capacity(head.len() + length + TAIL.len());
    line.extend_from_slice(head);
    for part in parts {
        line.extend_from_slice(part);
    }
    line.extend_from_slice(TAIL);
    let line = Bytes::from(line);
    let json = line.slice(head.len()..head.len() + length);
    (line, json)
}

/// What follows the object in a line of a watch response.
const TAIL: &[u8] = b"}\n";

/// `number` in decimal, written at the end of `buffer` (20 digits hold any u64).
fn decimal(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

/// `json` without the member `index` of the object whose members are at `spans`, and without its comma.
fn without(mut json: Vec<u8>, spans: &[Range<usize>], index: usize) -> Vec<u8> {
    let cut = match (spans.get(index + 1), index.checked_sub(1)) {
        (Some(next), _) => spans[index].start..next.start,
        (None, Some(previous)) => spans[previous].end..spans[index].end,
        (None, None) => spans[index].clone(),
    };
    json.drain(cut);
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(json: &str, revision: u64) -> String {
        let object = Object::from_json(json.as_bytes().to_vec()).expect("an object");
        let (_, json) = object.at_revision(EventKind::Added, revision);
        String::from_utf8(json.to_vec()).expect("UTF-8")
    }

    #[test]
    fn the_revision_becomes_the_first_member_of_metadata() {
        assert_eq!(
            spliced(r#"{"kind":"Pod","metadata":{"name":"a"},"spec":{}}"#, 12),
            r#"{"kind":"Pod","metadata":{"resourceVersion":"12","name":"a"},"spec":{}}"#
        );
        assert_eq!(spliced(r#"{"metadata":{}}"#, 7), r#"{"metadata":{"resourceVersion":"7"}}"#);
        assert_eq!(
            spliced("{ \"metadata\" : {\n \"name\":\"a\"} }\n", u64::MAX),
            "{ \"metadata\" : {\"resourceVersion\":\"18446744073709551615\",\n \"name\":\"a\"} }\n"
        );
    }

    #[test]
    fn only_the_metadata_of_the_object_itself_counts() {
        let json = r#"{"a":[{"metadata":{"x":"}\"{"}}],"spec":{"template":{"metadata":{"labels":{}}}},"metadata":{"name":"a"}}"#;
        let with = spliced(json, 3);
        let value: serde_json::Value = serde_json::from_str(&with).expect("JSON");
        assert_eq!(value["metadata"]["resourceVersion"], "3");
        assert!(value["spec"]["template"]["metadata"].get("resourceVersion").is_none());
    }

    #[test]
    fn a_version_that_the_caller_left_in_is_replaced() {
        for metadata in [
            r#"{"resourceVersion":"1"}"#,
            r#"{"resourceVersion":"1","uid":"u"}"#,
            r#"{"name":"a","resourceVersion":"1"}"#,
            r#"{"name":"a", "resourceVersion":"1" , "uid":"u"}"#,
        ] {
            let with = spliced(&format!(r#"{{"metadata":{metadata}}}"#), 9);
            let value: serde_json::Value = serde_json::from_str(&with).expect(&with);
            assert_eq!(value["metadata"]["resourceVersion"], "9");
            assert_eq!(with.matches("resourceVersion").count(), 1, "{with}");
        }
    }

    #[test]
    fn what_is_not_an_object_with_metadata_is_refused() {
        for json in ["", "[]", "null", "{", r#"{"metadata":{"#, r#"{"metadata":{}} x"#, r#"{"metadata":{"a":"}"#] {
            assert!(matches!(Object::from_json(json.into()), Err(ObjectError::Json(_))), "{json}");
        }
        for json in ["{}", r#"{"metadata":null}"#, r#"{"spec":{"metadata":{}}}"#] {
            assert_eq!(Object::from_json(json.into()), Err(ObjectError::NoMetadata), "{json}");
        }
    }

    #[test]
    fn the_event_line_holds_the_object() {
        let object = Object::from_json(br#"{"metadata":{"name":"a"}}"#.to_vec()).expect("an object");
        let (line, json) = object.at_revision(EventKind::Deleted, 5);
        assert_eq!(
            line,
            r#"{"type":"DELETED","object":{"metadata":{"resourceVersion":"5","name":"a"}}}"#.to_owned() + "\n"
        );
        assert_eq!(json, r#"{"metadata":{"resourceVersion":"5","name":"a"}}"#);
    }
}
