//! Questions about what somebody may do.

use super::*;

/// Allows the members of its list, and says what was asked.
#[derive(Debug)]
struct Book(&'static [&'static str]);

impl Authorizer for Book {
    fn decide(&self, question: &Question<'_>) -> Decision {
        let account = question.account.map(|account| format!("{}/{} ", account.namespace, account.name));
        let target = match question.target {
            Target::Path(path) => path.to_string(),
            Target::Resource(check) => [
                &check.group,
                &check.resource,
                &check.subresource,
                &check.namespace,
                &check.name,
                &check.field_selector,
                &check.label_selector,
            ]
            .map(String::as_str)
            .join("|"),
        };
        let reason = format!("{}{} {target}", account.unwrap_or_default(), question.verb);
        Decision { allowed: self.0.contains(&reason.as_str()), reason }
    }
}

fn run(source: &str) -> (Result<String, String>, u64) {
    let variables = [
        Variable::of("authorizer", Type::Opaque(Opaque::Authorizer)),
        Variable::of("authorizer.requestResource", Type::Opaque(Opaque::ResourceCheck)),
    ];
    let program = match Program::compile(source, &variables) {
        Ok(program) => program,
        Err(error) => return (Err(error.issues[0].message.clone()), 0),
    };
    let book = Book(&["get |pods||n|||", "get /healthz"]);
    let own = ResourceCheck { resource: "pods".into(), namespace: "n".into(), ..ResourceCheck::default() };
    let values = vec![
        ("authorizer", Value::Access(Access::authorizer(&book).into())),
        ("authorizer.requestResource", Value::Access(Access::resource(&book, own).into())),
    ];
    let outcome = program.eval(values, 1_000_000);
    (outcome.value.map(|value| library::display(&value)).map_err(|error| error.to_string()), outcome.cost)
}

#[test]
fn questions_are_put_together_step_by_step() {
    for (source, wanted) in [
        ("authorizer.group('').resource('pods').namespace('n').check('get').allowed()", "true"),
        ("authorizer.requestResource.check('get').allowed()", "true"),
        ("authorizer.requestResource.check('list').allowed()", "false"),
        ("authorizer.path('/healthz').check('get').allowed()", "true"),
        (
            "authorizer.group('apps').resource('deployments').subresource('scale').namespace('n').name('web')\
             .fieldSelector('a=b').labelSelector('c').check('update').reason()",
            "update apps|deployments|scale|n|web|a=b|c",
        ),
        ("authorizer.serviceAccount('n', 'sa').requestless.x", ""),
        (
            "authorizer.serviceAccount('n', 'sa').group('').resource('pods').check('get').reason()",
            "n/sa get |pods|||||",
        ),
        ("authorizer.path('/x').check('get').errored() || authorizer.path('/x').check('get').error() != ''", "false"),
        ("type(authorizer) == type(authorizer.serviceAccount('n', 'sa'))", "true"),
    ] {
        if wanted.is_empty() {
            let text = "type 'kubernetes.authorization.Authorizer' does not support field selection";
            assert_eq!(run(source).0, Err(text.to_string()), "{source}");
        } else {
            assert_eq!(run(source).0, Ok(wanted.to_string()), "{source}");
        }
    }
}

#[test]
fn questions_that_make_no_sense_are_errors() {
    for (source, wanted) in [
        ("authorizer.path(' ')", "path must not be empty"),
        ("authorizer.group('').resource('')", "resource must not be empty"),
        ("authorizer.serviceAccount('n', 'a b')", "Invalid service account name"),
        ("authorizer.serviceAccount('n.m', 'sa')", "Invalid service account namespace"),
        (
            "authorizer.check('get')",
            "found no matching overload for 'check' applied to 'kubernetes.authorization.Authorizer.(string)'",
        ),
    ] {
        assert_eq!(run(source).0, Err(wanted.to_string()), "{source}");
    }
}

#[test]
fn a_check_is_dear_and_all_else_is_cheap() {
    let (_, cost) = run("authorizer.requestResource.check('get').allowed()");
    assert_eq!(cost, 350_002);
    let (failed, _) = run("[1, 2, 3].all(n, authorizer.requestResource.check('get').allowed())");
    assert_eq!(failed, Err("operation cancelled: actual cost limit exceeded".to_string()));
}
