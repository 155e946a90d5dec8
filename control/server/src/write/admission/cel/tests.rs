//! What expressions see, what they may cost, and what is said when they fail.

use coracle_api::cel::Compiled;
use coracle_api::kinds::admission::{Environment, Purpose};
use serde_json::{Value, json};

use super::stage::BUDGET;
use super::{Conditions, Failure, Inputs, Stage};

fn request() -> Value {
    json!({
        "kind": { "group": "", "version": "v1", "kind": "ConfigMap" }, "name": "m", "namespace": "n",
        "operation": "UPDATE", "userInfo": { "username": "jane", "groups": ["a", "b"] }, "dryRun": false,
        "options": { "kind": "UpdateOptions", "fieldManager": "x" },
    })
}

fn conditions(sources: &[&str], ignores_failures: bool) -> Conditions {
    let list: Value = sources.iter().map(|source| json!({ "name": "c", "expression": source })).collect();
    Conditions::of(&Environment::webhook(), &list, ignores_failures)
}

fn hold(conditions: &Conditions) -> Result<bool, String> {
    let (object, old) = (json!({ "data": { "a": "1" } }), json!({ "data": {} }));
    let namespace = json!({ "metadata": { "name": "n", "labels": { "team": "red" } } });
    let inputs = Inputs {
        object: Some(&object),
        old: Some(&old),
        request: &request(),
        namespace: Some(&namespace),
        params: None,
        authorizer: None,
    };
    conditions.hold(inputs, &[])
}

#[test]
fn conditions_see_the_request_and_its_objects() {
    for (source, expected) in [
        ("object.data.a == '1' && !has(oldObject.data.a)", true),
        ("request.userInfo.groups.exists(g, g == 'b') && request.userInfo.username == 'jane'", true),
        ("request.operation == 'CREATE'", false),
        ("request.options.fieldManager == 'x' && !request.dryRun", true),
        ("namespaceObject.metadata.labels['team'] == 'red'", true),
        ("has(request.subResource)", false),
    ] {
        assert_eq!(hold(&conditions(&[source], false)), Ok(expected), "{source}");
    }
}

#[test]
fn a_condition_that_fails_is_told_unless_another_does_not_hold() {
    let failing = "object.nothing == 1";
    let text = "expression 'object.nothing == 1' resulted in error: no such key: nothing";
    assert_eq!(hold(&conditions(&[failing, "true"], false)), Err(text.to_string()));
    assert_eq!(hold(&conditions(&[failing, "false"], false)), Ok(false));
    assert_eq!(hold(&conditions(&[failing, failing], false)), Err(text.to_string()));
    let other = "oldObject.none == 1";
    let both = format!("[{text}, expression '{other}' resulted in error: no such key: none]");
    assert_eq!(hold(&conditions(&[failing, other], false)), Err(both));
    assert_eq!(hold(&conditions(&[failing], true)), Ok(false));
    let broken = hold(&conditions(&["object.("], false)).unwrap_err();
    assert!(broken.starts_with("compilation error: compilation failed: ERROR: <input>:1:"), "{broken}");
    let nobody = "authorizer.path('/x').check('get').allowed()";
    let text = format!("expression '{nobody}' resulted in error: no such attribute(s): authorizer");
    assert_eq!(hold(&conditions(&[nobody], false)), Err(text));
}

/// Costs nearly as much as one expression may.
const DEAR: &str = "request.userInfo.groups.all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, \
                    [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, a != '')))))";

#[test]
fn conditions_may_cost_a_quarter_of_what_a_policy_may() {
    assert_eq!(hold(&conditions(&[DEAR], false)), Ok(true));
    let text = "validation failed due to running out of cost budget, no further validation rules will be run";
    assert_eq!(hold(&conditions(&[DEAR; 30], false)), Err(text.to_string()));
    assert_eq!(hold(&conditions(&[DEAR; 30], true)), Ok(false));
}

#[test]
fn variables_are_paid_from_the_same_budget_once() {
    let spec = json!({ "variables": [{ "name": "dear", "expression": DEAR }] });
    let environment = Environment::policy(&spec);
    let asks: Vec<Compiled> = vec![environment.compile("variables.dear", Purpose::Condition)];
    let variables = environment.into_variables();
    let request = request();
    let inputs = Inputs { object: None, old: None, request: &request, namespace: None, params: None, authorizer: None };
    let mut stage = Stage::new(inputs, &variables, BUDGET);
    assert_eq!(stage.eval(&asks[0]).unwrap().as_bool(), Some(true));
    let first = BUDGET - stage.left();
    stage.eval(&asks[0]).unwrap();
    assert!(first > 50_000 && BUDGET - stage.left() - first < 10, "{first}");
    let mut poor = Stage::new(inputs, &variables, first - 1);
    assert_eq!(poor.eval(&asks[0]).unwrap_err(), Failure::Budget);
}
