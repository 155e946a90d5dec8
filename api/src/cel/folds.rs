//! Evaluating the macros that go over a list or a map. They cost what the loops cost that cel-go makes of them.

use std::sync::Arc;

use super::ast::{Expr, Fold, FoldOp};
use super::compare::entries;
use super::cost::{MAKE_LIST, REACH};
use super::error::EvalError;
use super::eval::{CALL, Evaluator, Result, insert};
use super::value::{Map, Value};
use super::work;

impl<'a> Evaluator<'a, '_> {
    pub(super) fn fold(&mut self, fold: &'a Fold) -> Result<'a> {
        let range = self.eval(&fold.range)?;
        let items: Vec<(Value<'a>, Value<'a>)> = match &range {
            Value::List(list) => {
                if !work::spend(list.len()) {
                    return Err(EvalError::CostLimit);
                }
                list.iter().enumerate().map(|(index, item)| (Value::Int(index as i64), item)).collect()
            }
            value @ (Value::Map(_) | Value::Object(_)) => entries(value),
            _ => return Err(EvalError::NoSuchOverload),
        };
        let is_list = matches!(range, Value::List(_));
        // The result is read, and compared if it is a count.
        self.charge(if fold.op == FoldOp::ExistsOne { REACH + CALL } else { REACH })?;
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
        // Each round asks first whether there is anything left to decide, then reads what is known so far.
        let ask = if decisive { REACH + 2 * CALL } else { REACH + CALL };
        let mut rest = items.iter();
        while let Some(item) = rest.next() {
            self.charge(ask + REACH)?;
            match self.step(fold, &fold.body, item, is_list) {
                Ok(Value::Bool(flag)) if flag == decisive => {
                    if rest.next().is_some() {
                        self.charge(ask)?;
                    }
                    return Ok(Value::Bool(decisive));
                }
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
                continue;
            }
            let value = self.step(fold, &fold.body, item, is_list)?;
            match fold.op {
                FoldOp::ExistsOne if is_true(&value)? => {
                    self.charge(REACH + CALL)?;
                    count += 1;
                }
                FoldOp::Filter if is_true(&value)? => {
                    self.charge(REACH + MAKE_LIST + REACH + CALL)?;
                    list.push(if is_list { item.1.clone() } else { item.0.clone() });
                }
                FoldOp::Map => {
                    self.charge(REACH + MAKE_LIST + CALL)?;
                    list.push(value);
                }
                FoldOp::TransformMap => {
                    self.charge(2 * REACH + CALL)?;
                    map.push((item.0.clone(), value));
                }
                FoldOp::TransformMapEntry => {
                    self.charge(REACH + CALL)?;
                    for (key, value) in entries(&value) {
                        // Looking for the key among the others.
                        self.charge(map.len() as u64 / 10)?;
                        insert(&mut map, key, value)?;
                    }
                }
                FoldOp::ExistsOne | FoldOp::Filter | FoldOp::All | FoldOp::Exists => {}
            }
        }
        Ok(match fold.op {
            FoldOp::ExistsOne => Value::Bool(count == 1),
            FoldOp::TransformMap | FoldOp::TransformMapEntry => Value::Map(Map::Made(Arc::new(map))),
            _ => Value::list(list),
        })
    }
}

fn is_true(value: &Value<'_>) -> std::result::Result<bool, EvalError> {
    value.as_bool().ok_or(EvalError::NoSuchOverload)
}
