//! Evaluation: the value of an expression, within a cost limit.

use std::borrow::Cow;
use std::sync::Arc;

use super::ast::{Expr, Fold, FoldOp, Kind, Literal};
use super::check::{Facts, type_name};
use super::compare::{entries, equal};
use super::cost::{CostRule, MAKE_LIST, MAKE_MAP, REACH, Range, scaled};
use super::decl::ListKind;
use super::error::EvalError;
use super::function::Overload;
use super::library;
use super::types::Bindings;
use super::value::{List, Map, Value, select};

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

/// One evaluation.
pub(super) struct Evaluator<'a> {
    pub(super) facts: &'a Facts,
    pub(super) scope: Vec<(&'a str, Value<'a>)>,
    pub(super) cost: u64,
    pub(super) limit: u64,
}

impl<'a> Evaluator<'a> {
    fn charge(&mut self, cost: u64) -> std::result::Result<(), EvalError> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit { Err(EvalError::CostLimit) } else { Ok(()) }
    }

    pub(super) fn eval(&mut self, expr: &'a Expr) -> Result<'a> {
        match &expr.kind {
            Kind::Literal(literal) => Ok(of_literal(literal)),
            Kind::Ident(name) => self.ident(expr, name),
            Kind::Select { operand, field, optional } => self.select(expr, operand, field, *optional),
            Kind::Has { operand, field } => {
                let value = self.eval(operand)?;
                Ok(Value::Bool(select(&value, field)?.is_some()))
            }
            Kind::Call { function, target, args } => self.call(expr, function, target.as_deref(), args),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Fold(fold) => self.fold(fold),
            Kind::Bind { name, init, body } => {
                self.charge(MAKE_LIST)?;
                let value = self.eval(init)?;
                self.within([(name.as_str(), value)], body)
            }
            Kind::OptMap { target, name, body, flat } => {
                self.charge(2)?;
                let Value::Optional(inner) = self.eval(target)? else { return Err(EvalError::NoSuchOverload) };
                let Some(inner) = inner else { return Ok(Value::Optional(None)) };
                let value = self.within([(name.as_str(), Value::clone(&inner))], body)?;
                Ok(if *flat { value } else { Value::optional(Some(value)) })
            }
        }
    }

    fn within<const N: usize>(&mut self, variables: [(&'a str, Value<'a>); N], expr: &'a Expr) -> Result<'a> {
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
        let value = self.eval(operand)?;
        self.charge(REACH)?;
        let found = select(&value, field)?;
        if optional || matches!(value, Value::Optional(_)) {
            return Ok(match found {
                Some(Value::Optional(inner)) => Value::Optional(inner),
                other => Value::optional(other),
            });
        }
        found.ok_or_else(|| EvalError::NoSuchKey(field.to_string()))
    }

    fn call(&mut self, expr: &'a Expr, function: &str, target: Option<&'a Expr>, args: &'a [Expr]) -> Result<'a> {
        match function {
            "_&&_" => return self.logical(&args[0], &args[1], false),
            "_||_" => return self.logical(&args[0], &args[1], true),
            "_?_:_" => {
                return match self.eval(&args[0])? {
                    Value::Bool(true) => self.eval(&args[1]),
                    Value::Bool(false) => self.eval(&args[2]),
                    _ => Err(EvalError::NoSuchOverload),
                };
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(args.len() + 1);
        for part in target.into_iter().chain(args) {
            values.push(self.eval(part)?);
        }
        let overload = self.overload(expr, &values)?;
        let sizes: Vec<Range> = values.iter().map(|value| Range::exactly(value.size())).collect();
        if overload.cost != CostRule::Join {
            self.charge(overload.cost.of(&sizes, None, Range::ZERO).max.saturating_add(unordered(&values)))?;
        }
        let result = (overload.body)(&values)?;
        if overload.cost == CostRule::Join {
            self.charge(scaled(result.size(), 0.2))?;
        }
        Ok(result)
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

    fn fold(&mut self, fold: &'a Fold) -> Result<'a> {
        let range = self.eval(&fold.range)?;
        let items: Vec<(Value<'a>, Value<'a>)> = match &range {
            Value::List(list) => {
                list.iter().enumerate().map(|(index, item)| (Value::Int(index as i64), item)).collect()
            }
            value @ (Value::Map(_) | Value::Object(_)) => entries(value),
            _ => return Err(EvalError::NoSuchOverload),
        };
        let is_list = matches!(range, Value::List(_));
        self.charge(start(fold.op) + REACH)?;
        match fold.op {
            FoldOp::All => self.quantify(fold, items, is_list, false),
            FoldOp::Exists => self.quantify(fold, items, is_list, true),
            _ => self.collect(fold, items, is_list),
        }
    }

    /// A part of the macro for one element.
    fn step(&mut self, fold: &'a Fold, part: &'a Expr, item: &(Value<'a>, Value<'a>), is_list: bool) -> Result<'a> {
        let (key, value) = item;
        match &fold.var2 {
            Some(second) => self.within([(fold.var.as_str(), key.clone()), (second.as_str(), value.clone())], part),
            None => {
                let own = if is_list { value } else { key };
                self.within([(fold.var.as_str(), own.clone())], part)
            }
        }
    }

    fn quantify(
        &mut self,
        fold: &'a Fold,
        items: Vec<(Value<'a>, Value<'a>)>,
        is_list: bool,
        decisive: bool,
    ) -> Result<'a> {
        let mut failure = None;
        for item in &items {
            self.charge(if decisive { 4 } else { 3 })?;
            match self.step(fold, &fold.body, item, is_list) {
                Ok(Value::Bool(flag)) if flag == decisive => return Ok(Value::Bool(decisive)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => failure = Some(EvalError::NoSuchOverload),
                Err(EvalError::CostLimit) => return Err(EvalError::CostLimit),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn collect(&mut self, fold: &'a Fold, items: Vec<(Value<'a>, Value<'a>)>, is_list: bool) -> Result<'a> {
        let (mut list, mut map, mut count) = (Vec::new(), Vec::new(), 0_usize);
        for item in &items {
            if let Some(filter) = &fold.filter
                && !is_true(&self.step(fold, filter, item, is_list)?)?
            {
                self.charge(1)?;
                continue;
            }
            self.charge(REACH + 1)?;
            let value = self.step(fold, &fold.body, item, is_list)?;
            match fold.op {
                FoldOp::ExistsOne => count += usize::from(is_true(&value)?),
                FoldOp::Filter if is_true(&value)? => {
                    self.charge(REACH + MAKE_LIST)?;
                    list.push(if is_list { item.1.clone() } else { item.0.clone() });
                }
                FoldOp::Map => {
                    self.charge(MAKE_LIST)?;
                    list.push(value);
                }
                FoldOp::TransformMap => map.push((item.0.clone(), value)),
                FoldOp::TransformMapEntry => {
                    for (key, value) in entries(&value) {
                        // Looking for the key among the others.
                        self.charge(map.len() as u64 / 10)?;
                        insert(&mut map, key, value)?;
                    }
                }
                FoldOp::Filter | FoldOp::All | FoldOp::Exists => {}
            }
        }
        Ok(match fold.op {
            FoldOp::ExistsOne => Value::Bool(count == 1),
            FoldOp::TransformMap | FoldOp::TransformMapEntry => Value::Map(Map::Made(Arc::new(map))),
            _ => Value::list(list),
        })
    }
}

fn start(op: FoldOp) -> u64 {
    match op {
        FoldOp::Map | FoldOp::Filter => MAKE_LIST,
        FoldOp::TransformMap | FoldOp::TransformMapEntry => MAKE_MAP,
        FoldOp::All | FoldOp::Exists | FoldOp::ExistsOne => 0,
    }
}

fn is_true(value: &Value<'_>) -> std::result::Result<bool, EvalError> {
    value.as_bool().ok_or(EvalError::NoSuchOverload)
}

fn insert<'a>(
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

/// Comparing or uniting lists without order takes each element of one with each of the other.
fn unordered(values: &[Value<'_>]) -> u64 {
    match values {
        [Value::List(a), Value::List(b)] => {
            let loose = |list: &List<'_>| matches!(list, List::Json(_, _, ListKind::Set | ListKind::Map(_)));
            if loose(a) || loose(b) { scaled((a.len() as u64).saturating_mul(b.len() as u64), 0.1) } else { 0 }
        }
        _ => 0,
    }
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
