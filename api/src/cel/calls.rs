//! Evaluating calls of functions and operators, with what is special about those that need not look at all they are given.

use super::ast::Expr;
use super::compare::equal;
use super::cost::{CostRule, scaled};
use super::error::EvalError;
use super::eval::{CALL, Evaluator, Result};
use super::function::Overload;
use super::types::Bindings;
use super::value::Value;

impl<'a> Evaluator<'a, '_> {
    pub(super) fn call(
        &mut self,
        expr: &'a Expr,
        function: &str,
        target: Option<&'a Expr>,
        args: &'a [Expr],
    ) -> Result<'a> {
        match (function, target, args) {
            ("_&&_", _, [left, right]) => return self.logical(left, right, false),
            ("_||_", _, [left, right]) => return self.logical(left, right, true),
            ("_?_:_", _, [condition, then, otherwise]) => {
                return match self.eval(condition)? {
                    Value::Bool(true) => self.named(then),
                    Value::Bool(false) => self.named(otherwise),
                    _ => Err(EvalError::NoSuchOverload),
                };
            }
            ("or" | "orValue", Some(target), [other]) => return self.or(target, other, function == "orValue"),
            ("@in", _, [item, list]) if self.constants[list.id] => {
                if let Some(found) = self.is_member(item, list)? {
                    return Ok(Value::Bool(found));
                }
            }
            _ => {}
        }
        let values = match (function, args) {
            ("_[_]" | "_[?_]", [source, index]) => vec![self.source(source)?, self.named(index)?],
            _ => self.arguments(expr, target, args)?,
        };
        let overload = self.overload(expr, &values)?;
        if overload.cost != CostRule::Join {
            self.charge(overload.cost.at_runtime(&values))?;
        }
        let result = (overload.body)(&values)?;
        if overload.cost == CostRule::Join {
            self.charge(scaled(result.size(), 0.2))?;
        }
        if function == "_[?_]" && matches!(result, Value::Optional(None)) {
            self.cost = self.cost.saturating_sub(CALL);
        }
        Ok(result)
    }

    /// The arguments of a call. One that fails fails the call, which costs what it costs all the same; of two arguments the second
    /// is evaluated even then.
    fn arguments(
        &mut self,
        expr: &Expr,
        target: Option<&'a Expr>,
        args: &'a [Expr],
    ) -> std::result::Result<Vec<Value<'a>>, EvalError> {
        let count = args.len() + usize::from(target.is_some());
        let mut values = Vec::with_capacity(count);
        let mut failure = None;
        for part in target.into_iter().chain(args) {
            match self.eval(part) {
                Ok(value) => values.push(value),
                Err(EvalError::CostLimit) => return Err(EvalError::CostLimit),
                Err(error) => {
                    failure.get_or_insert(error);
                    // Of no size that matters.
                    values.push(Value::Null);
                    if count > 2 {
                        break;
                    }
                }
            }
        }
        let Some(error) = failure else { return Ok(values) };
        let cost = self.facts.overloads[expr.id].first().map_or(CALL, |overload| overload.cost.at_runtime(&values));
        self.charge(cost)?;
        Err(error)
    }

    /// `a.or(b)` and `a.orValue(b)`: the other side is looked at only if it is needed.
    fn or(&mut self, target: &'a Expr, other: &'a Expr, unwrap: bool) -> Result<'a> {
        match self.eval(target)? {
            Value::Optional(Some(value)) if unwrap => Ok(Value::clone(&value)),
            value @ Value::Optional(Some(_)) => Ok(value),
            Value::Optional(None) => self.eval(other),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    /// Whether an item is in a constant list of simple values, which is looked up instead of gone over; `None` for others.
    fn is_member(&mut self, item: &'a Expr, list: &'a Expr) -> std::result::Result<Option<bool>, EvalError> {
        let Value::List(list) = self.eval(list)? else { return Ok(None) };
        let is_simple = |value: Value<'_>| {
            matches!(value, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::String(_))
        };
        if list.len() == 0 {
            return Ok(Some(false));
        }
        if !list.iter().all(is_simple) {
            return Ok(None);
        }
        let item = self.eval(item)?;
        Ok(Some(list.iter().any(|own| equal(&own, &item))))
    }

    /// The signature that the values fit, among those that the types allowed.
    fn overload(&self, expr: &Expr, values: &[Value<'a>]) -> std::result::Result<&'static Overload, EvalError> {
        let candidates = &self.facts.overloads[expr.id];
        if let [only] = candidates.as_slice() {
            return Ok(only);
        }
        let fits = |overload: &&&'static Overload| {
            let mut bindings: Bindings = Default::default();
            let mut pairs = overload.params.iter().zip(values);
            pairs.all(|(param, value)| param.matches(&value.ty(), &mut bindings))
        };
        candidates.iter().find(fits).copied().ok_or(EvalError::NoSuchOverload)
    }

    /// `&&` and `||`: one side can decide even when the other fails. `decisive` is the value that decides.
    fn logical(&mut self, left: &'a Expr, right: &'a Expr, decisive: bool) -> Result<'a> {
        let first = self.truth(left)?;
        if first == Ok(decisive) {
            return Ok(Value::Bool(decisive));
        }
        match (first, self.truth(right)?) {
            (_, Ok(value)) if value == decisive => Ok(Value::Bool(decisive)),
            (Ok(_), Ok(value)) => Ok(Value::Bool(value)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// The inner result may be overruled; the outer one, that there is no more to spend, may not.
    fn truth(&mut self, expr: &'a Expr) -> std::result::Result<std::result::Result<bool, EvalError>, EvalError> {
        match self.eval(expr) {
            Ok(Value::Bool(flag)) => Ok(Ok(flag)),
            Ok(_) => Ok(Err(EvalError::NoSuchOverload)),
            Err(EvalError::CostLimit) => Err(EvalError::CostLimit),
            Err(error) => Ok(Err(error)),
        }
    }
}
