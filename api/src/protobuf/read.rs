//! From messages to JSON objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::table::{Content, Message, Shape, Table};
use super::wire::{string, unknown, wrapped};
use super::{Item, MAGIC, ProtobufError, Type, Wire};

type Outcome<T> = Result<T, ProtobufError>;

/// A message as a JSON object.
pub(super) fn object(message: &Message, bytes: &[u8], depth: usize) -> Outcome<Map<String, Value>> {
    let mut object = Map::new();
    fill(&mut object, message, bytes, depth)?;
    Ok(object)
}

fn fill(object: &mut Map<String, Value>, message: &Message, bytes: &[u8], depth: usize) -> Outcome<()> {
    let depth = depth.checked_sub(1).ok_or(ProtobufError::Depth)?;
    for item in Wire(bytes) {
        let (number, item) = item?;
        match (message.field(number), item) {
            (None, _) => {}
            (Some(Content::Inline(inner)), Item::Bytes(bytes)) => fill(object, inner, bytes, depth)?,
            (Some(Content::Inline(_)), _) => return Err(ProtobufError::Malformed),
            (Some(Content::Member { name, shape, of }), item) => put(object, name, (*shape, *of), item, depth)?,
        }
    }
    Ok(())
}

fn put(
    object: &mut Map<String, Value>,
    name: &str,
    (shape, of): (Shape, Type),
    item: Item<'_>,
    depth: usize,
) -> Outcome<()> {
    match shape {
        Shape::Once => {
            if let Some(value) = value(of, item, depth)? {
                object.insert(name.into(), value);
            }
        }
        Shape::List => {
            let element = value(of, item, depth)?.unwrap_or_else(|| zero(of));
            if let Some(list) = object.entry(name).or_insert_with(|| json!([])).as_array_mut() {
                list.push(element);
            }
        }
        Shape::Map => {
            let (key, content) = entry(of, item, depth)?;
            if let Some(map) = object.entry(name).or_insert_with(|| json!({})).as_object_mut() {
                map.insert(key, content);
            }
        }
    }
    Ok(())
}

/// An entry of a map: a message with the key in its first field and the value in its second.
fn entry(of: Type, item: Item<'_>, depth: usize) -> Outcome<(String, Value)> {
    let Item::Bytes(entry) = item else { return Err(ProtobufError::Malformed) };
    let (mut key, mut content) = (String::new(), zero(of));
    for part in Wire(entry) {
        match part? {
            (1, Item::Bytes(text)) => key = string(text)?,
            (2, item) => content = value(of, item, depth)?.unwrap_or_else(|| zero(of)),
            _ => {}
        }
    }
    Ok((key, content))
}

/// What stands for an empty element.
fn zero(of: Type) -> Value {
    match of {
        Type::Message(_) => json!({}),
        Type::Number { .. } | Type::Float | Type::IntOrString => json!(0),
        Type::Flag { .. } => json!(false),
        Type::Texts => json!([]),
        Type::Raw | Type::SchemaOrList | Type::SchemaOrFlag | Type::SchemaOrTexts => Value::Null,
        Type::Text { .. } | Type::Bytes | Type::Time | Type::MicroTime | Type::Quantity => json!(""),
    }
}

/// A field's value; `None` when it is the zero value that Go leaves out of JSON.
fn value(of: Type, item: Item<'_>, depth: usize) -> Outcome<Option<Value>> {
    Ok(match (of, item) {
        (Type::Text { keeps_zero }, Item::Bytes(text)) => {
            Some(string(text)?).filter(|t| keeps_zero || !t.is_empty()).map(Value::from)
        }
        // Negative numbers are written as their two's complement.
        (Type::Number { keeps_zero }, Item::Number(n)) => (keeps_zero || n != 0).then(|| json!(n.cast_signed())),
        (Type::Flag { keeps_zero }, Item::Number(n)) => (keeps_zero || n != 0).then(|| json!(n != 0)),
        (Type::Float, Item::Fixed(bits)) => Some(float(f64::from_bits(bits))?),
        (Type::Bytes, Item::Bytes(bytes)) => Some(json!(STANDARD.encode(bytes))),
        (Type::Time, Item::Bytes(bytes)) => time(bytes)?.map(|(seconds, _)| stamp(seconds, 0, 0)).transpose()?,
        (Type::MicroTime, Item::Bytes(bytes)) => time(bytes)?.map(|(s, nanos)| stamp(s, nanos, 6)).transpose()?,
        (Type::IntOrString, Item::Bytes(bytes)) => Some(int_or_string(bytes)?),
        (Type::Quantity, Item::Bytes(bytes)) => {
            Some(string(wrapped(bytes)?)?).map(|text| if text.is_empty() { json!("0") } else { json!(text) })
        }
        (Type::Raw, Item::Bytes(bytes)) => raw(wrapped(bytes)?, depth)?,
        (Type::Texts, Item::Bytes(bytes)) => Some(texts(bytes, 1)?),
        (Type::SchemaOrList, Item::Bytes(bytes)) => schema_or_list(bytes, depth)?,
        (Type::SchemaOrTexts, Item::Bytes(bytes)) => Some(schema_or_texts(bytes, depth)?),
        (Type::SchemaOrFlag, Item::Bytes(bytes)) => Some(schema_or_flag(bytes, depth)?),
        // An empty message that Go's JSON would leave out does no harm: decoding treats both alike.
        (Type::Message(index), Item::Bytes(bytes)) => {
            Some(Value::Object(object(Table::get().message(index), bytes, depth)?))
        }
        _ => return Err(ProtobufError::Malformed),
    })
}

