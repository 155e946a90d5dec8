//! Values of expressions. JSON is read lazily: a rule that looks at one field of a large object touches one field.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use jiff::SignedDuration;
use serde_json::{Map as JsonMap, Value as Json};

use super::decl::{Decl, DeclKind, ListKind, ObjectDecl};
use super::error::EvalError;
use super::library::{Moment, NamedFormat, Semver, Url};
use super::structs::Struct;
use super::types::{Opaque, Type};
use crate::quantity::Quantity;

/// A value. `'a` is the lifetime of the JSON and of the declarations that it was read by.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `uint`
    Uint(u64),
    /// `double`
    Double(f64),
    /// `string`
    String(Cow<'a, str>),
    /// `bytes`
    Bytes(Arc<[u8]>),
    /// `timestamp`
    Timestamp(Moment),
    /// `duration`
    Duration(SignedDuration),
    /// `list`
    List(List<'a>),
    /// `map`
    Map(Map<'a>),
    /// An object with known fields.
    Object(Object<'a>),
    /// A value of a type that expressions make values of.
    Struct(Arc<Struct<'a>>),
    /// `optional_type`
    Optional(Option<Arc<Value<'a>>>),
    /// `type`, by name
    Type(Cow<'static, str>),
    /// `kubernetes.URL`
    Url(Arc<Url>),
    /// `kubernetes.Quantity`
    Quantity(Quantity),
    /// `net.IP`
    Ip(IpAddr),
    /// `net.CIDR`
    Cidr(IpNet),
    /// `kubernetes.NamedFormat`
    Format(NamedFormat),
    /// `kubernetes.Semver`
    Semver(Arc<Semver>),
}

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

/// What JSON without a declaration is read by.
static DYNAMIC: Decl = Decl { kind: DeclKind::Dyn, max_elements: super::decl::MAX_REQUEST_BYTES, min_size: 1 };
static ATOMIC: ListKind = ListKind::Atomic;

impl<'a> Value<'a> {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(Cow::Owned(text.into()))
    }

    /// A list made by an expression.
    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Made(Arc::new(items)))
    }

    /// An optional value.
    pub fn optional(value: Option<Self>) -> Self {
        Self::Optional(value.map(Arc::new))
    }

    /// Reads JSON without a declaration.
    pub fn dynamic(json: &'a Json) -> Self {
        Self::read(json, &DYNAMIC)
    }

    /// Reads JSON by its declaration. What does not fit its declaration is read as what it is: validation reports it
    /// before rules run, or it was stored before the schema changed.
    pub fn read(json: &'a Json, decl: &'a Decl) -> Self {
        match (json, &decl.kind) {
            (Json::Null, _) => Self::Null,
            (Json::Bool(flag), _) => Self::Bool(*flag),
            (Json::Number(number), DeclKind::Double) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            (Json::Number(number), kind) => match (number.as_i64(), kind) {
                (Some(int), _) => Self::Int(int),
                (None, DeclKind::Int) => Self::Int(number.as_f64().unwrap_or_default() as i64),
                (None, _) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            (Json::String(text), kind) => Self::read_text(text, kind),
            (Json::Array(items), DeclKind::List(element, kind)) => Self::List(List::Json(items, element, kind)),
            (Json::Array(items), _) => Self::List(List::Json(items, &DYNAMIC, &ATOMIC)),
            (Json::Object(map), DeclKind::Object(object)) => Self::Object(Object { json: map, decl: object }),
            (Json::Object(map), DeclKind::Map(value)) => Self::Map(Map::Json(map, value)),
            (Json::Object(map), _) => Self::Map(Map::Json(map, &DYNAMIC)),
        }
    }

    fn read_text(text: &'a str, kind: &DeclKind) -> Self {
        let read = match kind {
            DeclKind::Bytes => STANDARD.decode(text).ok().map(|bytes| Self::Bytes(bytes.into())),
            DeclKind::Timestamp => super::library::parse_moment(text).map(Self::Timestamp),
            DeclKind::Duration => super::library::parse_duration(text).map(Self::Duration),
            _ => None,
        };
        read.unwrap_or(Self::String(Cow::Borrowed(text)))
    }

    /// The type at run time, as far as signatures need it.
    pub(super) fn ty(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Timestamp(_) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::List(_) => Type::list(Type::Dyn),
            Self::Map(_) | Self::Object(_) => Type::map(Type::Dyn, Type::Dyn),
            Self::Struct(own) => Type::Struct(own.ty.clone()),
            Self::Optional(_) => Type::optional(Type::Dyn),
            Self::Type(_) => Type::Type,
            Self::Url(_) => Type::Opaque(Opaque::Url),
            Self::Quantity(_) => Type::Opaque(Opaque::Quantity),
            Self::Ip(_) => Type::Opaque(Opaque::Ip),
            Self::Cidr(_) => Type::Opaque(Opaque::Cidr),
            Self::Format(_) => Type::Opaque(Opaque::Format),
            Self::Semver(_) => Type::Opaque(Opaque::Semver),
        }
    }

    /// What `type(x)` is called.
    pub(super) fn type_name(&self) -> Cow<'static, str> {
        match self {
            Self::Null => "null_type".into(),
            Self::Timestamp(_) => "google.protobuf.Timestamp".into(),
            Self::Duration(_) => "google.protobuf.Duration".into(),
            Self::List(_) => "list".into(),
            Self::Map(_) => "map".into(),
            Self::Object(object) => object.decl.name.clone().into(),
            Self::Optional(_) => "optional_type".into(),
            _ => self.ty().to_string().into(),
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value of a bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// How large the value is, in the units of cost: characters, bytes, elements; 1 for anything else.
    pub(super) fn size(&self) -> u64 {
        let size = match self {
            Self::String(text) => text.chars().count(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(list) => list.len(),
            Self::Map(map) => map.len(),
            Self::Object(object) => object.json.len(),
            Self::Struct(own) => own.fields.len(),
            Self::Optional(Some(inner)) => return inner.size(),
            _ => 1,
        };
        size as u64
    }
}

impl<'a> List<'a> {
    /// How many elements.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(items, ..) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    /// An element.
    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items, decl, _) => items.get(index).map(|item| Value::read(item, decl)),
            Self::Made(items) => items.get(index).cloned(),
        }
    }

    /// The elements.
    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Map<'a> {
    /// How many entries.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(map, _) => map.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match self {
            Self::Json(map, decl) => map.get(key.as_str()?).map(|value| Value::read(value, decl)),
            Self::Made(entries) => {
                let found = entries.iter().find(|(own, _)| super::compare::equal(own, key));
                found.map(|(_, value)| value.clone())
            }
        }
    }

    /// Keys and values.
    pub(super) fn entries(&self) -> Vec<(Value<'a>, Value<'a>)> {
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
    pub(super) fn field(&self, name: &str) -> Option<Value<'a>> {
        let field = self.decl.fields.get(name)?;
        self.json.get(&field.json).filter(|value| !value.is_null()).map(|value| Value::read(value, &field.decl))
    }

    /// Whether both have the same fields, those that expressions can't see included.
    pub(super) fn equals(&self, other: &Object<'_>) -> bool {
        let known = |name: &str| self.decl.fields.values().find(|field| field.json == name);
        self.json.len() == other.json.len()
            && self.json.iter().all(|(name, value)| match (other.json.get(name), known(name)) {
                (Some(theirs), Some(field)) => {
                    let own = Value::read(value, &field.decl);
                    super::compare::equal(&own, &Value::read(theirs, &field.decl))
                }
                (Some(theirs), None) => value == theirs,
                (None, _) => false,
            })
    }

    /// Names and values of the fields that are set and known.
    pub(super) fn entries(&self) -> Vec<(Value<'a>, Value<'a>)> {
        let names = self.decl.fields.keys();
        names.filter_map(|name| Some((Value::String(Cow::Borrowed(name)), self.field(name)?))).collect()
    }
}

/// Reading a member by name, of whatever has members.
pub(super) fn select<'a>(value: &Value<'a>, field: &str) -> Result<Option<Value<'a>>, EvalError> {
    match value {
        Value::Object(object) => Ok(object.field(field)),
        Value::Map(map) => Ok(map.get(&Value::String(Cow::Borrowed(field)))),
        Value::Struct(own) => Ok(own.field(field)),
        Value::Optional(None) => Ok(None),
        Value::Optional(Some(inner)) => select(inner, field),
        _ => Err(EvalError::NoSuchOverload),
    }
}
