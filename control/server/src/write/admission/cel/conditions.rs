//! `matchConditions`: expressions that must all hold before a webhook is called or a policy is asked
//! (`k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions`).

use coracle_api::cel::Compiled;
use coracle_api::kinds::admission::{Environment, Purpose};
use serde_json::Value;

use super::inputs::Inputs;
use super::stage::{BUDGET, Failure, Stage};

/// What the conditions of one webhook or policy may cost together (`RuntimeCELCostBudgetMatchConditions`).
const CONDITIONS_BUDGET: u64 = BUDGET / 4;

/// The conditions of one webhook or policy, compiled. One that does not compile fails whenever it is asked.
#[derive(Debug)]
pub(in super::super) struct Conditions {
    compiled: Vec<Compiled>,
    /// `failurePolicy: Ignore`: a condition that fails does not hold.
    ignores_failures: bool,
}

impl Conditions {
    /// From a list of `matchConditions`.
    pub(in super::super) fn of(environment: &Environment, conditions: &Value, ignores_failures: bool) -> Self {
        let conditions = conditions.as_array().into_iter().flatten();
        let sources = conditions.map(|condition| condition["expression"].as_str().unwrap_or_default());
        let compiled = sources.map(|source| environment.compile(source, Purpose::Condition)).collect();
        Self { compiled, ignores_failures }
    }

    /// Whether there are none, which all hold.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }

    /// Whether all hold. One that does not is enough, whatever is wrong with the others.
    ///
    /// # Errors
    /// What is wrong with the conditions that can't be told, unless failures are ignored.
    pub(in super::super) fn hold<'a>(
        &'a self,
        inputs: Inputs<'a>,
        variables: &'a [(String, Compiled)],
    ) -> Result<bool, String> {
        if self.is_empty() {
            return Ok(true);
        }
        match self.all(inputs, variables) {
            Err(_) if self.ignores_failures => Ok(false),
            told => told,
        }
    }

    fn all<'a>(&'a self, inputs: Inputs<'a>, variables: &'a [(String, Compiled)]) -> Result<bool, String> {
        let mut stage = Stage::new(inputs, variables, CONDITIONS_BUDGET);
        let (mut held, mut errors) = (true, Vec::new());
        for compiled in &self.compiled {
            match stage.eval(compiled) {
                Ok(value) if value.as_bool() == Some(false) => held = false,
                Ok(_) => {}
                Err(Failure::Expression(error)) if errors.contains(&error) => {}
                Err(Failure::Expression(error)) => errors.push(error),
                // As upstream, even if one is known not to hold.
                Err(Failure::Budget) => return Err(Failure::Budget.text()),
            }
        }
        match errors.as_slice() {
            _ if !held => Ok(false),
            [] => Ok(true),
            [one] => Err(one.clone()),
            many => Err(format!("[{}]", many.join(", "))),
        }
    }
}
