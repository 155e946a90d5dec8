//! Whether a configuration is of its kind's shape, in the words of `structured-merge-diff`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::elements::{key_of, values};
use super::path::{Element, Trail};
use super::shape::{ScalarKind, Shape, Shaped};
use crate::patch::go_format;

/// Errors told at most; a configuration may have as many as it has fields.
const MAX_ERRORS: usize = 100;
/// Bytes of their texts, but for the last one.
const MAX_BYTES: usize = 1 << 20;

/// What is wrong with a configuration, as one text; `None` when nothing is.
pub(super) fn errors(root: &Shaped<'_>, config: &Value) -> Option<String> {
    let mut errors = Errors::default();
    check(root, config, &Trail::Root, &mut errors);
    match errors.texts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("errors:\n  {}", many.join("\n  "))),
    }
}

/// The errors so far.
#[derive(Default)]
struct Errors {
    texts: Vec<String>,
    bytes: usize,
}

impl Errors {
    fn is_full(&self) -> bool {
        self.texts.len() >= MAX_ERRORS || self.bytes >= MAX_BYTES
    }

    fn push(&mut self, path: &Trail<'_>, why: &str) {
        if self.is_full() {
            return;
        }
        let text = if path.is_root() { why.to_string() } else { format!("{path}: {why}") };
        self.bytes += text.len();
        self.texts.push(text);
    }
}

fn check(shaped: &Shaped<'_>, value: &Value, path: &Trail<'_>, errors: &mut Errors) {
    if value.is_null() || errors.is_full() {
        return;
    }
    match (shaped.shape(), value) {
        (Shape::Struct | Shape::Map, Value::Object(fields)) => {
            for (name, field) in fields {
                let path = path.field(name);
                match shaped.field(name) {
                    Some(shaped) => check(&shaped, field, &path, errors),
                    None => errors.push(&path, "field not declared in schema"),
                }
            }
        }
        (Shape::List(keys), Value::Array(items)) => {
            let (element, mut seen) = (shaped.element(), BTreeSet::new());
            for (index, item) in items.iter().enumerate() {
                match key_of(item, &keys) {
                    Ok(own) => {
                        if seen.contains(&own) {
                            errors.push(path, &duplicate(&own));
                        }
                        check(&element, item, &path.element(&own), errors);
                        seen.insert(own);
                    }
                    Err(key) => errors.push(path, &format!("element {index}: {}", no_key(key))),
                }
            }
        }
        (Shape::Set, Value::Array(_)) => {
            let mut seen = BTreeSet::<Element>::new();
            for (own, _) in values(value) {
                if seen.contains(&own) {
                    errors.push(path, &duplicate(&own));
                }
                seen.insert(own);
            }
        }
        (Shape::Struct | Shape::Map, found) if !matches!(shaped, Shaped::Deduced) => {
            errors.push(path, &format!("expected map, got &{{{}}}", go_format::format(found)));
        }
        (Shape::List(_) | Shape::Set, found) => {
            errors.push(path, &format!("expected list, got &{{{}}}", go_format::format(found)));
        }
        (Shape::Atom, found) => {
            if let Some(why) = not_atom(shaped, found) {
                errors.push(path, &why);
            }
        }
        _ => {}
    }
}

fn duplicate(own: &Element) -> String {
    format!("duplicate entries for key {}", own.display())
}

fn no_key(key: &str) -> String {
    format!("associative list with keys has an element that omits key field {key:?} (and doesn't have default value)")
}

fn not_atom(shaped: &Shaped<'_>, found: &Value) -> Option<String> {
    let text = || go_format::format(found);
    match (shaped.scalar(), shaped.atomic_container()) {
        (Some(ScalarKind::Numeric), _) if !found.is_number() => {
            Some(format!("expected numeric (int or float), got {}", go_format::type_of(found)))
        }
        (Some(ScalarKind::String), _) if !found.is_string() => {
            Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", go_syntax(found)))
        }
        (Some(ScalarKind::Boolean), _) if !found.is_boolean() => Some(format!("expected boolean, got &{{{}}}", text())),
        (Some(ScalarKind::Untyped), _) if found.is_object() || found.is_array() => {
            Some(format!("expected any scalar, got &{{{}}}", text()))
        }
        (_, Some(true)) if !found.is_array() => Some(format!("expected list, got &{{{}}}", text())),
        (_, Some(false)) if !found.is_object() => Some(format!("expected map, got &{{{}}}", text())),
        _ => None,
    }
}

/// `%#v`
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_string(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, field)| format!("{name:?}:{}", go_syntax(field))).collect();
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Schemas, Type};
    use serde_json::json;

    #[test]
    fn values_of_other_types_are_told_as_upstream_tells_them() {
        let schemas = Schemas::builtin();
        let root = Shaped::built_in(schemas, Type::Object(schemas.root("apps/v1", "Deployment").unwrap()));
        let of = |spec: Value| errors(&root, &json!({ "spec": spec }));
        for (spec, text) in [
            (json!({"replicas": "3"}), ".spec.replicas: expected numeric (int or float), got string"),
            (json!({"replicas": {}}), ".spec.replicas: expected numeric (int or float), got map[string]interface {}"),
            (json!({"paused": "yes"}), ".spec.paused: expected boolean, got &{yes}"),
            (json!({"strategy": []}), ".spec.strategy: expected map, got &{[]}"),
            (json!({"selector": "a"}), ".spec.selector: expected map, got &{a}"),
            (
                json!({"template": {"spec": {"tolerations": 1}}}),
                ".spec.template.spec.tolerations: expected list, got &{1}",
            ),
            (
                json!({"template": {"spec": {"containers": [{"name": "a", "env": [{"name": "E", "value": false}]}]}}}),
                ".spec.template.spec.containers[name=\"a\"].env[name=\"E\"].value: expected string, got \
                 &value.valueUnstructured{Value:false}",
            ),
            (
                json!({"a": 1, "b": 1}),
                "errors:\n  .spec.a: field not declared in schema\n  .spec.b: field not declared in schema",
            ),
        ] {
            assert_eq!(of(spec).as_deref(), Some(text));
        }
        assert_eq!(of(json!({"replicas": null, "paused": true})), None);
    }

    #[test]
    fn errors_are_bounded() {
        let schemas = Schemas::builtin();
        let root = Shaped::built_in(schemas, Type::Object(schemas.root("v1", "ConfigMap").unwrap()));
        let many: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("x{n}"), json!(1))).collect();
        let text = errors(&root, &json!({ "metadata": many })).unwrap();
        assert!(text.lines().count() <= 1 + 1000);
    }
}
