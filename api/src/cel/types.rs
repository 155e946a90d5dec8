//! Types of expressions, and signatures of functions over them.

use std::fmt;
use std::sync::Arc;

use super::decl::ObjectDecl;
use super::structs::StructType;

/// The type of an expression.
#[derive(Debug, Clone)]
pub enum Type {
    /// Known at run time only.
    Dyn,
    /// Of an expression that has an error already; fits everywhere.
    Error,
    /// `null_type`
    Null,
    /// `bool`
    Bool,
    /// `int`: 64 bits, signed
    Int,
    /// `uint`: 64 bits
    Uint,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `google.protobuf.Duration`
    Duration,
    /// `type`: what `type(x)` returns
    Type,
    /// `list(element)`
    List(Arc<Type>),
    /// `map(key, value)`
    Map(Arc<Type>, Arc<Type>),
    /// `optional_type(value)`
    Optional(Arc<Type>),
    /// An object with known fields.
    Object(Arc<ObjectDecl>),
    /// A type that expressions make values of.
    Struct(StructType),
    /// A type of one of Kubernetes' libraries.
    Opaque(Opaque),
}

/// Types of Kubernetes' libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opaque {
    /// `kubernetes.URL`
    Url,
    /// `kubernetes.Quantity`
    Quantity,
    /// `net.IP`
    Ip,
    /// `net.CIDR`
    Cidr,
    /// `kubernetes.NamedFormat`
    Format,
    /// `kubernetes.Semver`
    Semver,
    /// `kubernetes.authorization.Authorizer`
    Authorizer,
    /// `kubernetes.authorization.PathCheck`
    PathCheck,
    /// `kubernetes.authorization.GroupCheck`
    GroupCheck,
    /// `kubernetes.authorization.ResourceCheck`
    ResourceCheck,
    /// `kubernetes.authorization.Decision`
    Decision,
}

impl Opaque {
    /// The name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "kubernetes.URL",
            Self::Quantity => "kubernetes.Quantity",
            Self::Ip => "net.IP",
            Self::Cidr => "net.CIDR",
            Self::Format => "kubernetes.NamedFormat",
            Self::Semver => "kubernetes.Semver",
            Self::Authorizer => "kubernetes.authorization.Authorizer",
            Self::PathCheck => "kubernetes.authorization.PathCheck",
            Self::GroupCheck => "kubernetes.authorization.GroupCheck",
            Self::ResourceCheck => "kubernetes.authorization.ResourceCheck",
            Self::Decision => "kubernetes.authorization.Decision",
        }
    }
}

impl Type {
    /// `list(element)`
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// `map(key, value)`
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new(key), Arc::new(value))
    }

    /// `optional_type(value)`
    pub fn optional(value: Self) -> Self {
        Self::Optional(Arc::new(value))
    }

    /// Whether the type says nothing before run time.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Dyn | Self::Error)
    }

    /// Whether values of the type have a fixed size.
    pub(super) fn is_scalar(&self) -> bool {
        match self {
            Self::Bool | Self::Int | Self::Uint | Self::Double | Self::Timestamp | Self::Duration => true,
            Self::Optional(value) => value.is_scalar(),
            _ => false,
        }
    }

    /// Whether a value of type `other` can stand where one of this type is wanted.
    pub fn accepts(&self, other: &Self) -> bool {
        match (self, other) {
            _ if self.is_open() || other.is_open() => true,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => a.accepts(b),
            (Self::Map(a, b), Self::Map(c, d)) => a.accepts(c) && b.accepts(d),
            (Self::Object(a), Self::Object(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Struct(a), Self::Struct(b)) => a == b,
            (Self::Object(_) | Self::Struct(_) | Self::Opaque(_) | Self::Optional(_), Self::Null) => true,
            (Self::Opaque(a), Self::Opaque(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// The type that covers both, dynamic when nothing else does.
    pub(super) fn join(&self, other: &Self) -> Self {
        if self.is_open() || matches!(self, Self::Null) {
            return if matches!(self, Self::Null) { other.clone() } else { self.clone() };
        }
        if self.accepts(other) { self.clone() } else { Self::Dyn }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Error => f.write_str("!error!"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::Type => f.write_str("type"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Optional(value) => write!(f, "optional_type({value})"),
            Self::Object(object) => f.write_str(&object.name),
            Self::Struct(own) => f.write_str(own.name()),
            Self::Opaque(opaque) => f.write_str(opaque.name()),
        }
    }
}

/// A type in the signature of a function: may name type parameters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sig {
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Type,
    List(&'static Sig),
    Map(&'static Sig, &'static Sig),
    Optional(&'static Sig),
    Opaque(Opaque),
    /// A type parameter: 0 is A, 1 is B.
    Param(usize),
}

/// Most type parameters of a signature.
pub(super) const PARAMS: usize = 2;

/// What the parameters of a signature stand for, as far as known.
pub(super) type Bindings = [Option<Type>; PARAMS];

impl Sig {
    /// Whether an argument of this type fits; learns what parameters stand for.
    pub(super) fn matches(&self, ty: &Type, bindings: &mut Bindings) -> bool {
        match (self, ty) {
            (Self::Param(index), _) => bind(&mut bindings[*index], ty),
            (Self::Dyn, _) => true,
            _ if ty.is_open() => true,
            (Self::List(element), Type::List(found)) => element.matches(found, bindings),
            (Self::Map(key, value), Type::Map(k, v)) => key.matches(k, bindings) && value.matches(v, bindings),
            (Self::Optional(value), Type::Optional(found)) => value.matches(found, bindings),
            (Self::Opaque(wanted), Type::Opaque(found)) => wanted == found,
            (Self::Bool, Type::Bool)
            | (Self::Int, Type::Int)
            | (Self::Uint, Type::Uint)
            | (Self::Double, Type::Double)
            | (Self::String, Type::String)
            | (Self::Bytes, Type::Bytes)
            | (Self::Timestamp, Type::Timestamp)
            | (Self::Duration, Type::Duration)
            | (Self::Type, Type::Type) => true,
            _ => false,
        }
    }

    /// The type, parameters replaced by what they stand for.
    pub(super) fn resolve(&self, bindings: &Bindings) -> Type {
        match self {
            Self::Dyn => Type::Dyn,
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Uint => Type::Uint,
            Self::Double => Type::Double,
            Self::String => Type::String,
            Self::Bytes => Type::Bytes,
            Self::Timestamp => Type::Timestamp,
            Self::Duration => Type::Duration,
            Self::Type => Type::Type,
            Self::List(element) => Type::list(element.resolve(bindings)),
            Self::Map(key, value) => Type::map(key.resolve(bindings), value.resolve(bindings)),
            Self::Optional(value) => Type::optional(value.resolve(bindings)),
            Self::Opaque(opaque) => Type::Opaque(*opaque),
            Self::Param(index) => bindings[*index].clone().unwrap_or(Type::Dyn),
        }
    }
}

fn bind(slot: &mut Option<Type>, ty: &Type) -> bool {
    match slot {
        None => *slot = Some(ty.clone()),
        Some(known) if known.is_open() => {}
        Some(known) if ty.is_open() => *known = ty.clone(),
        Some(known) if known.accepts(ty) => {}
        Some(known) if ty.accepts(known) => *known = ty.clone(),
        Some(_) => return false,
    }
    true
}
