//! Defaults of a schema (`apiextensions-apiserver/pkg/apiserver/schema/defaulting`).

use serde_json::Value;

use super::schema::{Additional, Schema};

/// Fills what is absent and has a default. A field that is `null` though its schema is not `nullable` counts as absent, with a
/// default or without. Idempotent.
pub fn apply_defaults(value: &mut Value, schema: &Schema) {
    drop_nulls(value, schema);
    fill(value, schema);
}

fn fill(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                if let Some(default) = &property.default
                    && !fields.contains_key(name)
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, field) in fields.iter_mut() {
                match (schema.properties.get(name), &schema.additional) {
                    (Some(property), _) => fill(field, property),
                    (None, Additional::Schema(below)) => {
                        if field.is_null()
                            && !below.nullable
                            && let Some(default) = &below.default
                        {
                            *field = default.clone();
                        }
                        fill(field, below);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            let Some(below) = &schema.items else { return };
            for item in items {
                if item.is_null()
                    && !below.nullable
                    && let Some(default) = &below.default
                {
                    *item = default.clone();
                }
                fill(item, below);
            }
        }
        _ => {}
    }
}

/// Removes fields that are `null` though they may not be.
fn drop_nulls(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => fields.retain(|name, field| {
            let Some(below) = schema.property(name) else { return true };
            // In a map the key stays if there is a default to take the place of the value.
            let is_map = !schema.properties.contains_key(name);
            if field.is_null() && !below.nullable {
                return is_map && below.default.is_some();
            }
            drop_nulls(field, below);
            true
        }),
        Value::Array(items) => {
            if let Some(below) = &schema.items {
                items.iter_mut().for_each(|item| drop_nulls(item, below));
            }
        }
        _ => {}
    }
}
