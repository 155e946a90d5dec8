//! Values against schemas, and what rules make of them.

use super::*;

/// Errors of an object whose spec has this schema.
fn errors(schema: Value, spec: Value) -> Vec<String> {
    lines(&row(&definition(schema)).create_errors(&object(spec)))
}

#[test]
fn values_are_validated_with_kubernetes_texts() {
    for (schema, value, wanted) in [
        (
            json!({"type": "integer"}),
            json!("x"),
            "spec.f: Invalid value: \"string\": spec.f in body must be of type integer: \"string\"",
        ),
        (
            json!({"type": "integer"}),
            json!(1.5),
            "spec.f: Invalid value: \"number\": spec.f in body must be of type integer: \"number\"",
        ),
        (
            json!({"type": "object", "properties": {"x": {"type": "string"}}}),
            json!([]),
            "spec.f: Invalid value: \"array\": spec.f in body must be of type object: \"array\"",
        ),
        (
            json!({"type": "string", "pattern": "^[a-z]+$"}),
            json!("A"),
            "spec.f: Invalid value: \"A\": spec.f in body should match '^[a-z]+$'",
        ),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("x"),
            "spec.f: Unsupported value: \"x\": supported values: \"a\", \"b\"",
        ),
        (
            json!({"type": "string", "minLength": 2}),
            json!("x"),
            "spec.f: Invalid value: \"x\": spec.f in body should be at least 2 chars long",
        ),
        (json!({"type": "string", "maxLength": 2}), json!("xyz"), "spec.f: Too long: may not be more than 2 bytes"),
        (
            json!({"type": "string", "format": "date-time"}),
            json!("x"),
            "spec.f: Invalid value: \"x\": spec.f in body must be of type date-time: \"x\"",
        ),
        (
            json!({"type": "integer", "maximum": 3}),
            json!(4),
            "spec.f: Invalid value: 4: spec.f in body should be less than or equal to 3",
        ),
        (
            json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}),
            json!(3),
            "spec.f: Invalid value: 3: spec.f in body should be greater than 3",
        ),
        (
            json!({"type": "integer", "multipleOf": 2}),
            json!(3),
            "spec.f: Invalid value: 3: spec.f in body should be a multiple of 2",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}),
            json!(["a", "b"]),
            "spec.f: Too many: 2: must have at most 1 item",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
            json!([]),
            "spec.f: Invalid value: 0: spec.f in body should have at least 1 items",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}}),
            json!([1]),
            "spec.f[0]: Invalid value: \"integer\": spec.f[0] in body must be of type string: \"integer\"",
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1}),
            json!({"a": "", "b": ""}),
            "spec.f: Too many: 2: must have at most 1 item",
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!(true),
            "spec.f: Invalid value: \"boolean\": spec.f in body must be of type integer,string: \"boolean\"",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
            json!({}),
            "spec.f.a: Required value",
        ),
        (
            json!({"type": "string", "not": {"pattern": "x"}}),
            json!("x"),
            "<nil>: Invalid value: \"\": \"spec.f\" must not validate the schema (not)",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
            json!(["a", "a"]),
            "spec.f[1]: Duplicate value: \"a\"",
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!(5),
            "spec.f: Invalid value: \"int64\": spec.f in body must be of type date-time: \"int64\"",
        ),
        (
            json!({"type": "integer"}),
            json!(9_223_372_036_854_775_808_u64),
            "spec.f: Invalid value: \"number\": spec.f in body must be of type integer: \"number\"",
        ),
        (
            json!({"type": "string"}),
            json!(1.0),
            "spec.f: Invalid value: \"number\": spec.f in body must be of type string: \"number\"",
        ),
        (
            json!({"type": "number", "maximum": 1_000_000.0}),
            json!(2_000_000.5),
            "spec.f: Invalid value: 2000000.5: spec.f in body should be less than or equal to 1e+06",
        ),
        (
            json!({"type": "integer", "maximum": 1_000_000}),
            json!(1_000_001),
            "spec.f: Invalid value: 1000001: spec.f in body should be less than or equal to 1000000",
        ),
        (
            json!({"type": "string", "maxLength": 1, "pattern": "^x$"}),
            json!("yy"),
            "spec.f: Too long: may not be more than 1 bytes",
        ),
        (
            json!({"type": "object", "minProperties": 2, "required": ["b"], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}),
            json!({"a": "x"}),
            "spec.f: Invalid value: 2: spec.f in body should have at least 2 properties",
        ),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            Value::Null,
            "spec.f: Unsupported value: \"null\": supported values: \"a\"",
        ),
        (
            json!({"type": "integer", "enum": [1, 2]}),
            json!(3),
            "spec.f: Unsupported value: 3: supported values: \"1\", \"2\"",
        ),
    ] {
        assert_eq!(errors(spec_of(json!({ "f": schema })), json!({ "f": value })), [wanted], "{schema}");
    }
    let one_of = json!({"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]});
    assert_eq!(
        errors(spec_of(json!({"f": one_of.clone()})), json!({"f": "ab"})),
        [
            "<nil>: Invalid value: \"\": \"spec.f\" must validate one and only one schema (oneOf). Found 2 valid alternatives"
        ]
    );
    assert_eq!(errors(spec_of(json!({"f": one_of})), json!({"f": "c"})).len(), 2, "with the error of an alternative");
    let all_of = json!({"type": "string", "allOf": [{"pattern": "a"}, {"minLength": 2}], "enum": ["x"]});
    assert_eq!(
        errors(spec_of(json!({"f": all_of})), json!({"f": "b"})),
        [
            "spec.f: Invalid value: \"b\": spec.f in body should match 'a'",
            "spec.f: Invalid value: \"b\": spec.f in body should be at least 2 chars long",
            "<nil>: Invalid value: \"\": \"spec.f\" must validate all the schemas (allOf). None validated",
            "spec.f: Unsupported value: \"b\": supported values: \"x\"",
        ]
    );
    // Nobody checks the formats of numbers, nor those that are not known.
    let unchecked =
        json!({"a": {"type": "integer", "format": "int32"}, "b": {"type": "string", "format": "unheard-of"}});
    assert_eq!(errors(spec_of(unchecked), json!({"a": 2_147_483_648_i64, "b": "x"})), [""; 0]);
}

#[test]
fn rules_wait_for_objects_of_the_right_shape() {
    let schema = json!({
        "type": "object", "required": ["a"],
        "properties": { "a": { "type": "string", "maxLength": 3, "pattern": "^x" } },
        "x-kubernetes-validations": [{ "rule": "false", "message": "no" }],
    });
    let unchecked = "<nil>: Invalid value: \"null\": some validation rules were not checked because the object was invalid; \
                     correct the existing errors to complete validation";
    assert_eq!(errors(schema.clone(), json!({})), ["spec.a: Required value", unchecked]);
    assert_eq!(
        errors(schema.clone(), json!({ "a": "xxxx" })),
        ["spec.a: Too long: may not be more than 3 bytes", unchecked]
    );
    assert_eq!(
        errors(schema, json!({ "a": "y" })),
        ["spec.a: Invalid value: \"y\": spec.a in body should match '^x'", "spec: Invalid value: \"object\": no"]
    );
}

#[test]
fn what_scale_shows_is_a_number_of_replicas_whatever_the_schema_says() {
    let mut definition = definition(json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }));
    definition["spec"]["versions"][0]["subresources"]["scale"] = json!({
        "specReplicasPath": ".spec.size.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector",
    });
    let row = row(&definition);
    for (size, wanted) in [
        (json!({ "replicas": -1 }), ".spec.size.replicas: Invalid value: -1: should be a non-negative integer"),
        (
            json!({ "replicas": 2_147_483_648_i64 }),
            ".spec.size.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647",
        ),
        (
            json!({ "replicas": "x" }),
            ".spec.size.replicas: Invalid value: 0: .spec.size.replicas accessor error: x is of the type string, expected int64",
        ),
        (
            json!(5),
            ".spec.size.replicas: Invalid value: 0: .spec.size.replicas accessor error: 5 is of the type int64, expected \
             map[string]interface{}",
        ),
    ] {
        assert_eq!(lines(&row.create_errors(&object(json!({ "size": size })))), [wanted]);
    }
    for fine in [json!({}), json!({ "replicas": 0 }), Value::Null] {
        assert_eq!(lines(&row.create_errors(&object(json!({ "size": fine })))), [""; 0]);
    }
    let old = object(json!({ "size": { "replicas": -1 } }));
    let mut new = old.clone();
    new["status"] = json!({ "replicas": -2 });
    assert_eq!(
        lines(&row.status_errors(&new, &old)),
        [".status.replicas: Invalid value: -2: should be a non-negative integer"]
    );
}

