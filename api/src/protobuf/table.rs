//! Which field of a message is which JSON member.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::numbers;

/// The type of a field, or of the elements of a list or map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// `keeps_zero`, here and below: the zero value is a value. In Go such a field is a pointer, or always written.
    Text {
        keeps_zero: bool,
    },
    Number {
        keeps_zero: bool,
    },
    Flag {
        keeps_zero: bool,
    },
    Float,
    Bytes,
    Time,
    MicroTime,
    IntOrString,
    Quantity,
    /// JSON in bytes: `RawExtension`, `FieldsV1`, `JSON`.
    Raw,
    /// A message that wraps a list of strings (`ExtraValue`).
    Texts,
    /// `JSONSchemaPropsOrArray`, `JSONSchemaPropsOrBool`, `JSONSchemaPropsOrStringArray`.
    SchemaOrList,
    SchemaOrFlag,
    SchemaOrTexts,
    /// Another message of the table.
    Message(usize),
}

/// How often a field may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Once,
    List,
    Map,
}

/// What stands in a field.
#[derive(Debug)]
pub(super) enum Content {
    /// A member of the JSON object.
    Member { name: &'static str, shape: Shape, of: Type },
    /// A message whose members stand in the same JSON object: embedded in Go, `inline` in JSON.
    Inline(Message),
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) content: Content,
}

/// The fields of a message, by number.
#[derive(Debug, Default)]
pub(super) struct Message(pub(super) Vec<Field>);

impl Message {
    pub(super) fn field(&self, number: u32) -> Option<&Content> {
        self.0.iter().find(|field| field.number == number).map(|field| &field.content)
    }
}

/// A message of the table, or the list of one, which is built of two fields wherever it occurs.
pub(super) enum Found {
    Object(&'static Message),
    List(Message),
}

impl std::ops::Deref for Found {
    type Target = Message;

    fn deref(&self) -> &Message {
        match self {
            Self::Object(message) => message,
            Self::List(message) => message,
        }
    }
}

/// All messages.
pub(super) struct Table {
    messages: Vec<Message>,
    /// Where the message of an API version and kind stands.
    kinds: HashMap<(&'static str, &'static str), usize>,
    list_meta: usize,
    /// `JSONSchemaProps`, which its own unions contain.
    pub(super) schema: usize,
}

static TABLE: LazyLock<Table> = LazyLock::new(numbers::parse);

/// Kinds of `meta.k8s.io/v1` that every group has, and means the same by.
const OF_EVERY_GROUP: [&str; 2] = ["DeleteOptions", "Status"];

/// The version of the messages in [`OF_EVERY_GROUP`], and of discovery documents.
const META: &str = "meta.k8s.io/v1";

impl Table {
    pub(super) fn get() -> &'static Self {
        &TABLE
    }

    pub(super) fn new(messages: Vec<Message>, kinds: HashMap<(&'static str, &'static str), usize>) -> Self {
        let of = |version, kind| kinds.get(&(version, kind)).copied().unwrap_or_default();
        let (list_meta, schema) = (of(META, "ListMeta"), of("apiextensions.k8s.io/v1", "JSONSchemaProps"));
        Self { messages, kinds, list_meta, schema }
    }

    pub(super) fn message(&'static self, index: usize) -> &'static Message {
        static NONE: Message = Message(Vec::new());
        self.messages.get(index).unwrap_or(&NONE)
    }

    /// The message that objects of the kind are; `None` for kinds that have no protobuf form.
    pub(super) fn message_of(&'static self, api_version: &str, kind: &str) -> Option<Found> {
        // Partial metadata is the same in both versions.
        let api_version = if api_version == "meta.k8s.io/v1beta1" { META } else { api_version };
        let index = |version: &str, kind: &str| self.kinds.get(&(version, kind)).copied();
        if let Some(index) = index(api_version, kind) {
            return Some(Found::Object(self.message(index)));
        }
        let discovery = api_version == "v1" && kind.starts_with("API");
        if discovery || OF_EVERY_GROUP.contains(&kind) {
            return index(META, kind).map(|index| Found::Object(self.message(index)));
        }
        let item = index(api_version, kind.strip_suffix("List")?)?;
        let member = |number, name, shape, index| Field {
            number,
            content: Content::Member { name, shape, of: Type::Message(index) },
        };
        let fields = [member(1, "metadata", Shape::Once, self.list_meta), member(2, "items", Shape::List, item)];
        Some(Found::List(Message(fields.into())))
    }
}
