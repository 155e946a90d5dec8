//! Schemas of the built-in kinds: which fields an object has, of what type, and how lists are merged.
//!
//! Built once, on first use, from the schemas that `k8s-openapi` carries plus the tables of this folder: [`lists`]
//! (merge keys, list types) and [`go`] (named Go types, for error texts). Descriptions are left behind; only
//! [`definitions`] produces them, for OpenAPI documents.
//!
//! Invariant: a [`Type::Object`] handle is always valid for the [`Schemas`] that it came from.

mod build;
mod definitions;
mod enums;
#[cfg(test)]
pub(crate) mod filled;
mod go;
mod lists;
mod plain;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use definitions::{PREFIXES, definitions, kinds_of, name_of, short_name};
pub use enums::values_of;
pub use lists::{ATOMIC_OBJECTS, ListRule, ListType, list_rule, map_is_atomic};

/// All object types that the built-in kinds reach.
#[derive(Debug)]
pub struct Schemas {
    objects: Vec<Object>,
    roots: HashMap<(String, String), ObjectId>,
}

/// Handle of an [`Object`] in its [`Schemas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId(u32);

/// A struct type.
#[derive(Debug)]
pub struct Object {
    /// OpenAPI definition name, such as `io.k8s.api.core.v1.Pod`.
    pub definition: Box<str>,
    /// Fields, sorted by name.
    fields: Box<[Field]>,
}

/// A field of an [`Object`].
#[derive(Debug)]
pub struct Field {
    /// Name in JSON.
    pub name: Box<str>,
    /// Its type.
    pub ty: Type,
    /// How a list or struct is merged.
    pub rule: ListRule,
    /// Whether Go has the field even when nobody sets it: it is required, or a struct that is no pointer.
    pub is_always: bool,
    /// Name of the Go type, when it is not the plain one of `ty`.
    pub go_type: Option<&'static str>,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// A struct with known fields.
    Object(ObjectId),
    /// An object with arbitrary keys.
    Map(Box<Type>),
    /// A list.
    List(Box<Type>),
    /// A value without structure of its own.
    Scalar(Scalar),
    /// Anything at all (`FieldsV1`, `RawExtension`).
    Any,
}

/// Types without structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// `string`
    String,
    /// `bool`
    Bool,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `float64`
    Double,
    /// `[]byte`, base64 in JSON
    Bytes,
    /// `intstr.IntOrString`
    IntOrString,
    /// `resource.Quantity`
    Quantity,
    /// `metav1.Time`: RFC 3339, whole seconds
    Time,
    /// `metav1.MicroTime`: RFC 3339 with microseconds
    MicroTime,
}

static BUILTIN: LazyLock<Schemas> = LazyLock::new(build::build);

impl Schemas {
    /// The schemas of the built-in kinds. The first call builds them (a few milliseconds).
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The type of a kind, for example `("apps/v1", "Deployment")`.
    pub fn root(&self, api_version: &str, kind: &str) -> Option<ObjectId> {
        self.roots.get(&(api_version.to_string(), kind.to_string())).copied()
    }

    /// `ObjectMeta`, which every kind shares.
    pub fn metadata(&self) -> Option<ObjectId> {
        let any = self.root("v1", "ConfigMap")?;
        match self.object(any).field("metadata")?.ty {
            Type::Object(id) => Some(id),
            _ => None,
        }
    }

    /// The struct behind a handle.
    pub fn object(&self, id: ObjectId) -> &Object {
        &self.objects[id.0 as usize]
    }

    /// All struct types.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// How Go names the type: `[]v1.Container`, `map[string]string`.
    pub fn go_name(&self, ty: &Type) -> String {
        match ty {
            Type::Object(id) => go::struct_name(&self.object(*id).definition),
            Type::Map(element) => format!("map[string]{}", self.go_name(element)),
            Type::List(element) => format!("[]{}", self.go_name(element)),
            Type::Scalar(scalar) => scalar.go_name().to_string(),
            Type::Any => "runtime.RawExtension".to_string(),
        }
    }
}

impl Object {
    /// The field of that JSON name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let found = self.fields.binary_search_by(|field| field.name.as_ref().cmp(name));
        found.ok().map(|index| &self.fields[index])
    }

    /// All fields, sorted by name.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Name of the Go struct without its package: `Container`.
    pub fn go_struct(&self) -> &str {
        self.definition.rsplit('.').next().unwrap_or(&self.definition)
    }
}

impl Scalar {
    /// How Go names the type.
    pub fn go_name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Double => "float64",
            Self::Bytes => "[]uint8",
            Self::IntOrString => "intstr.IntOrString",
            Self::Quantity => "resource.Quantity",
            Self::Time => "v1.Time",
            Self::MicroTime => "v1.MicroTime",
        }
    }
}