#[test]
fn finalizers_and_broken_rules_of_unchanged_parts_are_warned_of() {
    let schema = spec_of(json!({
        "a": { "type": "string", "maxLength": 9, "x-kubernetes-validations": [{ "rule": "self != 'zz'", "message": "not zz" }] },
        "b": { "type": "integer", "x-kubernetes-validations": [{ "rule": "self > oldSelf", "message": "must grow" }] },
    }));
    let row = row(&definition(schema));
    let mut old = object(json!({ "a": "zz", "b": 1 }));
    old["metadata"]["finalizers"] = json!(["old"]);
    let mut new = object(json!({ "a": "zz", "b": 2 }));
    new["metadata"]["finalizers"] = json!(["old", "example.com/mine", "orphan", "mine"]);
    let unqualified = "metadata.finalizers: \"mine\": prefer a domain-qualified finalizer name including a path (/) to avoid \
                       accidental conflicts with other finalizer writers";
    assert_eq!(row.change_warnings(&new, &old), [unqualified, "spec.a: Invalid value: \"string\": not zz"]);
    assert_eq!(row.update_errors(&new, &old), Vec::new());
    let unqualified_too = unqualified.replace("mine", "old");
    assert_eq!(row.create_warnings(&new), [unqualified.to_string(), unqualified_too]);
}
