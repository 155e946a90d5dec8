//! Values of named types that expressions make: what the mutations of admission policies come to
//! (`k8s.io/apiserver/pkg/cel/mutation`).
//!
//! There are two families. `Object` and the types of its fields (`Object.spec`, `Object.spec.template` …) have any field,
//! of any type: what a field may hold is for the schema of the patched object to say. `JSONPatch` is one operation.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::ast::Expr;
use super::compare::equal;
use super::cost::MAKE_STRUCT;
use super::error::EvalError;
use super::eval::{Evaluator, Result as Evaluated};
use super::library;
use super::types::Type;
use super::value::{List, Map, Value};

const OBJECT: &str = "Object";
const JSON_PATCH: &str = "JSONPatch";
/// Levels of JSON that a patch may have, which is what a request may have.
const MAX_JSON_DEPTH: usize = 100;
/// Values and bytes of text of that JSON, counted together: what is in a list many times is written as often.
const MAX_JSON_SIZE: usize = 3 << 20;

/// The name of a type that expressions make values of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructType(Arc<str>);

impl StructType {
    /// The type of that name, if there is one.
    pub(super) fn named(name: &str) -> Option<Self> {
        let is_known =
            matches!(name, OBJECT | JSON_PATCH) || name.strip_prefix(OBJECT).is_some_and(|rest| rest.starts_with('.'));
        is_known.then(|| Self(name.into()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether it is `Object`, the type of what is merged into the object.
    pub fn is_object(&self) -> bool {
        &*self.0 == OBJECT
    }

    /// Whether it is `JSONPatch`, the type of one operation.
    pub fn is_json_patch(&self) -> bool {
        &*self.0 == JSON_PATCH
    }

    /// What a field holds.
    pub(super) fn field(&self, name: &str) -> Option<Type> {
        if !self.is_json_patch() {
            return Some(Type::Dyn);
        }
        match name {
            "op" | "path" | "from" => Some(Type::String),
            "value" => Some(Type::Dyn),
            _ => None,
        }
    }
}

/// A value of a [`StructType`], its fields in the order of the text.
#[derive(Debug, Clone)]
pub struct Struct<'a> {
    /// Its type.
    pub ty: StructType,
    /// The fields that are set.
    pub fields: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Struct<'a> {
    /// The value of a field that is set.
    pub fn field(&self, name: &str) -> Option<Value<'a>> {
        self.fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone())
    }

    pub(super) fn equals(&self, other: &Struct<'_>) -> bool {
        let same = |(name, value): &(&str, Value<'_>)| other.field(name).is_some_and(|other| equal(value, &other));
        self.ty == other.ty && self.fields.len() == other.fields.len() && self.fields.iter().all(same)
    }

    /// Whether the values in it have the types of the fields that they are in, as in
    /// `Object{spec: Object.spec{…}}`.
    ///
    /// # Errors
    /// The first that has not.
    pub fn check_names(&self) -> Result<(), EvalError> {
        self.check_at(self.ty.name())
    }

    fn check_at(&self, path: &str) -> Result<(), EvalError> {
        if self.ty.name() != path {
            let name = self.ty.name();
            return Err(EvalError::other(format!(
                "unexpected type name {name:?}, expected {path:?}, which matches field name path from root Object type"
            )));
        }
        self.fields.iter().try_for_each(|(name, value)| check_within(value, &format!("{path}.{name}")))
    }
}

fn check_within(value: &Value<'_>, path: &str) -> Result<(), EvalError> {
    match value {
        Value::Struct(own) => own.check_at(path),
        Value::List(List::Made(items)) => items.iter().try_for_each(|item| check_within(item, path)),
        Value::Map(Map::Made(entries)) => entries.iter().try_for_each(|(_, value)| check_within(value, path)),
        Value::Optional(Some(inner)) => check_within(inner, path),
        _ => Ok(()),
    }
}

impl<'a> Evaluator<'a, '_> {
    pub(super) fn structure(&mut self, name: &str, fields: &'a [(String, Expr, bool)]) -> Evaluated<'a> {
        self.charge(MAKE_STRUCT)?;
        let ty = StructType::named(name).ok_or_else(|| EvalError::NoSuchAttribute(name.to_string()))?;
        let mut made: Vec<(&'a str, Value<'a>)> = Vec::with_capacity(fields.len());
        for (field, value, optional) in fields {
            let value = match (self.eval(value)?, optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(value)), true) => Value::clone(&value),
                (value, _) => value,
            };
            // Said twice, the last one counts.
            made.retain(|(own, _)| own != field);
            made.push((field, value));
        }
        Ok(Value::Struct(Arc::new(Struct { ty, fields: made })))
    }
}

impl Value<'_> {
    /// Bytes of text in what has none of its own parts to be asked.
    fn written_bytes(&self) -> usize {
        match self {
            Self::Object(object) => object.weight(1),
            other => other.bytes(),
        }
    }

    /// The value as JSON.
    ///
    /// # Errors
    /// It, or something in it, is nothing that JSON has: a key that is no text, a number that is not finite, a type.
    pub fn to_json(&self) -> Result<Json, EvalError> {
        let mut room = MAX_JSON_SIZE;
        self.json_at(0, &mut room)
    }

    fn json_at(&self, depth: usize, room: &mut usize) -> Result<Json, EvalError> {
        if depth > MAX_JSON_DEPTH {
            return Err(EvalError::other(format!("value is nested deeper than {MAX_JSON_DEPTH} levels")));
        }
        let left = room.checked_sub(1 + self.written_bytes());
        *room = left.ok_or_else(|| EvalError::other(format!("value is larger than {MAX_JSON_SIZE} bytes")))?;
        let mut below = |value: &Value<'_>| value.json_at(depth + 1, room);
        match self {
            Self::Null | Self::Optional(None) => Ok(Json::Null),
            Self::Bool(flag) => Ok(Json::Bool(*flag)),
            Self::Int(number) => Ok((*number).into()),
            Self::Uint(number) => Ok((*number).into()),
            Self::Double(number) => serde_json::Number::from_f64(*number)
                .map(Json::Number)
                .ok_or_else(|| EvalError::other(format!("{number} has no representation in JSON"))),
            Self::Bytes(bytes) => {
                use base64::Engine as _;
                Ok(Json::String(base64::engine::general_purpose::STANDARD.encode(bytes)))
            }
            Self::List(list) => list.iter().map(|item| below(&item)).collect(),
            Self::Object(object) => Ok(Json::Object(object.json.clone())),
            Self::Map(map) => entries_json(map.entries(), below),
            Self::Struct(own) => {
                let fields = own.fields.iter().map(|(name, value)| Ok(((*name).to_string(), below(value)?)));
                Ok(Json::Object(fields.collect::<Result<JsonMap<_, _>, EvalError>>()?))
            }
            Self::Optional(Some(inner)) => below(inner),
            Self::Type(_) | Self::Access(_) => {
                Err(EvalError::other(format!("{} has no representation in JSON", self.type_name())))
            }
            other => Ok(Json::String(library::display(other))),
        }
    }
}

fn entries_json(
    entries: Vec<(Value<'_>, Value<'_>)>,
    mut below: impl FnMut(&Value<'_>) -> Result<Json, EvalError>,
) -> Result<Json, EvalError> {
    let mut map = JsonMap::new();
    for (key, value) in entries {
        let Value::String(key) = key else {
            return Err(EvalError::other("a map has JSON only if its keys are strings"));
        };
        map.insert(key.into_owned(), below(&value)?);
    }
    Ok(Json::Object(map))
}
