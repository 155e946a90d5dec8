//! Evaluation: the value of an expression, within a cost limit.

use std::borrow::Cow;
use std::sync::Arc;

use super::ast::{Expr, Kind, Literal};
use super::check::{Facts, type_name};
use super::compare::equal;
use super::constants::{discount, is_place};
use super::cost::{CostRule, MAKE_LIST, MAKE_MAP, REACH, scaled};
use super::error::EvalError;
use super::function::Overload;
use super::library;
use super::types::Bindings;
use super::value::{Map, Value, select};

/// Cost of a call that no size matters to.
pub(super) const CALL: u64 = 1;

pub(super) type Result<'a> = std::result::Result<Value<'a>, EvalError>;

/// One evaluation.
pub(super) struct Evaluator<'a> {
    pub(super) facts: &'a Facts,
    /// Which nodes are constants.
    pub(super) constants: &'a [bool],
    pub(super) scope: Vec<(&'a str, Value<'a>)>,
    pub(super) cost: u64,
    pub(super) limit: u64,
}

impl<'a> Evaluator<'a> {
    pub(super) fn charge(&mut self, cost: u64) -> std::result::Result<(), EvalError> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit { Err(EvalError::CostLimit) } else { Ok(()) }
    }

    pub(super) fn eval(&mut self, expr: &'a Expr) -> Result<'a> {
        if !self.constants[expr.id] {
            return self.node(expr);
        }
        // Worked out beforehand, as far as costs are concerned.
        let (cost, limit) = (self.cost, std::mem::replace(&mut self.limit, u64::MAX));
        let value = self.node(expr);
        (self.cost, self.limit) = (cost, limit);
        value
    }

    /// A place that is only named, by a condition or as an index: reaching it by itself costs nothing.
    fn named(&mut self, expr: &'a Expr) -> Result<'a> {
        let value = self.eval(expr)?;
        if !self.constants[expr.id] {
            self.cost = self.cost.saturating_sub(discount(expr));
        }
        Ok(value)
    }

    /// What something is read from. A value that was made for it has to be reached first.
    fn source(&mut self, expr: &'a Expr) -> Result<'a> {
        let value = self.eval(expr)?;
        if self.constants[expr.id] || !is_place(expr) {
            self.charge(REACH)?;
        }
        Ok(value)
    }

    fn node(&mut self, expr: &'a Expr) -> Result<'a> {
        match &expr.kind {
            Kind::Literal(literal) => Ok(of_literal(literal)),
            Kind::Ident(name) => self.ident(expr, name),
            Kind::Select { operand, field, optional } => self.select(expr, operand, field, *optional),
            Kind::Has { operand, field } => {
                let value = self.source(operand)?;
                Ok(Value::Bool(select(&value, field)?.is_some()))
            }
            Kind::Call { function, target, args } => self.call(expr, function, target.as_deref(), args),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct { name, fields } => self.structure(name, fields),
            Kind::Fold(fold) => self.fold(fold),
            Kind::Bind { name, init, body } => {
                let value = self.eval(init)?;
                self.within([(name.as_str(), value)], body)
            }
            Kind::OptMap { target, name, body, flat } => self.opt_map(target, name, body, *flat),
        }
    }

    /// `target.hasValue() ? optional.of(body of target.value()) : optional.none()`: the target is evaluated twice.
    fn opt_map(&mut self, target: &'a Expr, name: &'a str, body: &'a Expr, flat: bool) -> Result<'a> {
        let before = self.cost;
        let Value::Optional(inner) = self.eval(target)? else { return Err(EvalError::NoSuchOverload) };
        let again = self.cost - before;
        self.charge(CALL)?;
        let Some(inner) = inner else {
            self.charge(CALL)?;
            return Ok(Value::Optional(None));
        };
        self.charge(again.saturating_add(CALL))?;
        let value = self.within([(name, Value::clone(&inner))], body)?;
        if flat {
            return Ok(value);
        }
        self.charge(CALL)?;
        Ok(Value::optional(Some(value)))
    }

    pub(super) fn within<const N: usize>(
        &mut self,
        variables: [(&'a str, Value<'a>); N],
        expr: &'a Expr,
    ) -> Result<'a> {
        let outside = self.scope.len();
        self.scope.extend(variables);
        let value = self.eval(expr);
        self.scope.truncate(outside);
        value
    }

    fn ident(&mut self, expr: &'a Expr, name: &str) -> Result<'a> {
        self.charge(REACH)?;
        if let Some((_, value)) = self.scope.iter().rev().find(|(own, _)| *own == name) {
            return Ok(value.clone());
        }
        match type_name(expr) {
            Some(name) => Ok(Value::Type(name.into())),
            None => Err(EvalError::NoSuchAttribute(name.to_string())),
        }
    }

    fn select(&mut self, expr: &'a Expr, operand: &'a Expr, field: &str, optional: bool) -> Result<'a> {
        if matches!(self.facts.types[expr.id], super::types::Type::Type)
            && let Some(name) = type_name(expr)
        {
            return Ok(Value::Type(name.into()));
        }
        let value = self.source(operand)?;
        let optional = optional || matches!(value, Value::Optional(_));
        let found = select(&value, field);
        // What may be absent and is costs nothing.
        if !(optional && matches!(found, Ok(None))) {
            self.charge(REACH)?;
        }
        let found = found?;
        if optional {
            return Ok(match found {
                Some(Value::Optional(inner)) => Value::Optional(inner),
                other => Value::optional(other),
            });
        }
        found.ok_or_else(|| EvalError::NoSuchKey(field.to_string()))
    }

    fn call(&mut self, expr: &'a Expr, function: &str, target: Option<&'a Expr>, args: &'a [Expr]) -> Result<'a> {
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

    fn list(&mut self, items: &'a [(Expr, bool)]) -> Result<'a> {
        self.charge(MAKE_LIST)?;
        let mut list = Vec::with_capacity(items.len());
        for (item, optional) in items {
            match (self.eval(item)?, optional) {
                (Value::Optional(None), true) => {}
                (Value::Optional(Some(value)), true) => list.push(Value::clone(&value)),
                (value, _) => list.push(value),
            }
        }
        Ok(Value::list(list))
    }

    fn map(&mut self, entries: &'a [(Expr, Expr, bool)]) -> Result<'a> {
        self.charge(MAKE_MAP)?;
        let mut made: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let key = self.eval(key)?;
            let value = match (self.eval(value)?, optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(value)), true) => Value::clone(&value),
                (value, _) => value,
            };
            insert(&mut made, key, value)?;
        }
        Ok(Value::Map(Map::Made(Arc::new(made))))
    }
}

pub(super) fn insert<'a>(
    map: &mut Vec<(Value<'a>, Value<'a>)>,
    key: Value<'a>,
    value: Value<'a>,
) -> std::result::Result<(), EvalError> {
    if map.iter().any(|(own, _)| equal(own, &key)) {
        return Err(EvalError::other(format!("Failed with repeated key: {}", library::display(&key))));
    }
    map.push((key, value));
    Ok(())
}

fn of_literal(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(flag) => Value::Bool(*flag),
        Literal::Int(number) => Value::Int(*number),
        Literal::Uint(number) => Value::Uint(*number),
        Literal::Double(number) => Value::Double(*number),
        Literal::String(text) => Value::String(Cow::Borrowed(text)),
        Literal::Bytes(bytes) => Value::Bytes(Arc::from(bytes.as_slice())),
    }
}
