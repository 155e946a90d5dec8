//! What compiles, and what it may cost.

use super::*;

#[test]
fn what_does_not_compile_says_why() {
    check(&[
        ("self.nope", "undefined field 'nope'"),
        ("nope", "undeclared reference to 'nope' (in container '')"),
        ("nope(1)", "undeclared reference to 'nope' (in container '')"),
        ("self.name == 1", "found no matching overload for '_==_' applied to '(string, int)'"),
        ("self.name + 1", "found no matching overload for '_+_' applied to '(string, int)'"),
        ("self.name < 1", "found no matching overload for '_<_' applied to '(string, int)'"),
        ("self.name.startsWith(1)", "found no matching overload for 'startsWith' applied to 'string.(int)'"),
        ("self.name && true", "found no matching overload for '_&&_' applied to '(string, bool)'"),
        ("self.name.x", "type 'string' does not support field selection"),
        (
            "self.replicas.all(x, true)",
            "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
        ),
        ("[1, 'a']", "expected type 'int' but found 'string'"),
        ("self.tags.all(x, x)", "found no matching overload for '_&&_' applied to '(bool, string)'"),
        ("has(self)", "invalid argument to has() macro"),
        ("1 +", "Syntax error: mismatched input '<EOF>' expecting an expression"),
        ("if", "reserved identifier: if"),
        ("while", "reserved identifier: while"),
        ("'a", "Syntax error: token recognition error at: ''a'"),
        ("rr'a'", "Syntax error: mismatched input '\"a\"' expecting <EOF>"),
        ("1 ~ 2", "Syntax error: token recognition error at: '~'"),
    ]);
    let error = compile("self.name == self.nope").unwrap_err();
    assert_eq!(
        error.to_string(),
        "ERROR: <input>:1:18: undefined field 'nope'\n | self.name == self.nope\n | .................^"
    );
}

#[test]
fn hostile_texts_end_in_errors() {
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(run(&deep).starts_with("expression recursion limit exceeded"));
    assert!(run(&vec!["1"; 1000].join("+")).starts_with("expression recursion limit exceeded"));
    assert_eq!(run(&vec!["true"; 1000].join(" && ")), "true", "logical chains are balanced");
    assert!(run(&"[".repeat(5000)).starts_with("expression recursion limit exceeded"));
    assert!(run(&"!".repeat(5000)).starts_with("Syntax error"));
    assert!(run("'x'.matches('a{1000}{1000}{1000}')").starts_with("error parsing regexp"));
    let nested = "[1,2,3,4,5,6,7,8,9,10]";
    let loops =
        format!("{nested}.all(a,{nested}.all(b,{nested}.all(c,{nested}.all(d,{nested}.all(e,{nested}.all(f,true))))))");
    assert_eq!(run(&loops), "operation cancelled: actual cost limit exceeded");
}

/// Estimates by hand, from cel-go's formulas.
#[test]
fn costs_are_estimated_as_cel_go_does() {
    for (source, cost) in [
        ("true", 0),
        ("self.replicas", 2),
        // Two reaches, and nothing for the comparison: integers have no size that a schema bounds.
        ("self.replicas == 5", 2),
        ("self.flag && self.replicas > 1", 4),
        // 2 + ceil(40 * 0.1) against 3 characters: the shorter decides.
        ("self.name == 'web'", 3),
        // 2 to reach, then (40 + 1) * 0.1 rounded up times 6 * 0.25 rounded up.
        ("self.name.matches('^[a-z]$')", 2 + 5 * 2),
        // 2 to reach, 5 times (2 for the condition, 1 for the step, 1 for the element, 1 for the comparison), 1 for the end.
        ("self.tags.all(t, t != '')", 2 + 5 * (2 + 1 + 1) + 1),
        ("[1, 2]", 10),
        ("{'a': 1}", 30),
        ("has(self.name)", 1),
        ("self.name.contains('x')", 2 + 4),
    ] {
        assert_eq!(compile(source).unwrap().max_cost(), cost, "{source}");
    }
    let unbounded = compile("self.long.contains(self.long)").unwrap();
    assert!(unbounded.max_cost() > 10_000_000, "an unbounded text is too dear");
}

#[test]
fn evaluation_stops_at_its_limit() {
    let program = compile("self.tags.all(t, t.size() > 0)").unwrap();
    let (decl, object) = (declared(), object());
    let outcome = program.eval(vec![("self", Value::read(&object, &decl))], 5);
    assert_eq!(outcome.value.unwrap_err(), EvalError::CostLimit);
    assert!(outcome.cost <= 10);
}

#[test]
fn programs_know_their_variables() {
    let variables = [Variable::declared("self", &declared()), Variable::of("oldSelf", Type::Int)];
    let program = Program::compile("self.replicas >= oldSelf", &variables).unwrap();
    assert!(program.uses("oldSelf") && program.uses("self") && !program.uses("other"));
    assert_eq!(program.result_type().to_string(), "bool");
}
