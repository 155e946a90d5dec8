//! Values that have members: lists, maps, objects.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::Value;
use crate::cel::compare::equal;
use crate::cel::decl::{Decl, ListKind, ObjectDecl};
use crate::cel::error::EvalError;
use crate::cel::work::{self, READ_BYTES};

/// A list.
#[derive(Debug, Clone)]
pub enum List<'a> {
    /// A JSON array with the declaration of its elements.
    Json(&'a [Json], &'a Decl, &'a ListKind),
    /// Made by an expression.
    Made(Arc<Vec<Value<'a>>>),
}

/// A map.
#[derive(Debug, Clone)]
pub enum Map<'a> {
    /// A JSON object with the declaration of its values.
    Json(&'a JsonMap<String, Json>, &'a Decl),
    /// Made by an expression, in the order of its text.
    Made(Arc<Vec<(Value<'a>, Value<'a>)>>),
}

/// A JSON object with known fields.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// The JSON object.
    pub json: &'a JsonMap<String, Json>,
    /// Its fields.
    pub decl: &'a ObjectDecl,
}

impl<'a> List<'a> {
    /// How many elements.
    pub(in crate::cel) fn len(&self) -> usize {
        match self {
            Self::Json(items, ..) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    /// An element.
    pub(in crate::cel) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items, decl, _) => items.get(index).map(|item| Value::read(item, decl)),
            Self::Made(items) => items.get(index).cloned(),
        }
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Map<'a> {
    /// How many entries.
    pub(in crate::cel) fn len(&self) -> usize {
        match self {
            Self::Json(map, _) => map.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    /// The value of a key.
    pub(in crate::cel) fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match self {
            Self::Json(map, decl) => map.get(key.as_str()?).map(|value| Value::read(value, decl)),
            Self::Made(entries) => {
                let found = entries.iter().find(|(own, _)| equal(own, key));
                found.map(|(_, value)| value.clone())
            }
        }
    }

    /// Keys and values.
    pub(in crate::cel) fn entries(&self) -> Vec<(Value<'a>, Value<'a>)> {
        match self {
            Self::Json(map, decl) => {
                map.iter().map(|(key, value)| (Value::String(Cow::Borrowed(key)), Value::read(value, decl))).collect()
            }
            Self::Made(entries) => entries.to_vec(),
        }
    }
}

impl<'a> Object<'a> {
    /// The value of a field that is set, by the name that expressions use. One that is null is as good as absent.
    pub(in crate::cel) fn field(&self, name: &str) -> Option<Value<'a>> {
        let field = self.decl.fields.get(name)?;
        self.json.get(&field.json).filter(|value| !value.is_null()).map(|value| Value::read(value, &field.decl))
    }

    /// How many values are in it, and how many pieces of so many bytes its texts have.
    pub(in crate::cel) fn weight(&self, piece_bytes: usize) -> usize {
        self.json.values().map(|value| weight(value, piece_bytes)).sum()
    }

    /// Whether both have the same fields, those that expressions can't see included.
    pub(in crate::cel) fn equals(&self, other: &Object<'_>) -> bool {
        let known = |name: &str| self.decl.fields.values().find(|field| field.json == name);
        self.json.len() == other.json.len()
            && self.json.iter().all(|(name, value)| match (other.json.get(name), known(name)) {
                (Some(theirs), Some(field)) => {
                    let own = Value::read(value, &field.decl);
                    equal(&own, &Value::read(theirs, &field.decl))
                }
                (Some(theirs), None) => work::spend(weight(value, READ_BYTES)) && value == theirs,
                (None, _) => false,
            })
    }

    /// Names and values of the fields that are set and known.
    pub(in crate::cel) fn entries(&self) -> Vec<(Value<'a>, Value<'a>)> {
        let names = self.decl.fields.keys();
        names.filter_map(|name| Some((Value::String(Cow::Borrowed(name)), self.field(name)?))).collect()
    }
}

/// How many values a JSON value has in it, itself included, and how many pieces of so many bytes its texts have.
fn weight(json: &Json, piece_bytes: usize) -> usize {
    let below = |json: &Json| weight(json, piece_bytes);
    match json {
        Json::Array(items) => 1 + items.iter().map(below).sum::<usize>(),
        Json::Object(fields) => 1 + fields.values().map(below).sum::<usize>(),
        Json::String(text) => 1 + text.len() / piece_bytes,
        _ => 1,
    }
}

/// Reading a member by name, of whatever has members.
pub(in crate::cel) fn select<'a>(value: &Value<'a>, field: &str) -> Result<Option<Value<'a>>, EvalError> {
    match value {
        Value::Object(object) => Ok(object.field(field)),
        Value::Map(map) => Ok(map.get(&Value::String(Cow::Borrowed(field)))),
        Value::Struct(own) => Ok(own.field(field)),
        Value::Optional(None) => Ok(None),
        Value::Optional(Some(inner)) => select(inner, field),
        _ => Err(EvalError::NoSuchOverload),
    }
}
