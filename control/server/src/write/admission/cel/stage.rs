//! Evaluating expressions about one request, one after the other, from one budget
//! (`k8s.io/apiserver/pkg/admission/plugin/cel/activation.go`).

use coracle_api::cel::{Compiled, Deferred, Value as Cel};

use super::inputs::Inputs;

/// What the expressions of one stage may cost together (`RuntimeCELCostBudget`).
pub(in super::super) const BUDGET: u64 = 10_000_000;
/// What one expression may cost (`PerCallLimit`), and one variable.
const COST_LIMIT: u64 = 1_000_000;

const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Failure {
    /// It can't be compiled or evaluated; others may.
    Expression(String),
    /// There is no more to spend, for this one or any other.
    Budget,
}

impl Failure {
    /// What is wrong, for people.
    pub(in super::super) fn text(self) -> String {
        match self {
            Self::Expression(text) => text,
            Self::Budget => OUT_OF_BUDGET.to_string(),
        }
    }
}

/// Expressions that are evaluated together.
pub(in super::super) struct Stage<'a> {
    scope: Vec<(&'a str, Cel<'a>)>,
    variables: Deferred<'a>,
    budget: u64,
}

impl<'a> Stage<'a> {
    /// About these inputs, with the variables of a policy.
    pub(in super::super) fn new(inputs: Inputs<'a>, variables: &'a [(String, Compiled)], budget: u64) -> Self {
        let scope = inputs.variables();
        Self { variables: Deferred::new("variables", variables, scope.clone(), COST_LIMIT), scope, budget }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// When it has none.
    pub(in super::super) fn eval(&mut self, compiled: &'a Compiled) -> Result<Cel<'a>, Failure> {
        let program = compiled.as_ref().map_err(|error| Failure::Expression(format!("compilation error: {error}")))?;
        let outcome = program.eval_with(self.scope.clone(), &self.variables, COST_LIMIT);
        let cost = outcome.cost.saturating_add(self.variables.take_cost());
        self.budget = self.budget.checked_sub(cost).ok_or(Failure::Budget)?;
        outcome.value.map_err(|error| {
            Failure::Expression(format!("expression '{}' resulted in error: {error}", program.source()))
        })
    }

    /// What may still be spent.
    pub(in super::super) fn left(&self) -> u64 {
        self.budget
    }
}
