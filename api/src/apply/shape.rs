//! How a value is taken apart: the types of built-in kinds with their list and map rules applied, or the schema of a custom
//! kind with its `x-kubernetes-*` extensions.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::cel::ListKind;
use crate::custom::{Additional, Schema, SchemaType};
use crate::schema::{ATOMIC_OBJECTS, ListRule, ListType, ObjectId, Schemas, Type, map_is_atomic, short_name};

/// Default of the only key field of a built-in kind that has one: `protocol` of container and service ports.
const DEFAULT_PROTOCOL: &str = "TCP";

/// What a value is, for ownership.
#[derive(Debug, Clone)]
pub(super) enum Shape<'s> {
    /// One thing: scalars, and structs, maps and lists that are replaced as a whole.
    Atom,
    /// A struct.
    Struct,
    /// A map.
    Map,
    /// A list of structs with these key fields.
    List(Vec<Key<'s>>),
    /// A list of scalars.
    Set,
}

/// A field that tells elements of a list apart.
#[derive(Debug, Clone)]
pub(super) struct Key<'s> {
    pub(super) name: &'s str,
    /// What it is where it is absent.
    pub(super) default: Option<Cow<'s, Value>>,
}

/// A type together with the rules of the field that it stands in.
#[derive(Debug, Clone)]
pub(super) enum Shaped<'s> {
    /// Of a built-in kind.
    BuiltIn(BuiltIn<'s>),
    /// Of a custom kind.
    Custom(Custom<'s>),
    /// Nothing is known: maps have members, everything else is one thing.
    Deduced,
    /// One thing.
    Atom,
}

/// A type of a built-in kind.
#[derive(Debug, Clone)]
pub(super) struct BuiltIn<'s> {
    schemas: &'s Schemas,
    ty: Cow<'s, Type>,
    rule: ListRule,
    atomic_map: bool,
}

/// A node of a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Custom<'s> {
    schema: &'s Schema,
    /// A whole resource, whose type and metadata no schema needs to name.
    is_resource: bool,
}

impl<'s> Shaped<'s> {
    /// A whole object of a built-in kind.
    pub(super) fn built_in(schemas: &'s Schemas, ty: Type) -> Self {
        Self::BuiltIn(BuiltIn { schemas, ty: Cow::Owned(ty), rule: ListRule::ATOMIC, atomic_map: false })
    }

    /// A whole object of a custom kind.
    pub(super) fn custom(schema: &'s Schema) -> Self {
        Self::Custom(Custom { schema, is_resource: true })
    }

    pub(super) fn shape(&self) -> Shape<'_> {
        match self {
            Self::BuiltIn(built_in) => built_in.shape(),
            Self::Custom(custom) => custom.shape(),
            Self::Deduced => Shape::Map,
            Self::Atom => Shape::Atom,
        }
    }

    /// Whether this is a list whose elements have owners of their own.
    pub(super) fn has_elements(&self) -> bool {
        matches!(self.shape(), Shape::List(..) | Shape::Set)
    }

    /// The field of a struct, `None` when it has no such field.
    pub(super) fn field(&self, name: &str) -> Option<Shaped<'s>> {
        match self {
            Self::BuiltIn(built_in) => built_in.field(name),
            Self::Custom(custom) => custom.field(name),
            Self::Deduced => Some(Self::Deduced),
            Self::Atom => None,
        }
    }

    /// An element of a list or map.
    pub(super) fn element(&self) -> Shaped<'s> {
        match self {
            Self::BuiltIn(built_in) => built_in.element(),
            Self::Custom(custom) => custom.element(),
            Self::Deduced => Self::Deduced,
            Self::Atom => Self::Atom,
        }
    }
}

impl<'s> BuiltIn<'s> {
    fn shape(&self) -> Shape<'_> {
        match self.ty.as_ref() {
            Type::Object(id) if !self.is_atomic(*id) => Shape::Struct,
            Type::Map(_) if !self.atomic_map => Shape::Map,
            Type::List(_) => match self.rule.list {
                ListType::Atomic => Shape::Atom,
                ListType::Set => Shape::Set,
                ListType::Map(keys) => Shape::List(keys.iter().map(|name| key(name)).collect()),
            },
            _ => Shape::Atom,
        }
    }

    fn is_atomic(&self, id: ObjectId) -> bool {
        ATOMIC_OBJECTS.contains(&short_name(&self.schemas.object(id).definition))
    }

    fn field(&self, name: &str) -> Option<Shaped<'s>> {
        let Type::Object(id) = self.ty.as_ref() else { return None };
        let object = self.schemas.object(*id);
        let field = object.field(name)?;
        let atomic_map = map_is_atomic(short_name(&object.definition), name);
        let ty = Cow::Borrowed(&field.ty);
        Some(Shaped::BuiltIn(Self { schemas: self.schemas, ty, rule: field.rule, atomic_map }))
    }

    fn element(&self) -> Shaped<'s> {
        match self.ty.as_ref() {
            Type::Map(element) | Type::List(element) => Shaped::built_in(self.schemas, element.as_ref().clone()),
            _ => Shaped::Atom,
        }
    }
}

fn key<'s>(name: &'s str) -> Key<'s> {
    let default = (name == "protocol").then(|| Cow::Owned(json!(DEFAULT_PROTOCOL)));
    Key { name, default }
}

impl<'s> Custom<'s> {
    fn shape(&self) -> Shape<'s> {
        let schema = self.schema;
        let is_map = schema.properties.is_empty() && matches!(schema.additional, Additional::Schema(_));
        match schema.ty {
            _ if schema.int_or_string => Shape::Atom,
            SchemaType::Object if schema.atomic_map => Shape::Atom,
            SchemaType::Object if is_map => Shape::Map,
            SchemaType::Object => Shape::Struct,
            SchemaType::Any if schema.preserve => Shape::Map,
            SchemaType::Array => match &schema.list {
                ListKind::Atomic => Shape::Atom,
                ListKind::Set => Shape::Set,
                ListKind::Map(keys) => Shape::List(keys.iter().map(|name| self.key(name)).collect()),
            },
            _ => Shape::Atom,
        }
    }

    fn key(&self, name: &'s str) -> Key<'s> {
        let property = self.schema.items.as_ref().and_then(|items| items.properties.get(name));
        Key { name, default: property.and_then(|property| property.default.as_ref()).map(Cow::Borrowed) }
    }

    fn field(&self, name: &str) -> Option<Shaped<'s>> {
        if self.is_resource {
            match name {
                "apiVersion" | "kind" => return Some(Shaped::Atom),
                "metadata" => return Some(metadata()),
                _ => {}
            }
        }
        match self.schema.property(name) {
            Some(below) => Some(Self::node(below)),
            None => self.schema.keeps_unknown().then_some(Shaped::Deduced),
        }
    }

    fn node(schema: &'s Schema) -> Shaped<'s> {
        Shaped::Custom(Self { schema, is_resource: schema.embedded })
    }

    fn element(&self) -> Shaped<'s> {
        match (self.schema.ty, &self.schema.items, &self.schema.additional) {
            (SchemaType::Array, Some(items), _) => Self::node(items),
            (SchemaType::Object, _, Additional::Schema(below)) => Self::node(below),
            _ => Shaped::Deduced,
        }
    }
}

/// ObjectMeta, which is the same for every kind.
fn metadata<'s>() -> Shaped<'s> {
    let schemas = Schemas::builtin();
    match schemas.metadata() {
        Some(id) => Shaped::built_in(schemas, Type::Object(id)),
        None => Shaped::Deduced,
    }
}
