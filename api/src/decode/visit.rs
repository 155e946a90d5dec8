//! Documents read value by value: how deep they go, and which fields come twice.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::parse::MAX_DEPTH;

/// Duplicates remembered, for the reason of [`super::MAX_STRICT_ERRORS`].
const MAX_DUPLICATES: usize = 100;

/// Duplicates looked at before no more are remembered: each is compared with those that are known, and paths can be as
/// long as the document.
const MAX_COMPARED: usize = 1_000;

/// What a value has in a document besides its text, at least: a separator and a character.
const VALUE_BYTES: usize = 2;

/// What the visitors share: where they are, and what came twice.
#[derive(Default)]
pub(super) struct Found {
    path: RefCell<String>,
    duplicates: RefCell<Vec<String>>,
    compared: Cell<usize>,
    /// Bytes that the document may still come to, if it can come to more than its text has.
    room: Option<Cell<usize>>,
}

impl Found {
    /// For a document that may come to so many bytes.
    pub(super) fn within(bytes: usize) -> Self {
        Self { room: Some(Cell::new(bytes)), ..Self::default() }
    }

    /// Takes the room of a value with a text of that length.
    fn take<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        let Some(room) = &self.room else { return Ok(()) };
        let left = room.get().checked_sub(VALUE_BYTES + bytes);
        room.set(left.ok_or_else(|| E::custom("document contains excessive aliasing"))?);
        Ok(())
    }

    /// What reads a document from its top.
    pub(super) fn seed(&self) -> Seed<'_> {
        Seed { found: self, depth: 0 }
    }

    /// The paths of the fields that came twice.
    pub(super) fn into_duplicates(self) -> Vec<String> {
        self.duplicates.into_inner()
    }

    /// Runs `step` with the path extended, and takes the extension back.
    fn below<T>(&self, extend: impl FnOnce(&mut String), step: impl FnOnce() -> T) -> T {
        let length = self.path.borrow().len();
        extend(&mut self.path.borrow_mut());
        let result = step();
        self.path.borrow_mut().truncate(length);
        result
    }

    fn duplicate(&self) {
        let mut duplicates = self.duplicates.borrow_mut();
        let path = self.path.borrow();
        let compared = self.compared.get();
        if compared >= MAX_COMPARED || duplicates.len() >= MAX_DUPLICATES {
            return;
        }
        self.compared.set(compared + 1);
        if !duplicates.iter().any(|known| known == path.as_str()) {
            duplicates.push(path.clone());
        }
    }
}

/// Reads one value, at its depth.
#[derive(Clone, Copy)]
pub(super) struct Seed<'a> {
    found: &'a Found,
    depth: usize,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("exceeded max depth"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.found.take(0).map(|()| Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.found.take(0).map(|()| value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.found.take(0).map(|()| value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.found.take(0)?;
        let number = serde_json::Number::from_f64(value);
        number.map(Value::Number).ok_or_else(|| E::custom(format!("json: unsupported value: {value}")))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.found.take(value.len()).map(|()| Value::String(value.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        self.found.take(value.len()).map(|()| Value::String(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.found.take(0).map(|()| Value::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        self.found.take(0)?;
        let mut items = Vec::new();
        loop {
            let index = items.len();
            let extend = |path: &mut String| path.push_str(&format!("[{index}]"));
            match self.found.below(extend, || access.next_element_seed(inner))? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        self.found.take(0)?;
        let mut fields = Map::new();
        while let Some(key) = access.next_key_seed(Key)? {
            self.found.take(key.len())?;
            let extend = |path: &mut String| {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            };
            let value = self.found.below(extend, || {
                if fields.contains_key(&key) {
                    self.found.duplicate();
                }
                access.next_value_seed(inner)
            })?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

/// An object key; YAML has keys that are not strings.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar key")
    }

    fn visit_str<E>(self, key: &str) -> Result<String, E> {
        Ok(key.to_owned())
    }

    fn visit_string<E>(self, key: String) -> Result<String, E> {
        Ok(key)
    }

    fn visit_bool<E>(self, key: bool) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_i64<E>(self, key: i64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_u64<E>(self, key: u64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_f64<E>(self, key: f64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<String, E> {
        Err(E::custom("a mapping key can't be null"))
    }
}
