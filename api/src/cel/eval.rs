//! Evaluation: the value of an expression, within a cost limit.

use std::borrow::Cow;
use std::sync::Arc;

use super::ast::{Expr, Kind, Literal};
use super::check::{Facts, type_name};
use super::compare::equal;
use super::constants::{discount, is_place};
use super::cost::{MAKE_LIST, MAKE_MAP, REACH};
use super::deferred::Deferred;
use super::error::EvalError;
use super::library;
use super::types::Type;
use super::value::{Map, Value, select};
use super::work;

/// Cost of a call that no size matters to.
pub(super) const CALL: u64 = 1;

pub(super) type Result<'a> = std::result::Result<Value<'a>, EvalError>;

/// One evaluation.
pub(super) struct Evaluator<'a, 'd> {
    pub(super) facts: &'a Facts,
    /// Which nodes are constants.
    pub(super) constants: &'a [bool],
    pub(super) scope: Vec<(&'a str, Value<'a>)>,
    /// A variable whose fields are worked out as they are asked for, and how many of them can be.
    pub(super) deferred: Option<(&'d Deferred<'a>, usize)>,
    pub(super) cost: u64,
    pub(super) limit: u64,
}

impl<'a> Evaluator<'a, '_> {
    pub(super) fn charge(&mut self, cost: u64) -> std::result::Result<(), EvalError> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit { Err(EvalError::CostLimit) } else { Ok(()) }
    }

    pub(super) fn eval(&mut self, expr: &'a Expr) -> Result<'a> {
        if !work::spend(1) {
            return Err(EvalError::CostLimit);
        }
        let value = if self.constants[expr.id] { self.constant(expr) } else { self.node(expr) }?;
        if work::read(value.bytes()) { Ok(value) } else { Err(EvalError::CostLimit) }
    }

    /// Worked out beforehand, as far as costs are concerned.
    fn constant(&mut self, expr: &'a Expr) -> Result<'a> {
        let (cost, limit) = (self.cost, std::mem::replace(&mut self.limit, u64::MAX));
        let value = self.node(expr);
        (self.cost, self.limit) = (cost, limit);
        value
    }

    /// A place that is only named, by a condition or as an index: reaching it by itself costs nothing.
    pub(super) fn named(&mut self, expr: &'a Expr) -> Result<'a> {
        let value = self.eval(expr)?;
        if !self.constants[expr.id] {
            self.cost = self.cost.saturating_sub(discount(expr));
        }
        Ok(value)
    }

    /// What something is read from. A value that was made for it has to be reached first.
    pub(super) fn source(&mut self, expr: &'a Expr) -> Result<'a> {
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
                if let Some(found) = self.has_elsewhere(operand, field) {
                    return self.charge(REACH).map(|()| Value::Bool(found));
                }
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
        if matches!(self.facts.types[expr.id], Type::Type)
            && let Some(name) = type_name(expr)
        {
            return Ok(Value::Type(name.into()));
        }
        if let Some(value) = self.elsewhere(operand, field) {
            return if optional { value.map(|value| Value::optional(Some(value))) } else { value };
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
