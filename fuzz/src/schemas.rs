//! Schemas for custom resources, and objects that nearly fit them.

use serde_json::{Map, Value, json};

use super::documents::{anything, text};
use super::supply::Supply;

/// Levels of a schema that is made up.
const MAX_DEPTH: usize = 5;

const NAMES: [&str; 8] = ["a", "b", "name", "x-y", "metadata", "spec", "port", "protocol"];
const FORMATS: [&str; 10] =
    ["int32", "int64", "date-time", "date", "duration", "byte", "ipv4", "cidr", "uuid", "int-or-string"];
const PATTERNS: [&str; 6] = ["^a*$", "^(a|b)+$", "[", "(?i)x", "^([a-z]{1,30}){1,30}$", "é"];
const RULES: [&str; 16] = [
    "true",
    "self == oldSelf",
    "self.a == self.b",
    "has(self.a)",
    "self.all(x, x != '')",
    "self.size() < 3",
    "self.all(k, self.exists(l, k == l))",
    "self.matches('^a+$')",
    "self >= 1",
    "self.name.startsWith('a')",
    "oldSelf.hasValue() || self.a == 1",
    "self.map(x, x + x).size() >= 0",
    "quantity(self).isLessThan(quantity('1'))",
    "self.x__dash__y == 'a'",
    "isURL(self)",
    "self in ['a', 'b']",
];

/// A definition with a schema; the rest is as it should be, mostly.
pub fn definition(supply: &mut Supply<'_>) -> Value {
    let mut properties = Map::new();
    properties.insert("spec".into(), schema(supply, MAX_DEPTH));
    if supply.once_in(2) {
        properties.insert("status".into(), schema(supply, 2));
    }
    let mut whole = json!({ "type": "object", "properties": properties });
    extend(supply, &mut whole, "object");
    let mut version = json!({
        "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": whole },
    });
    let extras = supply.byte();
    if extras & 1 != 0 {
        version["subresources"] = json!({ "status": {} });
    }
    if extras & 2 != 0 {
        version["subresources"]["scale"] = json!({
            "specReplicasPath": ".spec.a", "statusReplicasPath": ".status.a", "labelSelectorPath": ".status.name",
        });
    }
    if extras & 4 != 0 {
        let column = json!({ "name": "A", "type": "string", "jsonPath": json_path(supply) });
        version["additionalPrinterColumns"] = json!([column]);
    }
    if extras & 8 != 0 {
        version["selectableFields"] = json!([{ "jsonPath": json_path(supply) }]);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced", "conversion": { "strategy": "None" },
            "names": { "plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList" },
            "versions": [version],
        },
        "status": { "storedVersions": ["v1"], "conditions": [], "acceptedNames": { "plural": "", "kind": "" } },
    })
}

fn json_path(supply: &mut Supply<'_>) -> String {
    let known =
        [".spec.a", ".spec.name", ".metadata.labels['a/b']", ".spec.a[0].b", ".spec.a[?(@.b=='x')].name", ".spec..a"];
    if supply.once_in(4) { format!(".{}", text(supply)) } else { (*supply.pick(&known)).to_string() }
}

fn schema(supply: &mut Supply<'_>, depth: usize) -> Value {
    let types = ["object", "string", "integer", "array", "boolean", "number", ""];
    let ty = *supply.pick(&types[if depth == 0 { 4 } else { 0 }..]);
    let mut schema = Map::new();
    if !ty.is_empty() {
        schema.insert("type".into(), json!(ty));
    }
    match ty {
        "object" => {
            if supply.once_in(3) {
                schema.insert("additionalProperties".into(), self::schema(supply, depth - 1));
            } else {
                let properties: Map<_, _> = (0..supply.below(4))
                    .map(|_| ((*supply.pick(&NAMES)).to_string(), self::schema(supply, depth - 1)))
                    .collect();
                schema.insert("properties".into(), properties.into());
            }
        }
        "array" => {
            schema.insert("items".into(), self::schema(supply, depth - 1));
        }
        "" if supply.once_in(2) => {
            schema.insert("x-kubernetes-int-or-string".into(), json!(true));
        }
        "" => {
            schema.insert("x-kubernetes-preserve-unknown-fields".into(), json!(true));
        }
        _ => {}
    }
    let mut schema = Value::Object(schema);
    extend(supply, &mut schema, ty);
    schema
}

