//! CEL: any text as an expression over a declared object.
//!
//! Promises: compiling and evaluating end, within the cost limit; what is evaluated twice comes out twice; an expression
//! costs no more than was estimated; errors can be shown.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use coracle_api::cel::{
    Decl, DeclKind, EvalError, FieldDecl, ListKind, ObjectDecl, Outcome, Program, Value, Variable, escape,
};
use serde_json::{Value as Json, json};

/// Cost of one evaluation at most, as for rules of custom resources.
const LIMIT: u64 = 1_000_000;

static DECLARED: LazyLock<Arc<Decl>> = LazyLock::new(declared);
static OBJECT: LazyLock<Json> = LazyLock::new(|| {
    json!({
        "name": "web", "replicas": 3, "ratio": 1.5, "flag": true, "tags": ["a", "b"], "set": ["x", "y"],
        "ports": [80, 443], "labels": { "app": "web", "tier": "front" }, "time": "2024-02-29T10:20:30Z", "wait": "1h30m",
        "data": "aGk=", "port": "http", "long": "x".repeat(20_000),
    })
});

/// Checks one input: the text of an expression.
pub fn check(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let variables = [Variable::declared("self", &DECLARED), Variable::declared("oldSelf", &DECLARED)];
    let _ = escape(source);
    match Program::compile(source, &variables) {
        Ok(program) => run(&program),
        Err(error) => assert!(!error.to_string().is_empty() && !error.issues.is_empty(), "an error without a text"),
    }
    if source.contains("Object") || source.contains("JSONPatch") {
        if let Ok(program) = Program::compile_mutation(source, &variables) {
            run(&program);
        }
    }
}

fn run(program: &Program) {
    let _ = (program.bad_pattern(), program.uses("self"), program.fields_of("self"), program.result_type().to_string());
    let once = evaluate(program);
    // A step is charged for before it is done, so that the last one may be beyond the limit, and nothing after it.
    match &once.value {
        Err(EvalError::CostLimit) => return,
        _ => assert!(once.cost <= LIMIT, "{} spent", once.cost),
    }
    let twice = evaluate(program);
    assert_eq!((shown(&once), once.cost), (shown(&twice), twice.cost), "evaluating again comes out otherwise");
}

fn evaluate(program: &Program) -> Outcome<'_> {
    let read = || Value::read(&OBJECT, &DECLARED);
    program.eval(vec![("self", read()), ("oldSelf", read())], LIMIT)
}

fn shown(outcome: &Outcome<'_>) -> String {
    format!("{:?}", outcome.value)
}

fn declared() -> Arc<Decl> {
    let decl = |kind, max_elements| Arc::new(Decl { kind, max_elements, min_size: 2 });
    let text = |max| decl(DeclKind::String, max);
    let list = |element, kind, max| decl(DeclKind::List(element, kind), max);
    let fields: BTreeMap<String, FieldDecl> = [
        ("name", text(40)),
        ("replicas", decl(DeclKind::Int, 0)),
        ("ratio", decl(DeclKind::Double, 0)),
        ("flag", decl(DeclKind::Bool, 0)),
        ("tags", list(text(10), ListKind::Atomic, 5)),
        ("set", list(text(10), ListKind::Set, 5)),
        ("ports", list(decl(DeclKind::Int, 0), ListKind::Atomic, 5)),
        ("labels", decl(DeclKind::Map(text(10)), 5)),
        ("time", decl(DeclKind::Timestamp, 36)),
        ("wait", decl(DeclKind::Duration, 32)),
        ("data", decl(DeclKind::Bytes, 10)),
        ("port", Decl::dynamic()),
        ("long", text(30_000)),
    ]
    .into_iter()
    .map(|(name, decl)| (name.to_string(), FieldDecl { json: name.to_string(), decl }))
    .collect();
    decl(DeclKind::Object(Arc::new(ObjectDecl { name: "object".into(), fields })), u64::MAX)
}
