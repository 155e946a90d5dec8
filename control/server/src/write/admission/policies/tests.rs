//! What policies say about a request, without a server.

use serde_json::{Value, json};

use super::super::cel::Inputs;
use super::source::{Policy, Rules};
use super::validating::{Annotation, Decision, Validations, Verdict};

fn judge(spec: Value, object: &Value, params: Option<&Value>) -> Verdict {
    let request = json!({ "operation": "CREATE", "name": "m", "namespace": "n" });
    let namespace = json!({ "metadata": { "name": "n" } });
    let inputs = Inputs {
        object: Some(object),
        old: None,
        request: &request,
        namespace: Some(&namespace),
        params,
        authorizer: None,
    };
    let validations = Validations::compile(&spec, spec["failurePolicy"] == "Ignore");
    validations.judge(Inputs { namespace: None, ..inputs }, inputs)
}

fn deny(message: &str, reason: &str) -> Decision {
    Decision::Deny { message: message.into(), reason: reason.into() }
}

#[test]
fn a_validation_that_does_not_hold_says_why_in_the_words_there_are() {
    let spec = json!({ "variables": [{ "name": "n", "expression": "object.n" }], "validations": [
        { "expression": " object.n > 5 " },
        { "expression": "variables.n > 5", "message": " too few ", "reason": "Forbidden" },
        { "expression": "false", "message": "m", "messageExpression": "'only ' + string(variables.n)" },
        { "expression": "false", "message": "m", "messageExpression": "'two\\nlines'" },
        { "expression": "false", "message": "m", "messageExpression": "object.nothing" },
        { "expression": "false", "messageExpression": "' '" },
        { "expression": "object.n == 4 && namespaceObject.metadata.name == 'n'" },
    ] });
    let verdict = judge(spec, &json!({ "n": 4 }), None);
    let expected = vec![
        deny("failed expression: object.n > 5", "Invalid"),
        deny("too few", "Forbidden"),
        deny("only 4", "Invalid"),
        deny("m", "Invalid"),
        deny("m", "Invalid"),
        deny("failed expression: false", "Invalid"),
        Decision::Admit,
    ];
    assert_eq!(verdict, Verdict { decisions: expected, annotations: Vec::new() });
}

#[test]
fn failures_are_what_the_policy_says_they_are() {
    let mut spec = json!({ "validations": [{ "expression": "object.x == 1" }, { "expression": "object.(" }] });
    let failed = judge(spec.clone(), &json!({}), None).decisions;
    let text = "expression 'object.x == 1' resulted in error: no such key: x";
    assert_eq!(failed[0], deny(text, ""));
    let Decision::Deny { message, .. } = &failed[1] else { panic!("{failed:?}") };
    assert!(message.starts_with("compilation error: compilation failed: ERROR: <input>:1:8: "), "{message}");
    spec["failurePolicy"] = json!("Ignore");
    assert_eq!(judge(spec, &json!({}), None).decisions, [Decision::Admit, Decision::Admit]);
}

#[test]
fn conditions_decide_whether_anything_is_judged() {
    let spec = |condition: &str, policy: &str| {
        let conditions = json!([{ "name": "c", "expression": condition }]);
        json!({ "matchConditions": conditions, "failurePolicy": policy, "validations": [{ "expression": "false" }] })
    };
    let judged = |condition: &str, policy: &str| judge(spec(condition, policy), &json!({}), None);
    assert_eq!(judged("request.name == 'm'", "Fail").decisions, [deny("failed expression: false", "Invalid")]);
    assert_eq!(judged("namespaceObject != null", "Fail"), Verdict::default());
    let text = "expression 'object.x' resulted in error: no such key: x";
    // Its type is not known before it runs, so it would not be written; here it is.
    assert_eq!(judged("object.x", "Ignore"), Verdict::default());
    let failed = judged("object.x == 1", "Fail").decisions;
    assert_eq!(failed, [deny(&text.replace("object.x", "object.x == 1"), "")]);
}

#[test]
fn annotations_are_published_if_there_is_something_to_say() {
    let annotation = |key: &str, value: &str| json!({ "key": key, "valueExpression": value });
    let mut spec = json!({ "paramKind": {}, "auditAnnotations": [
        annotation("a", "' ' + params.who + ' '"), annotation("b", "null"), annotation("c", "''"),
        annotation("d", "object.x + ''"),
    ] });
    let params = json!({ "who": "jane" });
    let published = Annotation::Publish { key: "a".into(), value: "jane".into() };
    let error = "expression 'object.x + ''' resulted in error: no such key: x".to_string();
    let verdict = judge(spec.clone(), &json!({}), Some(&params));
    assert_eq!(verdict.annotations, [published.clone(), Annotation::Error(error)]);
    spec["failurePolicy"] = json!("Ignore");
    assert_eq!(judge(spec, &json!({}), Some(&params)).annotations, [published]);
}

/// Nearly as dear as one expression may be.
const DEAR: &str = "[1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, \
                    [1,2,3,4,5,6,7,8,9,10].all(e, b + c + d + e > 0))))";

#[test]
fn what_policies_may_cost_is_bounded() {
    let many = |count: usize| json!({ "validations": vec![json!({ "expression": DEAR }); count] });
    assert_eq!(judge(many(3), &json!({}), None).decisions, vec![Decision::Admit; 3]);
    let text = "validation failed due to running out of cost budget, no further validation rules will be run";
    assert_eq!(judge(many(150), &json!({}), None).decisions, [deny(text, "")]);
    let endless = format!("[1,2,3,4,5,6,7,8,9,10].all(x, [1,2,3,4,5,6,7,8,9,10].all(y, {DEAR}))");
    let spec = json!({ "validations": [{ "expression": endless }] });
    let text = format!("expression '{endless}' resulted in error: operation cancelled: actual cost limit exceeded");
    assert_eq!(judge(spec, &json!({}), None).decisions, [deny(&text, "")]);
}

#[test]
fn a_policy_that_says_nothing_is_about_nothing_it_can_fail_at() {
    let policy = Policy::<Validations>::of("p", &Value::Null);
    assert!(!policy.ignores_failures && policy.param_kind.is_none());
}
