use proptest::prelude::*;

use super::*;

/// Some schema, of which not every one is good.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "string", "default": "d" })),
        Just(json!({ "type": "string", "nullable": true })),
        Just(json!({ "type": "integer", "default": 1 })),
        Just(json!({ "x-kubernetes-int-or-string": true })),
        Just(json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        prop_oneof![
            prop::collection::btree_map("[abc]", inner.clone(), 0..3)
                .prop_map(|p| json!({ "type": "object", "properties": p })),
            inner.clone().prop_map(|s| json!({ "type": "object", "additionalProperties": s })),
            inner.prop_map(|s| json!({ "type": "array", "items": s })),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abcd]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn pruning_and_defaulting_twice_is_the_same_as_once(schema in schemas(), value in values()) {
        let schema = Schema::parse(&schema).unwrap();
        let mut once = value;
        prune(&mut once, &schema, false);
        apply_defaults(&mut once, &schema);
        let mut twice = once.clone();
        prop_assert_eq!(prune(&mut twice, &schema, false), Vec::<String>::new());
        apply_defaults(&mut twice, &schema);
        prop_assert_eq!(&once, &twice);
        // Whatever comes in, validation comes to an end.
        value_errors(&once, Some(&twice), &schema, "");
        list_errors(&once, &schema, &crate::field::Path::empty());
    }

    #[test]
    fn no_text_panics_the_compiler(source in "[-a-z0-9 .()\\[\\]{}'\"+*/<>=!&|?:,@`\\\\]{0,60}") {
        let _ = crate::cel::Program::compile(&source, &[]);
        let _ = JsonPath::parse(&source);
    }
}

#[test]
fn hostile_schemas_are_refused() {
    let mut deep = json!({ "type": "string" });
    for _ in 0..200 {
        deep = json!({ "type": "object", "properties": { "x": deep } });
    }
    assert_eq!(Schema::parse(&deep).unwrap_err(), SchemaError::TooDeep);
    let errors = lines(&definition_errors(&definition(deep)));
    assert!(errors[0].contains("nested deeper than"), "{errors:?}");
    assert!(matches!(Schema::parse(&json!({ "pattern": "a{1000}{1000}{1000}" })), Err(SchemaError::Pattern(..))));
    for garbage in [
        json!(null),
        json!([]),
        json!({ "spec": 1 }),
        json!({ "spec": { "versions": [1, { "schema": { "openAPIV3Schema": { "properties": 3, "items": [1] } } }] } }),
    ] {
        definition_errors(&garbage);
        let _ = rows(&garbage);
    }
}
