//! The expressions of a mutating policy, compiled (`.../policy/mutating/compilation.go`).

use coracle_api::Resource;
use coracle_api::cel::Compiled;
use coracle_api::kinds::admission::{Environment, Purpose};
use serde_json::Value;

use super::super::super::cel::{BUDGET, Conditions, Inputs, Stage};
use super::super::invocations::{Case, View};
use super::super::source::Rules;
use super::patch::{Failure, Patched, configured, patched};

/// One of `mutations`.
enum Mutation {
    ApplyConfiguration(Compiled),
    JsonPatch(Compiled),
}

/// See the module's documentation.
pub(in super::super) struct Mutations {
    variables: Vec<(String, Compiled)>,
    conditions: Conditions,
    mutations: Vec<Mutation>,
    /// `reinvocationPolicy: IfNeeded`
    again: bool,
}

impl Rules for Mutations {
    fn compile(spec: &Value, ignores_failures: bool) -> Self {
        let environment = Environment::policy(spec);
        let mutations = spec["mutations"].as_array().into_iter().flatten();
        Self {
            conditions: Conditions::of(&environment, &spec["matchConditions"], ignores_failures),
            mutations: mutations.map(|mutation| compiled(&environment, mutation)).collect(),
            variables: environment.into_variables(),
            again: spec["reinvocationPolicy"] == "IfNeeded",
        }
    }
}

fn compiled(environment: &Environment, mutation: &Value) -> Mutation {
    let source = |field: &str| mutation[field]["expression"].as_str().unwrap_or_default();
    if mutation["patchType"] == "JSONPatch" {
        Mutation::JsonPatch(environment.compile(source("jsonPatch"), Purpose::JsonPatch))
    } else {
        let configuration = source("applyConfiguration");
        Mutation::ApplyConfiguration(environment.compile(configuration, Purpose::ApplyConfiguration))
    }
}

impl Mutations {
    /// Whether the policy is about the request.
    ///
    /// # Errors
    /// When that can't be told, and that matters.
    pub(super) fn conditions_hold(&self, inputs: Inputs<'_>) -> Result<bool, String> {
        self.conditions.hold(inputs, &self.variables)
    }

    pub(super) fn len(&self) -> usize {
        self.mutations.len()
    }

    /// Whether the policy wants to see what has changed since.
    pub(super) fn again(&self) -> bool {
        self.again
    }

    /// The object that a mutation makes of the one in the view; none if it is the same, or there is none.
    pub(super) fn apply(
        &self,
        index: usize,
        case: &Case<'_>,
        row: Option<&Resource>,
        (view, param): (&View<'_>, Option<&Value>),
    ) -> Patched {
        let (Some(object), Some(mutation)) = (view.object.as_deref(), self.mutations.get(index)) else {
            return Ok(None);
        };
        let (Mutation::ApplyConfiguration(compiled) | Mutation::JsonPatch(compiled)) = mutation;
        if let Err(why) = compiled {
            return Err(Failure::Policy(why.clone()));
        }
        let mut stage = Stage::new(case.inputs(view, param), &self.variables, BUDGET);
        let value = stage.eval(compiled).map_err(|failure| Failure::Policy(failure.text()))?;
        match mutation {
            Mutation::ApplyConfiguration(_) => configured(case.asked, row, object, &value),
            Mutation::JsonPatch(_) => patched(case.asked, row, object, &value),
        }
    }
}
