//! Values that are worked out when an expression first asks for them: `variables.NAME` of admission policies
//! (`k8s.io/apiserver/pkg/cel/lazy`, `pkg/admission/plugin/cel/composition.go`).
//!
//! Invariant: a value sees only those that are declared before it, so that working one out ends.

use std::cell::{Cell, OnceCell};

use super::ast::{Expr, Kind};
use super::cost::REACH;
use super::error::EvalError;
use super::eval::{Evaluator, Result as Evaluated};
use super::program::Program;
use super::value::Value;

/// An expression that is compiled, or why it can't be.
pub type Compiled = Result<Program, String>;

/// The fields of one variable, none of which is worked out before somebody asks for it, and none twice.
#[derive(Debug)]
pub struct Deferred<'a> {
    name: &'a str,
    fields: &'a [(String, Compiled)],
    /// What the fields' expressions see besides.
    scope: Vec<(&'a str, Value<'a>)>,
    /// What each may cost.
    limit: u64,
    known: Vec<OnceCell<Result<Value<'a>, EvalError>>>,
    cost: Cell<u64>,
}

impl<'a> Deferred<'a> {
    /// The variable `name` with these fields, whose expressions see `scope` and the fields before them.
    pub fn new(name: &'a str, fields: &'a [(String, Compiled)], scope: Vec<(&'a str, Value<'a>)>, limit: u64) -> Self {
        let known = fields.iter().map(|_| OnceCell::new()).collect();
        Self { name, fields, scope, limit, known, cost: Cell::new(0) }
    }

    /// What all that was worked out since the last time has cost.
    pub fn take_cost(&self) -> u64 {
        self.cost.take()
    }

    /// The last field of that name among the first `visible` ones.
    fn place(&self, name: &str, visible: usize) -> Option<usize> {
        self.fields.iter().take(visible).rposition(|(own, _)| own == name)
    }

    fn value(&self, place: usize) -> Evaluated<'a> {
        self.known[place].get_or_init(|| self.work_out(place)).clone()
    }

    fn work_out(&self, place: usize) -> Evaluated<'a> {
        let (name, compiled) = &self.fields[place];
        let failed = |how: &str, why: &dyn std::fmt::Display| {
            EvalError::other(format!("composited variable {name:?} fails to {how}: {why}"))
        };
        let program = compiled.as_ref().map_err(|error| failed("compile", error))?;
        let outcome = program.run(self.scope.clone(), Some((self, place)), self.limit);
        self.cost.set(self.cost.get().saturating_add(outcome.cost));
        outcome.value.map_err(|error| failed("evaluate", &error))
    }
}

impl<'a> Evaluator<'a, '_> {
    /// The value of `operand.field` where that is no field of a value: a deferred one, or a variable with a dot in its
    /// name. `None` if it is an ordinary field.
    pub(super) fn elsewhere(&mut self, operand: &Expr, field: &str) -> Option<Evaluated<'a>> {
        let Kind::Ident(name) = &operand.kind else { return None };
        for (own, value) in self.scope.iter().rev() {
            if own == name {
                return None;
            }
            if is_dotted(own, name, field) {
                let value = value.clone();
                return Some(self.charge(REACH).map(|()| value));
            }
        }
        let (deferred, visible) = self.deferred.filter(|(deferred, _)| deferred.name == name)?;
        if let Err(error) = self.charge(2 * REACH) {
            return Some(Err(error));
        }
        let place = deferred.place(field, visible);
        Some(place.map_or_else(|| Err(EvalError::NoSuchKey(field.to_string())), |place| deferred.value(place)))
    }

    /// Whether `operand.field` is there, if the operand is a deferred variable.
    pub(super) fn has_elsewhere(&self, operand: &Expr, field: &str) -> Option<bool> {
        let Kind::Ident(name) = &operand.kind else { return None };
        if self.scope.iter().any(|(own, _)| own == name) {
            return None;
        }
        let (deferred, visible) = self.deferred.filter(|(deferred, _)| deferred.name == name)?;
        Some(deferred.place(field, visible).is_some())
    }
}

/// Whether the name of a variable is `name.field`.
pub(super) fn is_dotted(variable: &str, name: &str, field: &str) -> bool {
    variable.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) == Some(field)
}
