//! What mutations make: types, errors, values.

use serde_json::{Value as Json, json};

use super::*;

const LIMIT: u64 = 1_000_000;

fn compile(source: &str) -> Result<Program, CompileError> {
    Program::compile_mutation(source, &[Variable::of("object", Type::Dyn)])
}

fn run(source: &str) -> Result<Json, EvalError> {
    let program = compile(source).unwrap();
    let object = json!({ "spec": { "replicas": 3 }, "metadata": { "labels": { "a/b": "c" } } });
    let outcome = program.eval(vec![("object", Value::dynamic(&object))], LIMIT);
    outcome.value?.to_json()
}

#[test]
fn expressions_make_objects_and_operations() {
    for (source, ty, value) in [
        ("Object{}", "Object", json!({})),
        (
            "Object{spec: Object.spec{replicas: object.spec.replicas + 1, paused: true}}",
            "Object",
            json!({ "spec": { "replicas": 4, "paused": true } }),
        ),
        (
            "Object{metadata: Object.metadata{labels: {'x': 'y'}, namespace: 'n'}}",
            "Object",
            json!({ "metadata": { "labels": { "x": "y" }, "namespace": "n" } }),
        ),
        (
            "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'c'}]}}",
            "Object",
            json!({ "spec": { "containers": [{ "name": "c" }] } }),
        ),
        ("Object{?spec: optional.none(), ?kind: optional.of('K')}", "Object", json!({ "kind": "K" })),
        (
            "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a~/b'), value: 1}]",
            "list(JSONPatch)",
            json!([{ "op": "add", "path": "/metadata/labels/a~0~1b", "value": 1 }]),
        ),
        ("object.spec.replicas > 9 ? [JSONPatch{op: 'x'}] : []", "list(JSONPatch)", json!([])),
        ("JSONPatch{op: 'test', value: Object.spec{x: null}}.op", "string", json!("test")),
        ("Object{spec: Object.spec{a: 1}} == Object{spec: Object.spec{a: 1.0}}", "bool", json!(true)),
        ("has(Object{a: 1}.b)", "bool", json!(false)),
    ] {
        assert_eq!(compile(source).unwrap().result_type().to_string(), ty, "{source}");
        assert_eq!(run(source).unwrap(), value, "{source}");
    }
}

#[test]
fn types_and_fields_have_to_be_known() {
    for (source, wrong) in [
        ("Thing{a: 1}", "undeclared reference to 'Thing' (in container '')"),
        ("Objects.spec{}", "undeclared reference to 'Objects.spec' (in container '')"),
        ("JSONPatch{operation: 'add'}", "undefined field 'operation'"),
        ("JSONPatch{op: 1}", "expected type of field 'op' is 'string' but provided type is 'int'"),
        ("JSONPatch{op: 'a'}.nothing", "undefined field 'nothing'"),
        (
            "true ? Object{} : Object.spec{}",
            "found no matching overload for '_?_:_' applied to '(bool, Object, Object.spec)'",
        ),
        ("Object{a 1}", "Syntax error: mismatched input '1' expecting ':'"),
        ("Object{a: b}", "undeclared reference to 'b' (in container '')"),
    ] {
        assert_eq!(compile(source).unwrap_err().issues[0].message, wrong, "{source}");
    }
}

#[test]
fn only_mutations_have_these_types() {
    for (source, wrong) in [
        ("Object{}", vec!["undeclared reference to 'Object' (in container '')"]),
        ("JSONPatch{op: 'a'}", vec!["undeclared reference to 'JSONPatch' (in container '')"]),
        (
            "jsonpatch.escapeKey('a')",
            vec![
                "undeclared reference to 'jsonpatch' (in container '')",
                "undeclared reference to 'escapeKey' (in container '')",
            ],
        ),
    ] {
        let error = Program::compile(source, &[]).unwrap_err();
        let messages: Vec<&str> = error.issues.iter().map(|issue| issue.message.as_str()).collect();
        assert_eq!(messages, wrong, "{source}");
    }
}

#[test]
fn values_have_the_types_of_their_fields() {
    let complaint = |source: &str| {
        let program = compile(source).unwrap();
        match program.eval(Vec::new(), LIMIT).value.unwrap() {
            Value::Struct(own) => own.check_names().err().map(|error| error.to_string()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(complaint("Object{spec: Object.spec{list: [Object.spec.list{a: 1}]}}"), None);
    let wrong = "unexpected type name \"Object.status\", expected \"Object.spec\", which matches field name path from root Object type";
    assert_eq!(complaint("Object{spec: Object.status{}}").as_deref(), Some(wrong));
    assert!(complaint("Object{spec: [Object.spec.a{}]}").is_some());
}

#[test]
fn making_one_costs_what_it_costs_upstream() {
    let program = compile("Object{spec: Object.spec{a: 1}}").unwrap();
    assert_eq!(program.max_cost(), 80);
    assert_eq!(program.eval(Vec::new(), LIMIT).cost, 80);
    assert!(matches!(program.eval(Vec::new(), 79).value, Err(EvalError::CostLimit)));
}