/// Adds checks and extensions.
fn extend(supply: &mut Supply<'_>, schema: &mut Value, ty: &str) {
    for _ in 0..supply.below(4) {
        let (name, value) = match supply.below(24) {
            0 => ("nullable", json!(true)),
            1 => ("default", fitting(supply, schema, 3)),
            2 => ("default", anything(supply, 2)),
            3 => ("enum", (0..supply.below(3)).map(|_| fitting(supply, schema, 1)).collect()),
            4 => ("format", json!(supply.pick(&FORMATS))),
            5 => ("pattern", json!(supply.pick(&PATTERNS))),
            6 => ("required", (0..supply.below(3)).map(|_| json!(supply.pick(&NAMES))).collect()),
            7 => ("maxLength", json!(supply.below(20))),
            8 => ("maxItems", json!(supply.below(10))),
            9 => ("maxProperties", json!(supply.below(10))),
            10 => ("minimum", json!(supply.integer())),
            11 => ("maximum", json!(supply.integer() as f64 / 8.0)),
            12 => ("multipleOf", json!(supply.integer() as f64 / 4.0)),
            13 => ("uniqueItems", json!(true)),
            14 => ("x-kubernetes-list-type", json!(supply.pick(&["map", "set", "atomic"]))),
            15 => ("x-kubernetes-list-map-keys", json!([supply.pick(&NAMES)])),
            16 => ("x-kubernetes-map-type", json!(supply.pick(&["atomic", "granular"]))),
            17 => ("x-kubernetes-embedded-resource", json!(true)),
            18 => ("x-kubernetes-preserve-unknown-fields", json!(true)),
            19 => ("x-kubernetes-validations", rules(supply)),
            20 => ("anyOf", json!([checks(supply, ty), checks(supply, ty)])),
            21 => ("oneOf", json!([checks(supply, ty), checks(supply, ty)])),
            22 => ("allOf", json!([checks(supply, ty)])),
            _ => ("not", checks(supply, ty)),
        };
        schema[name] = value;
    }
}

fn rules(supply: &mut Supply<'_>) -> Value {
    let mut rule = json!({ "rule": supply.pick(&RULES) });
    match supply.below(4) {
        0 => rule["message"] = json!("no"),
        1 => rule["messageExpression"] = json!("'no ' + string(self)"),
        2 => rule["optionalOldSelf"] = json!(true),
        _ => rule["fieldPath"] = json!(".a"),
    }
    json!([rule])
}

/// A schema that says nothing of types, as those in `anyOf` have to.
fn checks(supply: &mut Supply<'_>, ty: &str) -> Value {
    match (ty, supply.below(3)) {
        ("object", 0) => json!({ "required": [supply.pick(&NAMES)] }),
        ("object", _) => json!({ "properties": { *supply.pick(&NAMES): { "enum": [anything(supply, 0)] } } }),
        ("array", _) => json!({ "minItems": supply.below(3) }),
        ("string", 0) => json!({ "pattern": supply.pick(&PATTERNS) }),
        ("string", _) => json!({ "format": supply.pick(&FORMATS) }),
        ("", _) => json!({ "type": supply.pick(&["integer", "string"]) }),
        _ => json!({ "maximum": supply.integer() }),
    }
}

/// A value that fits a schema, but for what goes wrong.
pub fn fitting(supply: &mut Supply<'_>, schema: &Value, depth: usize) -> Value {
    if depth == 0 || supply.once_in(16) {
        return anything(supply, 1);
    }
    if let Some(choice) = schema["enum"].as_array().filter(|choices| !choices.is_empty()) {
        return supply.pick(choice).clone();
    }
    match schema["type"].as_str().unwrap_or_default() {
        "object" => {
            let mut object = Map::new();
            for (name, below) in schema["properties"].as_object().into_iter().flatten() {
                if !supply.once_in(4) {
                    object.insert(name.clone(), fitting(supply, below, depth - 1));
                }
            }
            if schema["additionalProperties"].is_object() || supply.once_in(8) {
                let below = &schema["additionalProperties"];
                (0..supply.below(4)).for_each(|_| drop(object.insert(text(supply), fitting(supply, below, depth - 1))));
            }
            Value::Object(object)
        }
        "array" => (0..supply.below(4)).map(|_| fitting(supply, &schema["items"], depth - 1)).collect(),
        "string" => json!(text(supply)),
        "integer" => json!(supply.integer()),
        "number" => json!(supply.integer() as f64 / 8.0),
        "boolean" => json!(supply.once_in(2)),
        _ => anything(supply, 2),
    }
}
