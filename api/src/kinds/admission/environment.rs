//! The expressions of a webhook or policy, compiled as they were checked when it was written: for whoever evaluates them.

use serde_json::Value;

use super::expressions::{Returns, Scope};
use crate::cel::Compiled;
use crate::kinds::json::{has, list, text};

/// What an expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Comes to a bool: a condition or a validation.
    Condition,
    /// Comes to the text of a message.
    Message,
    /// Comes to the text of an annotation, or null for none.
    Annotation,
    /// Comes to an `Object`.
    ApplyConfiguration,
    /// Comes to a list of `JSONPatch`.
    JsonPatch,
}

/// What the expressions of a webhook or policy see, and the variables that they share.
pub struct Environment {
    scope: Scope,
    variables: Vec<(String, Compiled)>,
}

impl Environment {
    /// Of a webhook.
    pub fn webhook() -> Self {
        Self { scope: Scope::webhook(), variables: Vec::new() }
    }

    /// Of a policy with this `spec`.
    pub fn policy(spec: &Value) -> Self {
        let mut scope = Scope::policy(has(spec, "paramKind")).with_variables();
        let mut variables = Vec::new();
        for variable in list(spec, "variables") {
            let name = text(variable, "name");
            variables.push((name.to_string(), scope.variable(name, text(variable, "expression"))));
        }
        Self { scope, variables }
    }

    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(&self, source: &str, purpose: Purpose) -> Compiled {
        let returns = match purpose {
            Purpose::Condition => Returns::Bool,
            Purpose::Message => Returns::Text,
            Purpose::Annotation => Returns::TextOrNull,
            Purpose::ApplyConfiguration => Returns::Object,
            Purpose::JsonPatch => Returns::JsonPatches,
        };
        self.scope.compile(source, returns)
    }

    /// The variables with their names, in their order.
    pub fn into_variables(self) -> Vec<(String, Compiled)> {
        self.variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::{Deferred, Program, Value as Cel};
    use serde_json::json;

    fn variables(count: usize) -> Value {
        let mut all = vec![json!({ "name": "v0", "expression": "1" })];
        all.extend(
            (1..count).map(|n| json!({ "name": format!("v{n}"), "expression": format!("variables.v{} + 1", n - 1) })),
        );
        json!({ "variables": all })
    }

    fn run<'a>(program: &'a Program, deferred: &Deferred<'a>) -> Result<Option<bool>, String> {
        let outcome = program.eval_with(Vec::new(), deferred, 1_000);
        outcome.value.map(|value| value.as_bool()).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_are_worked_out_when_they_are_needed_and_once() {
        let spec = json!({ "variables": [
            { "name": "broken", "expression": "object.nothing == 1" },
            { "name": "many", "expression": "object.n > 3" },
            { "name": "twice", "expression": "variables.many || variables.many" },
        ] });
        let environment = Environment::policy(&spec);
        let compile = |source: &str| environment.compile(source, Purpose::Condition).unwrap();
        let fine = compile("variables.twice && variables.many && has(variables.broken)");
        let failing = compile("variables.broken");
        let lucky = compile("variables.broken || variables.many");
        let all = environment.into_variables();
        let object = json!({ "n": 4 });
        let deferred = Deferred::new("variables", &all, vec![("object", Cel::dynamic(&object))], 1_000);
        let run = |program| run(program, &deferred);
        assert_eq!(run(&fine), Ok(Some(true)));
        let cost = deferred.take_cost();
        assert!(cost > 0);
        assert_eq!((run(&fine), deferred.take_cost()), (Ok(Some(true)), 0));
        let text = "composited variable \"broken\" fails to evaluate: no such key: nothing";
        assert_eq!(run(&failing), Err(text.to_string()));
        assert_eq!(run(&lucky), Ok(Some(true)));
    }

    #[test]
    fn a_variable_sees_only_those_before_it() {
        let spec = json!({ "variables": [
            { "name": "x", "expression": "1" }, { "name": "x", "expression": "variables.x + 1" },
        ] });
        let environment = Environment::policy(&spec);
        let program = environment.compile("variables.x == 2", Purpose::Condition).unwrap();
        let all = environment.into_variables();
        let deferred = Deferred::new("variables", &all, Vec::new(), 1_000);
        assert_eq!(run(&program, &deferred), Ok(Some(true)));
    }

    #[test]
    fn chains_of_variables_have_an_end() {
        let environment = Environment::policy(&variables(5_000));
        let deep = environment.compile("variables.v60 > 1", Purpose::Condition).unwrap();
        let all = environment.into_variables();
        let text = "compilation failed: expression recursion limit exceeded: 200";
        assert_eq!(all[67].1.as_ref().unwrap_err(), text);
        let deferred = Deferred::new("variables", &all, Vec::new(), 1_000);
        assert_eq!(run(&deep, &deferred), Ok(Some(true)));
    }
}
