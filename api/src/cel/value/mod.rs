//! Values of expressions. JSON is read lazily: a rule that looks at one field of a large object touches one field.

mod members;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use jiff::SignedDuration;
use serde_json::Value as Json;

use super::access::Access;
use super::decl::{Decl, DeclKind, ListKind, MAX_REQUEST_BYTES};
use super::library::{Moment, NamedFormat, Semver, Url, parse_duration, parse_moment};
use super::structs::Struct;
use super::types::{Opaque, Type};
use crate::quantity::Quantity;

pub(super) use members::select;
pub use members::{List, Map, Object};

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
    /// On the way from `authorizer` to a decision
    Access(Arc<Access<'a>>),
}

/// What JSON without a declaration is read by.
static DYNAMIC: Decl = Decl { kind: DeclKind::Dyn, max_elements: MAX_REQUEST_BYTES, min_size: 1 };
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
            DeclKind::Timestamp => parse_moment(text).map(Self::Timestamp),
            DeclKind::Duration => parse_duration(text).map(Self::Duration),
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
            Self::Access(access) => Type::Opaque(access.ty()),
        }
    }

    /// What `type(x)` is called.
    pub fn type_name(&self) -> Cow<'static, str> {
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

    /// Bytes that copying the value may copy: those of its text.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => 0,
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
