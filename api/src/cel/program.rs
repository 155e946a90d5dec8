//! Compiled expressions.

use super::ast::{Expr, Kind, Literal};
use super::check::{Facts, Variable, check};
use super::constants::constants;
use super::cost::{Range, estimate};
use super::deferred::Deferred;
use super::error::{CompileError, EvalError};
use super::eval::Evaluator;
use super::parser::parse;
use super::types::Type;
use super::value::Value;
use super::work::{self, Shift};

/// An expression that has been parsed, checked and priced. Compiled once, evaluated often; evaluations share nothing.
#[derive(Debug)]
pub struct Program {
    source: String,
    expr: Expr,
    facts: Facts,
    constants: Vec<bool>,
    cost: Range,
}

/// The result of an evaluation and what it cost.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The value, or why there is none.
    pub value: Result<Value<'a>, EvalError>,
    /// The cost, whether there is a value or not.
    pub cost: u64,
}

impl Program {
    /// Compiles an expression over these variables.
    ///
    /// # Errors
    /// Everything that is wrong with it, as cel-go reports it.
    pub fn compile(source: &str, variables: &[Variable]) -> Result<Self, CompileError> {
        Self::compile_with(source, variables, false)
    }

    /// Compiles an expression that makes a patch: one that can also name the types `Object`, `Object.field…` and
    /// `JSONPatch`, and call `jsonpatch.escapeKey`.
    ///
    /// # Errors
    /// Everything that is wrong with it, as cel-go reports it.
    pub fn compile_mutation(source: &str, variables: &[Variable]) -> Result<Self, CompileError> {
        Self::compile_with(source, variables, true)
    }

    fn compile_with(source: &str, variables: &[Variable], patches: bool) -> Result<Self, CompileError> {
        let failed = |issues| CompileError { source: source.to_string(), issues };
        let (expr, nodes) = parse(source).map_err(|issue| failed(vec![issue]))?;
        let facts = check(&expr, nodes, variables, patches).map_err(failed)?;
        let cost = estimate(&expr, &facts);
        let constants = constants(&expr, &facts);
        Ok(Self { source: source.to_string(), expr, facts, constants, cost })
    }

    /// What is wrong with the first regular expression that is written down in it, if one is.
    pub fn bad_pattern(&self) -> Option<EvalError> {
        bad_pattern(&self.expr)
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The type of its value.
    pub fn result_type(&self) -> &Type {
        &self.facts.types[self.expr.id]
    }

    /// What one evaluation costs at most.
    pub fn max_cost(&self) -> u64 {
        self.cost.max
    }

    /// How deep the tree of the expression is, which is what evaluating it takes of the stack.
    pub fn depth(&self) -> usize {
        self.expr.depth
    }

    /// The fields of the variable that it names.
    pub fn fields_of(&self, variable: &str) -> Vec<&str> {
        let mut fields = Vec::new();
        named_fields(&self.expr, variable, &mut fields);
        fields
    }

    /// Whether it names the variable.
    pub fn uses(&self, variable: &str) -> bool {
        mentions(&self.expr, variable)
    }

    /// Evaluates with values for the variables, within a cost limit.
    pub fn eval<'a>(&'a self, variables: Vec<(&'a str, Value<'a>)>, limit: u64) -> Outcome<'a> {
        self.run(variables, None, limit)
    }

    /// The same with one more variable, whose fields are worked out as they are asked for.
    pub fn eval_with<'a>(
        &'a self,
        variables: Vec<(&'a str, Value<'a>)>,
        deferred: &Deferred<'a>,
        limit: u64,
    ) -> Outcome<'a> {
        self.run(variables, Some((deferred, usize::MAX)), limit)
    }

    pub(super) fn run<'a>(
        &'a self,
        scope: Vec<(&'a str, Value<'a>)>,
        deferred: Option<(&Deferred<'a>, usize)>,
        limit: u64,
    ) -> Outcome<'a> {
        let (facts, constants) = (&self.facts, self.constants.as_slice());
        let mut evaluator = Evaluator { facts, constants, scope, deferred, cost: 0, limit };
        let _shift = Shift::begin();
        let mut value = evaluator.eval(&self.expr);
        if work::is_spent() {
            value = Err(EvalError::CostLimit);
        }
        Outcome { value, cost: evaluator.cost }
    }
}

fn named_fields<'e>(expr: &'e Expr, variable: &str, fields: &mut Vec<&'e str>) {
    if let Kind::Select { operand, field, .. } = &expr.kind
        && matches!(&operand.kind, Kind::Ident(name) if name == variable)
    {
        fields.push(field);
    }
    expr.parts().into_iter().for_each(|part| named_fields(part, variable, fields));
}

fn mentions(expr: &Expr, variable: &str) -> bool {
    matches!(&expr.kind, Kind::Ident(name) if name == variable)
        || expr.parts().into_iter().any(|part| mentions(part, variable))
}

/// Functions whose second argument (the first besides the target) is a regular expression.
const MATCHERS: [&str; 3] = ["matches", "find", "findAll"];

fn bad_pattern(expr: &Expr) -> Option<EvalError> {
    if let Kind::Call { function, target, args } = &expr.kind
        && MATCHERS.contains(&function.as_str())
        && let Some(pattern) = args.get(usize::from(target.is_none()))
        && let Kind::Literal(Literal::String(pattern)) = &pattern.kind
        && let Err(error) = super::library::compile_pattern(pattern)
    {
        return Some(error);
    }
    expr.parts().into_iter().find_map(bad_pattern)
}
