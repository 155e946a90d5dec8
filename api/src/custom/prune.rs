//! Pruning: fields that the schema does not know are dropped (`apiextensions-apiserver/pkg/apiserver/schema/pruning`).

use serde_json::Value;

use super::schema::{Additional, Schema};

/// Fields reported at most; Go has the same limit for strict decoding.
const MAX_REPORTED: usize = 100;
/// Fields of an embedded resource that its schema need not name.
const TYPE_AND_METADATA: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops unknown fields. Returns their paths, in the spelling of strict decoding: `spec.list[0].field`.
///
/// `is_root`: the value is a whole resource, whose `apiVersion`, `kind` and `metadata` are known by themselves.
pub fn prune(value: &mut Value, schema: &Schema, is_root: bool) -> Vec<String> {
    let mut pruner = Pruner { unknown: Vec::new(), path: String::new() };
    pruner.value(value, Some(schema), is_root || schema.embedded, schema.keeps_unknown());
    pruner.unknown
}

struct Pruner {
    unknown: Vec<String>,
    path: String,
}

impl Pruner {
    /// `keep`: unknown fields stay, here and where no schema says otherwise below.
    fn value(&mut self, value: &mut Value, schema: Option<&Schema>, is_resource: bool, keep: bool) {
        match value {
            Value::Object(fields) => fields.retain(|name, field| self.field(name, field, schema, is_resource, keep)),
            Value::Array(items) => {
                let items_schema = schema.and_then(|schema| schema.items.as_deref());
                for (index, item) in items.iter_mut().enumerate() {
                    let length = self.path.len();
                    self.path.push_str(&format!("[{index}]"));
                    self.descend(item, items_schema, keep);
                    self.path.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn descend(&mut self, value: &mut Value, schema: Option<&Schema>, keep: bool) {
        match schema {
            // Whoever keeps unknown fields keeps them down to where a schema knows better.
            Some(schema) => self.value(value, Some(schema), schema.embedded, schema.keeps_unknown()),
            None if keep => {}
            None => self.value(value, None, false, false),
        }
    }

    /// Whether the field stays.
    fn field(&mut self, name: &str, value: &mut Value, schema: Option<&Schema>, is_resource: bool, keep: bool) -> bool {
        if is_resource && TYPE_AND_METADATA.contains(&name) {
            // Metadata is read as ObjectMeta, which knows its fields.
            return true;
        }
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let property = schema.and_then(|schema| schema.properties.get(name)).map(AsRef::as_ref);
        let stays = match (property, schema.map(|schema| &schema.additional)) {
            (Some(property), _) => {
                self.descend(value, Some(property), keep);
                true
            }
            (None, Some(Additional::Schema(below))) => {
                self.descend(value, Some(below), keep);
                true
            }
            _ if keep => true,
            _ => {
                if self.unknown.len() < MAX_REPORTED {
                    self.unknown.push(self.path.clone());
                }
                false
            }
        };
        self.path.truncate(length);
        stays
    }
}
