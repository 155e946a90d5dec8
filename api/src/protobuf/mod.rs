//! Objects as protobuf, the second wire format of built-in kinds: what Go clients send, and what they may ask for.
//!
//! The layout is that of `k8s.io/apimachinery/pkg/runtime/serializer/protobuf`: a prefix, then a `runtime.Unknown` with the
//! type and the object's own bytes. Which field of a message is which JSON member stands in `messages.txt`, the numbers
//! of upstream's `generated.proto` files; everything here walks that table.
//!
//! As in Go, a field with an unknown number is skipped: newer and older clients know fields that this server does not.

mod numbers;
mod read;
mod table;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use serde_json::Value;

use crate::decode::{self, depth_of};
use crate::error::ApiError;
use table::{Table, Type};
use wire::{Item, Wire};

/// `Content-Type` of an object in this format.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// `Content-Type` of a watch in this format.
pub const WATCH_MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// Every protobuf body begins with this.
const MAGIC: &[u8] = b"k8s\0";

/// Messages inside messages: every object that can be stored can be written. Some messages are no level of their own in JSON.
const MAX_DEPTH: usize = decode::MAX_DEPTH + 28;

/// Why bytes are no object, or an object has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The bytes do not begin as protobuf bodies of Kubernetes do.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Prefix,
    /// The bytes are no protobuf message.
    #[error("the protobuf message is malformed")]
    Malformed,
    /// Messages are nested too deep.
    #[error("the protobuf message is nested too deep")]
    Depth,
    /// The kind has no protobuf form: it is a custom resource, or nobody's.
    #[error("no kind \"{kind}\" is registered for version \"{api_version}\"")]
    Kind {
        /// `GROUP/VERSION`, or `v1`.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// A member of the object is of a type that the message's field cannot hold.
    #[error("{0} cannot be written as protobuf")]
    Value(String),
}

impl From<ProtobufError> for ApiError {
    fn from(error: ProtobufError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// Whether objects of the kind have a protobuf form.
#[must_use]
pub fn knows(api_version: &str, kind: &str) -> bool {
    Table::get().message_of(api_version, kind).is_some()
}

/// The object in a body, with `apiVersion` and `kind`.
///
/// # Errors
/// [`ProtobufError`] when the body is not what it should be.
pub fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let unknown = wire::unknown(body.strip_prefix(MAGIC).ok_or(ProtobufError::Prefix)?)?;
    let (api_version, kind) = (unknown.api_version, unknown.kind);
    let Some(message) = Table::get().message_of(&api_version, &kind) else {
        return Err(ProtobufError::Kind { api_version, kind });
    };
    let mut object = read::object(&message, unknown.raw, MAX_DEPTH)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    let object = Value::Object(object);
    // Lists, maps and JSON inside of messages nest as well.
    if depth_of(&object) > decode::MAX_DEPTH { Err(ProtobufError::Depth) } else { Ok(object) }
}

/// An object (or list, or Status) as a body.
///
/// # Errors
/// [`ProtobufError::Kind`] for kinds without a protobuf form, [`ProtobufError::Value`] for an object that is not of its
/// kind's types.
pub fn encode(object: &Value) -> Result<Vec<u8>, ProtobufError> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let Some(message) = Table::get().message_of(api_version, kind) else {
        return Err(ProtobufError::Kind { api_version: api_version.into(), kind: kind.into() });
    };
    let raw = write::object(&message, object, MAX_DEPTH)?;
    let mut body = MAGIC.to_vec();
    body.extend(wire::write_unknown(api_version, kind, &raw));
    Ok(body)
}

/// One event of a watch as a frame: its length in four bytes, then a `meta.v1.WatchEvent` around the object's own body.
///
/// # Errors
/// As [`encode`].
pub fn encode_event(kind: &str, object: &Value) -> Result<Vec<u8>, ProtobufError> {
    let mut raw = Vec::new();
    wire::put_bytes(&mut raw, 1, &encode(object)?);
    let mut event = Vec::new();
    wire::put_bytes(&mut event, 1, kind.as_bytes());
    wire::put_bytes(&mut event, 2, &raw);
    let length = u32::try_from(event.len()).map_err(|_| ProtobufError::Value("an event of over 4 GiB".into()))?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(event);
    Ok(frame)
}
