//! Protobuf bodies. kubectl's `create` subcommands send nothing else, so the kinds that they make are read in the
//! format of `k8s.io/apimachinery/pkg/runtime/serializer/protobuf`; answers are always JSON, which such clients accept.
//!
//! Invariant: a field that is not in the table is an error, never dropped: an author must not lose what they wrote.

mod messages;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_api::{ApiError, ApiResult};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use messages::{Field, Shape, Type, message, message_of};

/// Every protobuf body begins with this.
const MAGIC: &[u8] = b"k8s\0";

/// Messages inside messages; the deepest of the table has seven.
const MAX_DEPTH: usize = 16;

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum ProtobufError {
    /// The bytes are no protobuf message.
    #[error("the protobuf body is malformed")]
    Malformed,
    /// The kind has no table here.
    #[error("{0}, Kind={1} cannot be read as protobuf by this server: send application/json")]
    Kind(String, String),
    /// The message has a field that the table has not.
    #[error("field {1} of {0} cannot be read as protobuf by this server: send application/json")]
    Field(&'static str, u32),
}

/// The object in a protobuf body.
pub(crate) fn read(body: &[u8]) -> ApiResult<Value> {
    envelope(body).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// `runtime.Unknown`: the type, and the object's own bytes.
fn envelope(body: &[u8]) -> Result<Value, ProtobufError> {
    let body = body.strip_prefix(MAGIC).ok_or(ProtobufError::Malformed)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Wire(body) {
        match field? {
            (1, Item::Bytes(meta)) => {
                for field in Wire(meta) {
                    match field? {
                        (1, Item::Bytes(text)) => api_version = string(text)?,
                        (2, Item::Bytes(text)) => kind = string(text)?,
                        _ => {}
                    }
                }
            }
            (2, Item::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let Some(name) = message_of(&api_version, &kind) else { return Err(ProtobufError::Kind(api_version, kind)) };
    let mut object = object(name, raw, MAX_DEPTH)?;
    object.insert("apiVersion".into(), json!(api_version));
    object.insert("kind".into(), json!(kind));
    Ok(Value::Object(object))
}

/// A message as a JSON object.
fn object(name: &'static str, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, ProtobufError> {
    let depth = depth.checked_sub(1).ok_or(ProtobufError::Malformed)?;
    let fields = message(name).ok_or(ProtobufError::Malformed)?;
    let mut object = Map::new();
    for item in Wire(bytes) {
        let (number, item) = item?;
        let field = fields.iter().find(|f| f.number == number).ok_or(ProtobufError::Field(name, number))?;
        put(&mut object, field, item, depth)?;
    }
    Ok(object)
}

fn put(object: &mut Map<String, Value>, field: &Field, item: Item<'_>, depth: usize) -> Result<(), ProtobufError> {
    match field.shape {
        Shape::Once => {
            if let Some(value) = value(field.of, item, depth)? {
                object.insert(field.name.into(), value);
            }
        }
        Shape::List => {
            let element = value(field.of, item, depth)?.unwrap_or_else(|| empty(field.of));
            if let Some(list) = object.entry(field.name).or_insert_with(|| json!([])).as_array_mut() {
                list.push(element);
            }
        }
        Shape::Map => {
            let Item::Bytes(entry) = item else { return Err(ProtobufError::Malformed) };
            let (mut key, mut content) = (String::new(), empty(field.of));
            for part in Wire(entry) {
                match part? {
                    (1, Item::Bytes(text)) => key = string(text)?,
                    (2, item) => content = value(field.of, item, depth)?.unwrap_or_else(|| empty(field.of)),
                    _ => return Err(ProtobufError::Malformed),
                }
            }
            if let Some(map) = object.entry(field.name).or_insert_with(|| json!({})).as_object_mut() {
                map.insert(key, content);
            }
        }
    }
    Ok(())
}

/// What stands for an empty element.
fn empty(of: Type) -> Value {
    match of {
        Type::Message(_) => json!({}),
        Type::Number { .. } => json!(0),
        Type::Flag { .. } => json!(false),
        _ => json!(""),
    }
}

/// A field's value; `None` when it is the zero value that Go leaves out of JSON.
fn value(of: Type, item: Item<'_>, depth: usize) -> Result<Option<Value>, ProtobufError> {
    Ok(match (of, item) {
        (Type::Text, Item::Bytes(text)) => Some(string(text)?).filter(|t| !t.is_empty()).map(Value::from),
        // Negative numbers are written as their two's complement.
        (Type::Number { keeps_zero }, Item::Number(n)) => (keeps_zero || n != 0).then(|| json!(n.cast_signed())),
        (Type::Flag { keeps_false }, Item::Number(n)) => (keeps_false || n != 0).then(|| json!(n != 0)),
        (Type::Bytes, Item::Bytes(bytes)) => Some(json!(STANDARD.encode(bytes))),
        (Type::Time, Item::Bytes(bytes)) => time(bytes)?,
        (Type::IntOrString, Item::Bytes(bytes)) => Some(int_or_string(bytes)?),
        (Type::Quantity, Item::Bytes(bytes)) => quantity(bytes)?,
        // An empty message that Go's JSON would leave out does no harm: decoding treats both alike.
        (Type::Message(name), Item::Bytes(bytes)) => Some(Value::Object(object(name, bytes, depth)?)),
        _ => return Err(ProtobufError::Malformed),
    })
}

/// `v1.Time`: seconds since 1970; an empty message is no time.
fn time(bytes: &[u8]) -> Result<Option<Value>, ProtobufError> {
    for field in Wire(bytes) {
        if let (1, Item::Number(seconds)) = field? {
            let time = Timestamp::from_second(seconds.cast_signed()).map_err(|_| ProtobufError::Malformed)?;
            return Ok(Some(json!(time.to_string())));
        }
    }
    Ok(None)
}

/// `intstr.IntOrString`: which of both, the number, the text.
fn int_or_string(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for field in Wire(bytes) {
        match field? {
            (1, Item::Number(n)) => is_text = n == 1,
            (2, Item::Number(n)) => number = n.cast_signed(),
            (3, Item::Bytes(bytes)) => text = string(bytes)?,
            _ => return Err(ProtobufError::Malformed),
        }
    }
    Ok(if is_text { json!(text) } else { json!(number) })
}

fn quantity(bytes: &[u8]) -> Result<Option<Value>, ProtobufError> {
    for field in Wire(bytes) {
        if let (1, Item::Bytes(text)) = field? {
            return Ok(Some(json!(string(text)?)));
        }
    }
    Ok(None)
}

fn string(bytes: &[u8]) -> Result<String, ProtobufError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Malformed)
}

/// A field as it is on the wire.
enum Item<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, in order.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        // Ten groups of seven bits hold any 64-bit number.
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u32, Item<'a>)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok()?;
        match tag & 7 {
            0 => Some((number, Item::Number(self.varint()?))),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Some((number, Item::Bytes(bytes)))
            }
            // Kubernetes' messages have neither fixed-width fields nor groups, but for floats that are not in use.
            _ => None,
        }
    }
}

