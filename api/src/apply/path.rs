//! Steps of a path in `fieldsV1`: `f:name`, `k:{"name":"a"}`, `v:"x"`, `i:3`.

use std::fmt;

use serde_json::{Map, Value};

/// One step from a value to a part of it. Keys and values are kept as JSON text, which is what they are compared and
/// written as. Steps of different sorts are in the order of upstream: fields first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    /// A field of a struct or a key of a map.
    Field(String),
    /// The element of a list with these key fields: an object with sorted names.
    Key(String),
    /// An element of a set.
    Value(String),
    /// An element by its place. Nothing here makes such steps; they are kept where they come.
    Index(i64),
}

impl Element {
    pub(super) fn field(name: &str) -> Self {
        Self::Field(name.to_string())
    }

    pub(super) fn key(keys: Map<String, Value>) -> Self {
        Self::Key(Value::Object(keys).to_string())
    }

    pub(super) fn value(value: &Value) -> Self {
        Self::Value(value.to_string())
    }

    /// The key in `fieldsV1`.
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => format!("k:{keys}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// Reads a key of `fieldsV1`. Whatever steps may come later are unknown to us.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::field(rest)),
            "k" => serde_json::from_str(rest).ok().map(Self::key),
            "v" => serde_json::from_str::<Value>(rest).ok().map(|value| Self::value(&value)),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    /// As error texts print it: `.spec`, `[name="a"]`, `[="x"]`.
    pub(super) fn display(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Key(keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Self::Value(value) => format!("[={value}]"),
            Self::Index(index) => format!("[{index}]"),
        }
    }
}

/// Where in an object somebody is. It is written out only where it is told: a key may be as long as the object, and
/// what is below it very much.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trail<'t> {
    /// At the top.
    Root,
    /// In a field, or an entry of a map.
    Field(&'t Trail<'t>, &'t str),
    /// In an element of a list.
    Element(&'t Trail<'t>, &'t Element),
}

impl<'t> Trail<'t> {
    pub(super) fn field(&'t self, name: &'t str) -> Self {
        Self::Field(self, name)
    }

    pub(super) fn element(&'t self, element: &'t Element) -> Self {
        Self::Element(self, element)
    }

    pub(super) fn is_root(&self) -> bool {
        matches!(self, Self::Root)
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(above, name) => write!(f, "{above}.{name}"),
            Self::Element(above, element) => write!(f, "{above}{}", element.display()),
        }
    }
}