/// A float as Go writes it: whole ones without a fraction. What is no number has no JSON.
fn float(number: f64) -> Outcome<Value> {
    if !number.is_finite() {
        return Err(ProtobufError::Malformed);
    }
    Ok(if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) })
}

/// `v1.Time` and `v1.MicroTime`: seconds since 1970 and nanoseconds; an empty message is no time.
fn time(bytes: &[u8]) -> Outcome<Option<(i64, i32)>> {
    let (mut seconds, mut nanos) = (None, 0);
    for field in Wire(bytes) {
        match field? {
            (1, Item::Number(n)) => seconds = Some(n.cast_signed()),
            (2, Item::Number(n)) => nanos = i32::try_from(n).map_err(|_| ProtobufError::Malformed)?,
            _ => {}
        }
    }
    Ok(seconds.map(|seconds| (seconds, nanos)))
}

fn stamp(seconds: i64, nanos: i32, digits: usize) -> Outcome<Value> {
    let time = Timestamp::new(seconds, nanos).map_err(|_| ProtobufError::Malformed)?;
    Ok(json!(format!("{time:.digits$}")))
}

/// `intstr.IntOrString`: which of both, the number, the text.
fn int_or_string(bytes: &[u8]) -> Outcome<Value> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for field in Wire(bytes) {
        match field? {
            (1, Item::Number(n)) => is_text = n == 1,
            (2, Item::Number(n)) => number = n.cast_signed(),
            (3, Item::Bytes(bytes)) => text = string(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { json!(text) } else { json!(number) })
}

/// JSON in bytes, or an object in protobuf of its own.
fn raw(bytes: &[u8], depth: usize) -> Outcome<Option<Value>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let Some(inner) = bytes.strip_prefix(MAGIC) else {
        return serde_json::from_slice(bytes).map(Some).map_err(|_| ProtobufError::Malformed);
    };
    let inner = unknown(inner)?;
    let Some(message) = Table::get().message_of(&inner.api_version, &inner.kind) else {
        return Err(ProtobufError::Kind { api_version: inner.api_version, kind: inner.kind });
    };
    let mut object = object(&message, inner.raw, depth)?;
    object.insert("apiVersion".into(), inner.api_version.into());
    object.insert("kind".into(), inner.kind.into());
    Ok(Some(Value::Object(object)))
}

/// The strings in one field of a message.
fn texts(bytes: &[u8], number: u32) -> Outcome<Value> {
    let mut list = Vec::new();
    for field in Wire(bytes) {
        match field? {
            (n, Item::Bytes(text)) if n == number => list.push(Value::from(string(text)?)),
            _ => {}
        }
    }
    Ok(Value::Array(list))
}

/// The schemas in a union: the single one of its first field, and those of its second.
fn schemas(bytes: &[u8], depth: usize) -> Outcome<(Option<Value>, Vec<Value>)> {
    let message = Table::get().message(Table::get().schema);
    let (mut single, mut list) = (None, Vec::new());
    for field in Wire(bytes) {
        match field? {
            (1, Item::Bytes(schema)) => single = Some(Value::Object(object(message, schema, depth)?)),
            (2, Item::Bytes(schema)) => list.push(Value::Object(object(message, schema, depth)?)),
            _ => {}
        }
    }
    Ok((single, list))
}

/// The single schema, or the list of them.
fn schema_or_list(bytes: &[u8], depth: usize) -> Outcome<Option<Value>> {
    let (single, list) = schemas(bytes, depth)?;
    Ok(single.or_else(|| (!list.is_empty()).then_some(Value::Array(list))))
}

fn schema_or_texts(bytes: &[u8], depth: usize) -> Outcome<Value> {
    for field in Wire(bytes) {
        if let (1, Item::Bytes(schema)) = field? {
            let message = Table::get().message(Table::get().schema);
            return Ok(Value::Object(object(message, schema, depth)?));
        }
    }
    texts(bytes, 2)
}

/// A flag in the first field, a schema in the second, which wins.
fn schema_or_flag(bytes: &[u8], depth: usize) -> Outcome<Value> {
    let mut allows = false;
    for field in Wire(bytes) {
        match field? {
            (1, Item::Number(n)) => allows = n != 0,
            (2, Item::Bytes(schema)) => {
                let message = Table::get().message(Table::get().schema);
                return Ok(Value::Object(object(message, schema, depth)?));
            }
            _ => {}
        }
    }
    Ok(json!(allows))
}
