//! What rules cost when they run.

mod containers;
mod objects;
mod simple;

use super::*;
use crate::cel::Value as Cel;
use crate::custom::rules::compile_rule;

/// Type of a property by a short name.
fn ty(name: &str) -> Value {
    match name {
        "date" | "date-time" | "duration" | "byte" => json!({ "type": "string", "format": name }),
        "any" => json!({ "x-kubernetes-preserve-unknown-fields": true }),
        "int-or-string" => json!({ "x-kubernetes-int-or-string": true }),
        _ => json!({ "type": name }),
    }
}

fn objects(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

fn lists(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn sets(items: Value) -> Value {
    json!({ "type": "array", "x-kubernetes-list-type": "set", "items": items })
}

fn map_lists(keys: &[&str], items: Value) -> Value {
    json!({ "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys, "items": items })
}

fn maps(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

/// `val1`, `val2` … of these types.
fn vals(types: &[&str]) -> Value {
    objects(types.iter().enumerate().map(|(index, name)| (format!("val{}", index + 1), ty(name))).collect())
}

fn objs(values: Value) -> Value {
    let values = values.as_array().unwrap().iter().enumerate();
    values.map(|(index, value)| (format!("val{}", index + 1), value.clone())).collect()
}

fn alike(literal: &str) -> String {
    format!("self.val1 == self.val2 && self.val1 == {literal} && self.val2 == {literal}")
}

/// Checks that rules, one a line with its cost before it, are true of the object and cost that much. `= LITERAL` stands for a rule
/// that both values of the object are this.
fn check(schema: &Value, object: &Value, rules: &str) {
    let schema = Schema::parse(schema).unwrap();
    let decl = declare(&schema, true).unwrap();
    for line in rules.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (wanted, source) = line.split_once(' ').unwrap();
        let rule = source.strip_prefix("= ").map_or_else(|| source.to_string(), alike);
        let compiled = compile_rule(&Rule { rule, ..Rule::default() }, &schema, &decl);
        let program = compiled.program.unwrap_or_else(|error| panic!("{source}: {error}"));
        let outcome = program.eval(vec![("self", Cel::read(object, &decl))], PER_CALL_LIMIT);
        assert!(matches!(outcome.value, Ok(Cel::Bool(true))), "{source}: {:?}", outcome.value);
        assert_eq!(outcome.cost.to_string(), wanted, "{source}");
    }
}
