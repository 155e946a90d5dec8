//! Declarations: what a schema promises about a value, and how large it can get.
//!
//! A declaration gives the checker a type, the evaluator the reading of JSON, and the cost estimate the sizes
//! (`k8s.io/apiserver/pkg/cel/types.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::types::Type;

/// What a value is, with the largest size it can have.
#[derive(Debug, Clone, PartialEq)]
pub struct Decl {
    /// The type.
    pub kind: DeclKind,
    /// Most bytes of a string, items of a list, or entries of a map that fit.
    pub max_elements: u64,
    /// Bytes that the smallest value takes in JSON.
    pub min_size: u64,
}

/// The type of a declared value.
#[derive(Debug, Clone, PartialEq)]
pub enum DeclKind {
    /// Anything (`x-kubernetes-int-or-string`).
    Dyn,
    /// `boolean`
    Bool,
    /// `integer`
    Int,
    /// `number`
    Double,
    /// `string`
    String,
    /// `string` in base64 (format `byte`)
    Bytes,
    /// `string` of format `date` or `date-time`
    Timestamp,
    /// `string` of format `duration`
    Duration,
    /// `array`
    List(Arc<Decl>, ListKind),
    /// `object` with `additionalProperties`
    Map(Arc<Decl>),
    /// `object` with `properties`
    Object(Arc<ObjectDecl>),
}

/// How elements of a list are told apart, which decides about `==` and `+`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ListKind {
    /// By position.
    #[default]
    Atomic,
    /// By value.
    Set,
    /// By these (unescaped) fields.
    Map(Arc<[String]>),
}

/// An object with known fields.
#[derive(Debug, PartialEq, Default)]
pub struct ObjectDecl {
    /// What error texts call it.
    pub name: String,
    /// Fields by the names that expressions use.
    pub fields: BTreeMap<String, FieldDecl>,
}

/// A field of an [`ObjectDecl`].
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDecl {
    /// Its name in JSON.
    pub json: String,
    /// What it holds.
    pub decl: Arc<Decl>,
}

/// Largest request that the API server reads, which bounds what no schema bounds.
pub const MAX_REQUEST_BYTES: u64 = 3 * 1024 * 1024;

impl Decl {
    /// A value without structure, as large as a request may be.
    pub fn dynamic() -> Arc<Self> {
        Arc::new(Self { kind: DeclKind::Dyn, max_elements: MAX_REQUEST_BYTES - 2, min_size: 1 })
    }

    /// The type that expressions see.
    pub fn ty(&self) -> Type {
        match &self.kind {
            DeclKind::Dyn => Type::Dyn,
            DeclKind::Bool => Type::Bool,
            DeclKind::Int => Type::Int,
            DeclKind::Double => Type::Double,
            DeclKind::String => Type::String,
            DeclKind::Bytes => Type::Bytes,
            DeclKind::Timestamp => Type::Timestamp,
            DeclKind::Duration => Type::Duration,
            DeclKind::List(element, _) => Type::list(element.ty()),
            DeclKind::Map(value) => Type::map(Type::String, value.ty()),
            DeclKind::Object(object) => Type::Object(Arc::clone(object)),
        }
    }

    /// What the elements of a list, or the values of a map, are.
    pub fn element(&self) -> Option<&Arc<Self>> {
        match &self.kind {
            DeclKind::List(element, _) | DeclKind::Map(element) => Some(element),
            _ => None,
        }
    }

    /// What a field is, by the name that expressions use.
    pub fn field(&self, name: &str) -> Option<&Arc<Self>> {
        match &self.kind {
            DeclKind::Object(object) => object.fields.get(name).map(|field| &field.decl),
            DeclKind::Map(value) => Some(value),
            _ => None,
        }
    }
}
