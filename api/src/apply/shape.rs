//! How a value is taken apart: the types of built-in kinds with their list and map rules applied, or the schema of a custom
//! kind with its `x-kubernetes-*` extensions.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::cel::ListKind;
use crate::custom::{Additional, Schema, SchemaType};
use crate::schema::{ATOMIC_OBJECTS, ListRule, ListType, ObjectId, Scalar, Schemas, Type, map_is_atomic, short_name};

/// Default of the only key field of a built-in kind that has one: `protocol` of container and service ports.
const DEFAULT_PROTOCOL: &str = "TCP";

/// A struct without content.
static NO_FIELDS: LazyLock<Value> = LazyLock::new(|| Value::Object(serde_json::Map::new()));

/// The scalars that upstream's schemas tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Numeric,
    String,
    Boolean,
    /// Any scalar will do: quantities and ports.
    Untyped,
}

impl ScalarKind {
    fn of(scalar: Scalar) -> Option<Self> {
        Some(match scalar {
            Scalar::Bool => Self::Boolean,
            Scalar::Int32 | Scalar::Int64 | Scalar::Double => Self::Numeric,
            Scalar::String | Scalar::Bytes => Self::String,
            Scalar::IntOrString | Scalar::Quantity | Scalar::Time | Scalar::MicroTime => Self::Untyped,
        })
    }
}

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

    /// What a field is in Go when nobody sets it, if it is there even then: structs that are no pointers, and lists and
    /// maps that are written when they are empty. Comparing such an object with one that has the field finds nothing
    /// added but what is in it.
    pub(super) fn zero(&self, name: &str) -> Option<&'static Value> {
        let Self::BuiltIn(BuiltIn { schemas, ty, .. }) = self else { return None };
        let Type::Object(id) = ty.as_ref() else { return None };
        let field = schemas.object(*id).field(name).filter(|field| field.is_always)?;
        Some(if matches!(field.ty, Type::Object(_)) { &NO_FIELDS } else { &Value::Null })
    }

    /// The fields of a struct that are structs themselves and always there.
    pub(super) fn always_structs(&self) -> Vec<&'s str> {
        let Self::BuiltIn(BuiltIn { schemas, ty, .. }) = self else { return Vec::new() };
        let Type::Object(id) = ty.as_ref() else { return Vec::new() };
        let fields = schemas.object(*id).fields().iter();
        let structs = fields.filter(|field| field.is_always && matches!(field.ty, Type::Object(_)));
        structs.map(|field| field.name.as_ref()).collect()
    }

    /// Whether the type is one of Go's.
    pub(super) fn is_built_in(&self) -> bool {
        matches!(self, Self::BuiltIn(_))
    }

    /// The scalar that this is, if the schema says so.
    pub(super) fn scalar(&self) -> Option<ScalarKind> {
        match self {
            Self::BuiltIn(built_in) => match built_in.ty.as_ref() {
                Type::Scalar(scalar) => ScalarKind::of(*scalar),
                _ => None,
            },
            Self::Custom(custom) if !custom.schema.int_or_string => match custom.schema.ty {
                SchemaType::String => Some(ScalarKind::String),
                SchemaType::Boolean => Some(ScalarKind::Boolean),
                SchemaType::Integer | SchemaType::Number => Some(ScalarKind::Numeric),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether this is an atomic list or map: `Some(true)` for a list.
    pub(super) fn atomic_container(&self) -> Option<bool> {
        match self {
            Self::BuiltIn(built_in) => match built_in.ty.as_ref() {
                Type::List(_) => Some(true),
                Type::Object(_) | Type::Map(_) => Some(false),
                _ => None,
            },
            Self::Custom(custom) if !custom.schema.int_or_string => match custom.schema.ty {
                SchemaType::Array => Some(true),
                SchemaType::Object => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The field of a struct or the value of a map, `None` for a field that a struct does not have.
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
        let Type::Object(id) = self.ty.as_ref() else { return Some(self.element()) };
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
