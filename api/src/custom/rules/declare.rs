//! Schemas as declarations of CEL values, with the sizes that cost estimates need (`k8s.io/apiserver/pkg/cel/common/schemas.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::cel::{Decl, DeclKind, FieldDecl, ListKind, MAX_REQUEST_BYTES, ObjectDecl, escape};
use crate::custom::schema::{Additional, Schema, SchemaType};

/// `""`
const MIN_STRING: u64 = 2;
/// `true`
const MIN_BOOL: u64 = 4;
/// `1`
const MIN_NUMBER: u64 = 1;
/// `"1s"`, without quotes
const MIN_DURATION: u64 = 1;
/// Longest duration, in JSON.
const MAX_DURATION: u64 = 32;
/// `"2006-01-02"`
const DATE: u64 = 12;
/// Shortest moment, in JSON.
const MIN_MOMENT: u64 = 21;
/// Longest moment, in JSON.
const MAX_MOMENT: u64 = 36;
/// Objects have no largest size that could be told.
const UNLIMITED: u64 = i64::MAX as u64;

/// What expressions see of a value of the schema; `None` when they can't see it. Roots of resources always have their type and
/// their names.
pub fn declare(schema: &Schema, is_root: bool) -> Option<Arc<Decl>> {
    decl(schema, is_root).map(Arc::new)
}

fn decl(schema: &Schema, is_root: bool) -> Option<Decl> {
    if schema.int_or_string {
        return Some(simple(DeclKind::Dyn, text_size(schema, 4), 1));
    }
    match schema.ty {
        SchemaType::Array => {
            let items = schema.items.as_ref()?;
            let element = declare(items, items.embedded)?;
            let fits = (MAX_REQUEST_BYTES - 2) / (element.min_size + 1);
            let max = limit(schema.checks.max_items).unwrap_or(fits);
            Some(simple(DeclKind::List(element, list_kind(&schema.list)), max, 2))
        }
        SchemaType::Object => object(schema, is_root),
        SchemaType::String => Some(text(schema)),
        SchemaType::Boolean => Some(simple(DeclKind::Bool, 0, MIN_BOOL)),
        SchemaType::Number => Some(simple(DeclKind::Double, 0, MIN_NUMBER)),
        SchemaType::Integer => Some(simple(DeclKind::Int, 0, MIN_NUMBER)),
        SchemaType::Any if is_root => object(schema, true),
        SchemaType::Any => None,
    }
}

fn simple(kind: DeclKind, max_elements: u64, min_size: u64) -> Decl {
    Decl { kind, max_elements, min_size }
}

fn limit(limit: Option<i64>) -> Option<u64> {
    limit.map(|limit| u64::try_from(limit).unwrap_or(0))
}

fn list_kind(kind: &ListKind) -> ListKind {
    kind.clone()
}

/// Bytes of a text: so many for each character that `maxLength` allows, or what fits in a request.
fn text_size(schema: &Schema, bytes_per_character: u64) -> u64 {
    match limit(schema.checks.max_length) {
        Some(characters) => characters.saturating_mul(bytes_per_character),
        None => MAX_REQUEST_BYTES - 2,
    }
}

fn text(schema: &Schema) -> Decl {
    match schema.checks.format.as_str() {
        "byte" => simple(DeclKind::Bytes, text_size(schema, 1), MIN_STRING),
        "duration" => simple(DeclKind::Duration, MAX_DURATION, MIN_DURATION),
        "date" => simple(DeclKind::Timestamp, DATE, DATE),
        "date-time" => simple(DeclKind::Timestamp, MAX_MOMENT, MIN_MOMENT),
        _ => {
            let choices = &schema.checks.choices;
            let longest = choices.iter().filter_map(Value::as_str).map(str::len).max().unwrap_or(0) as u64;
            let bounded = schema.checks.max_length.is_some() || choices.is_empty();
            simple(DeclKind::String, if bounded { text_size(schema, 4) } else { longest }, MIN_STRING)
        }
    }
}

fn object(schema: &Schema, is_root: bool) -> Option<Decl> {
    if let Additional::Schema(values) = &schema.additional {
        let value = declare(values, values.embedded)?;
        // A key, quotes, a colon and a comma stand beside each value.
        let fits = (MAX_REQUEST_BYTES - 2) / (value.min_size + 6);
        let max = limit(schema.checks.max_properties).unwrap_or(fits);
        return Some(simple(DeclKind::Map(value), max, 2));
    }
    let mut fields = BTreeMap::new();
    let mut min_size = 2;
    let required: BTreeSet<&String> = schema.checks.required.iter().collect();
    for (name, property) in &schema.properties {
        let Some(decl) = declare(property, property.embedded) else { continue };
        if required.contains(name) && property.default.is_none() {
            min_size += name.len() as u64 + decl.min_size + 4;
        }
        if let Some(escaped) = escape(name) {
            fields.insert(escaped, FieldDecl { json: name.clone(), decl });
        }
    }
    if is_root {
        add_type_and_metadata(&mut fields);
    }
    let object = ObjectDecl { name: "object".into(), fields };
    Some(simple(DeclKind::Object(Arc::new(object)), UNLIMITED, min_size))
}

/// `apiVersion`, `kind`, `metadata.name` and `metadata.generateName`, which every resource has.
fn add_type_and_metadata(fields: &mut BTreeMap<String, FieldDecl>) {
    let text = || Arc::new(simple(DeclKind::String, MAX_REQUEST_BYTES - 2, MIN_STRING));
    let field = |name: &str, decl| (name.to_string(), FieldDecl { json: name.to_string(), decl });
    let names = ["name", "generateName"].map(|name| field(name, text()));
    let metadata = ObjectDecl { name: "object".into(), fields: names.into() };
    let metadata = simple(DeclKind::Object(Arc::new(metadata)), UNLIMITED, 2);
    fields.extend([field("apiVersion", text()), field("kind", text()), field("metadata", Arc::new(metadata))]);
}