impl<'a> Iterator for Wire<'a> {
    type Item = Result<(u32, Item<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            // Nothing can be made of what follows.
            self.0 = &[];
        }
        Some(field.ok_or(ProtobufError::Malformed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        field.extend_from_slice(content);
        field
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), bytes(1, &meta), bytes(2, raw), bytes(3, b""), bytes(4, b"")].concat()
    }

    #[test]
    fn a_config_map_as_kubectl_sends_it() {
        let metadata = [bytes(1, b"c"), bytes(2, b""), bytes(8, b""), vec![7 << 3, 0]].concat();
        let entry = [bytes(1, b"k"), bytes(2, b"v")].concat();
        let raw = [bytes(1, &metadata), bytes(2, &entry), vec![4 << 3, 0]].concat();
        assert_eq!(
            read(&body("v1", "ConfigMap", &raw)).unwrap(),
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" }, "data": { "k": "v" }, "immutable": false })
        );
    }

    #[test]
    fn delete_options_as_drain_sends_them() {
        let preconditions = bytes(1, b"u");
        let raw = [vec![1 << 3, 0], bytes(2, &preconditions), bytes(4, b"Background")].concat();
        for version in ["v1", "apps/v1"] {
            assert_eq!(
                read(&body(version, "DeleteOptions", &raw)).unwrap(),
                json!({ "apiVersion": version, "kind": "DeleteOptions", "gracePeriodSeconds": 0,
                    "preconditions": { "uid": "u" }, "propagationPolicy": "Background" })
            );
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_refused_by_name() {
        let unknown = envelope(&body("v1", "ConfigMap", &bytes(9, b"x"))).unwrap_err();
        assert_eq!(unknown, ProtobufError::Field("ConfigMap", 9));
        assert!(matches!(envelope(&body("v1", "Pod", b"")), Err(ProtobufError::Kind(..))));
    }

    #[test]
    fn cut_anywhere_it_is_an_error_or_an_object_and_never_a_panic() {
        let whole = body("v1", "ConfigMap", &bytes(1, &bytes(1, b"c")));
        for end in 0..whole.len() {
            let _ = envelope(&whole[..end]);
        }
        assert_eq!(envelope(b"k8s\0\xff\xff"), Err(ProtobufError::Malformed));
    }
}
