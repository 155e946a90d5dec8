//! Steps of a path in `fieldsV1`: `f:name`, `k:{"name":"a"}`, `v:"x"`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    /// A field of a struct or a key of a map.
    Field(String),
    /// The element of a list with these key fields.
    Key(Map<String, Value>),
    /// An element of a set.
    Value(Value),
}

impl Element {
    pub(super) fn field(name: &str) -> Self {
        Self::Field(name.to_string())
    }

    /// The key in `fieldsV1`.
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => format!("k:{}", Value::Object(keys.clone())),
            Self::Value(value) => format!("v:{value}"),
        }
    }

    /// Reads a key of `fieldsV1`. Steps by index and whatever else may come are unknown to us.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_string())),
            "k" => serde_json::from_str(rest).ok().map(Self::Key),
            "v" => serde_json::from_str(rest).ok().map(Self::Value),
            _ => None,
        }
    }

    /// As error texts print it: `.spec`, `[name="a"]`, `[="x"]`.
    pub(super) fn display(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Key(keys) => {
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Self::Value(value) => format!("[={value}]"),
        }
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            _ => self.encode().cmp(&other.encode()),
        }
    }
}
