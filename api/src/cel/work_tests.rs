//! Expressions that are cheap by cost and dear in fact.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::*;

/// What an evaluation may take in a test build on a busy machine; without a limit each of these takes hours or all memory.
const PATIENCE: Duration = Duration::from_secs(30);

fn outcome(source: &str, object: &Json) -> Result<Json, EvalError> {
    let dynamic = Decl::dynamic();
    let program = Program::compile(source, &[Variable::declared("self", &dynamic)]).unwrap_or_else(|e| panic!("{e}"));
    let started = Instant::now();
    let outcome = program.eval(vec![("self", Value::read(object, &dynamic))], 10_000_000);
    let json = outcome.value.and_then(|value| value.to_json());
    assert!(started.elapsed() < PATIENCE, "{source} took {:?}", started.elapsed());
    json
}

/// `inner` twice in a list, and that twice in a list, and so on.
fn doubled(levels: usize, inner: &str, body: &str) -> String {
    let start = format!("cel.bind(v0, {inner}, ");
    let binds: String = (1..=levels).map(|n| format!("cel.bind(v{n}, [v{0}, v{0}], ", n - 1)).collect();
    format!("{start}{binds}{}{}", body.replace("LAST", &format!("v{levels}")), ")".repeat(levels + 1))
}

#[test]
fn lists_of_lists_are_not_compared_for_ever() {
    for body in ["LAST == LAST", "LAST in [LAST]", "sets.contains([LAST], [LAST])", "[LAST].indexOf(LAST) == 0"] {
        assert_eq!(outcome(&doubled(8, "[dyn(1)]", body), &json!(null)), Ok(json!(true)), "{body}");
        assert_eq!(outcome(&doubled(28, "[dyn(1)]", body), &json!(null)), Err(EvalError::CostLimit), "{body}");
    }
}

#[test]
fn lists_of_lists_are_not_written_for_ever() {
    for body in ["'%s'.format([LAST])", "'%s%s'.format([LAST, LAST])"] {
        assert_eq!(outcome(&doubled(28, "[1]", body), &json!(null)), Err(EvalError::CostLimit), "{body}");
    }
    let error = outcome(&doubled(28, "[1]", "LAST"), &json!(null)).unwrap_err();
    assert_eq!(error.to_string(), "value is larger than 3145728 bytes");
    let objects = json!({"text": "x".repeat(1 << 20)});
    assert!(outcome("[self, self, self, self]", &objects).is_err());
}

#[test]
fn texts_do_not_grow_for_ever() {
    let long = json!("a".repeat(8192));
    for source in [
        "self.replace('a', self).replace('a', self)",
        "self.replace('', self).replace('', self)",
        "self.split('').map(x, self).join(self)",
        "'%s%s%s%s'.format([self, self, self, self]).replace('a', self)",
    ] {
        assert_eq!(outcome(source, &long), Err(EvalError::CostLimit), "{source}");
    }
}

#[test]
fn lists_do_not_grow_for_ever() {
    let sum = |levels: usize| {
        let binds: String = (1..=levels).map(|n| format!("cel.bind(v{n}, v{0} + v{0}, ", n - 1)).collect();
        format!("cel.bind(v0, [1, 2, 3], {binds}size(v{levels}){}", ")".repeat(levels + 1))
    };
    assert_eq!(outcome(&sum(10), &json!(null)), Ok(json!(3072)));
    assert_eq!(outcome(&sum(30), &json!(null)), Err(EvalError::CostLimit));
}

#[test]
fn constants_are_not_free_in_a_loop() {
    let many: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    let source = format!("self.all(x, self.all(y, !(x in [{}])))", many.join(", "));
    let items: Vec<i64> = (10_000..10_300).collect();
    assert_eq!(outcome(&source, &json!(items)), Err(EvalError::CostLimit));
}

#[test]
fn patterns_are_not_compiled_for_ever() {
    let patterns: Vec<String> = (0..1000).map(|n| format!("\\pL{{{}}}x{n}", n % 9 + 1)).collect();
    assert_eq!(outcome("self.all(p, !''.matches(p))", &json!(patterns)), Err(EvalError::CostLimit));
}

#[test]
fn an_evaluation_leaves_nothing_spent_to_the_next() {
    for _ in 0..3 {
        assert_eq!(outcome(&doubled(28, "[1]", "LAST == LAST"), &json!(null)), Err(EvalError::CostLimit));
        assert_eq!(outcome("[1, 2].map(x, x * 2) == [2, 4]", &json!(null)), Ok(json!(true)));
    }
}

#[test]
fn places_in_texts_are_counted_in_characters() {
    for (source, wanted) in [
        ("'äöüäö'.indexOf('ö')", 1),
        ("'äöüäö'.indexOf('ö', 2)", 4),
        ("'äöüäö'.indexOf('x')", -1),
        ("'äöüäö'.lastIndexOf('ö')", 4),
        ("'äöüäö'.lastIndexOf('ö', 3)", 1),
        ("'äöüäö'.lastIndexOf('öü', 1)", 1),
        ("'aaaa'.lastIndexOf('aa', 1)", 1),
        ("'aaaa'.lastIndexOf('aaaaa')", -1),
        ("''.indexOf('a')", -1),
    ] {
        assert_eq!(outcome(source, &json!(null)), Ok(json!(wanted)), "{source}");
    }
}
