//! How a value is taken apart: the schema's types with their list and map rules applied.

use std::borrow::Cow;

use crate::schema::{ATOMIC_OBJECTS, ListRule, ListType, ObjectId, Schemas, Type, map_is_atomic, short_name};

/// What a value is, for ownership.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'s> {
    /// One thing: scalars, and structs, maps and lists that are replaced as a whole.
    Atom,
    /// A struct.
    Struct(ObjectId),
    /// A map with elements of this type.
    Map(&'s Type),
    /// A list of structs with these key fields.
    List(&'s Type, &'static [&'static str]),
    /// A list of scalars.
    Set,
}

/// A type together with the rules of the field that it stands in.
#[derive(Debug, Clone)]
pub(super) struct Shaped<'s> {
    schemas: &'s Schemas,
    ty: Cow<'s, Type>,
    rule: ListRule,
    atomic_map: bool,
}

impl Shaped<'static> {
    /// A whole object.
    pub(super) fn root(schemas: &'static Schemas, ty: Type) -> Self {
        Self { schemas, ty: Cow::Owned(ty), rule: ListRule::ATOMIC, atomic_map: false }
    }
}

impl<'s> Shaped<'s> {
    pub(super) fn shape(&self) -> Shape<'_> {
        match self.ty.as_ref() {
            Type::Object(id) if !self.is_atomic(*id) => Shape::Struct(*id),
            Type::Map(element) if !self.atomic_map => Shape::Map(element),
            Type::List(element) => match self.rule.list {
                ListType::Atomic => Shape::Atom,
                ListType::Set => Shape::Set,
                ListType::Map(keys) => Shape::List(element, keys),
            },
            _ => Shape::Atom,
        }
    }

    /// Whether this is a list whose elements have owners of their own.
    pub(super) fn has_elements(&self) -> bool {
        matches!(self.shape(), Shape::List(..) | Shape::Set)
    }

    fn is_atomic(&self, id: ObjectId) -> bool {
        ATOMIC_OBJECTS.contains(&short_name(&self.schemas.object(id).definition))
    }

    /// The field of a struct, `None` when it has no such field.
    pub(super) fn field(&self, id: ObjectId, name: &str) -> Option<Shaped<'s>> {
        let object = self.schemas.object(id);
        let field = object.field(name)?;
        let atomic_map = map_is_atomic(short_name(&object.definition), name);
        Some(Shaped { schemas: self.schemas, ty: Cow::Borrowed(&field.ty), rule: field.rule, atomic_map })
    }

    /// An element of a list or map.
    pub(super) fn element(&self, ty: &Type) -> Shaped<'s> {
        Shaped { schemas: self.schemas, ty: Cow::Owned(ty.clone()), rule: ListRule::ATOMIC, atomic_map: false }
    }
}
