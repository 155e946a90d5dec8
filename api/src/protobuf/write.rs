//! From JSON objects to messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use super::table::{Content, Message, Shape, Table};
use super::wire::{put_bytes, put_fixed, put_number};
use super::{ProtobufError, Type};

type Outcome<T> = Result<T, ProtobufError>;

/// A JSON object as a message. Members that the message has no field for are left out.
pub(super) fn object(message: &Message, object: &Value, depth: usize) -> Outcome<Vec<u8>> {
    let depth = depth.checked_sub(1).ok_or(ProtobufError::Depth)?;
    let mut out = Vec::new();
    for field in &message.0 {
        match &field.content {
            Content::Inline(inner) => {
                let bytes = self::object(inner, object, depth)?;
                if !bytes.is_empty() {
                    put_bytes(&mut out, field.number, &bytes);
                }
            }
            Content::Member { name, shape, of } => {
                if let Some(member) = object.get(*name).filter(|m| !m.is_null()) {
                    put_member(&mut out, field.number, (*shape, *of), member, depth)
                        .ok_or_else(|| ProtobufError::Value((*name).into()))??;
                }
            }
        }
    }
    Ok(out)
}

/// `None` when the member is no list or map and should be one.
fn put_member(
    out: &mut Vec<u8>,
    number: u32,
    (shape, of): (Shape, Type),
    member: &Value,
    depth: usize,
) -> Option<Outcome<()>> {
    match shape {
        Shape::Once => Some(put(out, number, of, member, depth)),
        Shape::List => Some(member.as_array()?.iter().try_for_each(|element| put(out, number, of, element, depth))),
        Shape::Map => {
            let put_entry = |(key, value): (&String, &Value)| {
                let mut entry = Vec::new();
                put_bytes(&mut entry, 1, key.as_bytes());
                put(&mut entry, 2, of, value, depth)?;
                put_bytes(out, number, &entry);
                Ok(())
            };
            Some(member.as_object()?.iter().try_for_each(put_entry))
        }
    }
}

fn put(out: &mut Vec<u8>, number: u32, of: Type, value: &Value, depth: usize) -> Outcome<()> {
    let wrong = || ProtobufError::Value(value.to_string());
    let text = || value.as_str().ok_or_else(wrong);
    match of {
        Type::Text { .. } => put_bytes(out, number, text()?.as_bytes()),
        Type::Number { .. } => put_number(out, number, value.as_i64().ok_or_else(wrong)?.cast_unsigned()),
        Type::Flag { .. } => put_number(out, number, value.as_bool().ok_or_else(wrong)?.into()),
        Type::Float => put_fixed(out, number, value.as_f64().ok_or_else(wrong)?.to_bits()),
        Type::Bytes => put_bytes(out, number, &STANDARD.decode(text()?).map_err(|_| wrong())?),
        Type::Time | Type::MicroTime => put_bytes(out, number, &time(text()?.parse().map_err(|_| wrong())?)),
        Type::IntOrString => put_bytes(out, number, &int_or_string(value).ok_or_else(wrong)?),
        Type::Quantity => put_bytes(out, number, &wrap(&number_text(value))),
        Type::Raw => put_bytes(out, number, &wrap(&value.to_string())),
        Type::Texts => put_bytes(out, number, &texts(value, 1).ok_or_else(wrong)?),
        Type::SchemaOrList | Type::SchemaOrFlag | Type::SchemaOrTexts => {
            put_bytes(out, number, &union(value, of == Type::SchemaOrFlag, depth)?);
        }
        Type::Message(index) => put_bytes(out, number, &object(Table::get().message(index), value, depth)?),
    }
    Ok(())
}

fn wrap(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 4);
    put_bytes(&mut out, 1, text.as_bytes());
    out
}

/// A quantity may be a number in JSON.
fn number_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn time(time: Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, time.as_second().cast_unsigned());
    put_number(&mut out, 2, i64::from(time.subsec_nanosecond()).cast_unsigned());
    out
}

fn int_or_string(value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match value {
        Value::String(text) => {
            put_number(&mut out, 1, 1);
            put_bytes(&mut out, 3, text.as_bytes());
        }
        number => {
            put_number(&mut out, 1, 0);
            put_number(&mut out, 2, number.as_i64()?.cast_unsigned());
        }
    }
    Some(out)
}

fn texts(value: &Value, number: u32) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for text in value.as_array()? {
        put_bytes(&mut out, number, text.as_str()?.as_bytes());
    }
    Some(out)
}

/// A schema, or what stands for one: a flag, a list of schemas, a list of names.
fn union(value: &Value, flagged: bool, depth: usize) -> Outcome<Vec<u8>> {
    let schema = |value: &Value| object(Table::get().message(Table::get().schema), value, depth);
    let mut out = Vec::new();
    match value {
        Value::Bool(allows) => put_number(&mut out, 1, (*allows).into()),
        Value::Array(list) => {
            for element in list {
                match element.as_str() {
                    Some(text) => put_bytes(&mut out, 2, text.as_bytes()),
                    None => put_bytes(&mut out, 2, &schema(element)?),
                }
            }
        }
        value if flagged => {
            put_number(&mut out, 1, 1);
            put_bytes(&mut out, 2, &schema(value)?);
        }
        value => put_bytes(&mut out, 1, &schema(value)?),
    }
    Ok(out)
}
