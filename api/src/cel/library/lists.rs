//! Kubernetes' list library, and the list functions that CEL's extensions add.

use std::cmp::Ordering;

use jiff::SignedDuration;

use super::super::compare::{comparable, equal, order};
use super::super::cost::{CostRule, SizeRule};
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::{List, Value};
use super::super::work;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const A: Sig = Sig::Param(0);
const LIST: Sig = Sig::List(&A);

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::method("isSorted", &[LIST], Sig::Bool, is_sorted).costs(CostRule::Traverse),
    Overload::method("sum", &[LIST], A, sum).costs(CostRule::Traverse),
    Overload::method("min", &[LIST], A, |args| extreme(args, "min", Ordering::is_lt)).costs(CostRule::Traverse),
    Overload::method("max", &[LIST], A, |args| extreme(args, "max", Ordering::is_gt)).costs(CostRule::Traverse),
    Overload::method("indexOf", &[LIST, A], Sig::Int, |args| position(args, false)).costs(CostRule::Traverse),
    Overload::method("lastIndexOf", &[LIST, A], Sig::Int, |args| position(args, true)).costs(CostRule::Traverse),
    Overload::method("includes", &[LIST, A], Sig::Bool, |args| {
        with(args, |list| Ok(Value::Bool(list.iter().any(|item| equal(&item, &args[1])))))
    })
    .costs(CostRule::Elements),
    Overload::method("slice", &[LIST, Sig::Int, Sig::Int], LIST, slice).costs(CostRule::Elements).sized(SizeRule::UpTo),
    Overload::method("first", &[LIST], Sig::Optional(&A), |args| with(args, |list| Ok(Value::optional(list.get(0))))),
    Overload::method("last", &[LIST], Sig::Optional(&A), |args| {
        with(args, |list| Ok(Value::optional(list.len().checked_sub(1).and_then(|last| list.get(last)))))
    }),
];

fn with<'a>(args: &[Value<'a>], body: impl FnOnce(&List<'a>) -> Result<'a>) -> Result<'a> {
    match &args[0] {
        Value::List(list) => body(list),
        _ => mismatch(),
    }
}

fn is_sorted<'a>(args: &[Value<'a>]) -> Result<'a> {
    with(args, |list| {
        let items: Vec<Value<'a>> = list.iter().collect();
        for pair in items.windows(2) {
            if !comparable(&pair[0], &pair[1]) {
                return mismatch();
            }
            if order(&pair[0], &pair[1]).is_some_and(Ordering::is_gt) {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    })
}

fn sum<'a>(args: &[Value<'a>]) -> Result<'a> {
    with(args, |list| {
        let mut items = list.iter();
        // The sum of no durations is no integer, but what an empty list would hold is only known when it compiles.
        let Some(mut total) = items.next() else { return Ok(Value::Int(0)) };
        for item in items {
            total = match (&total, &item) {
                (Value::Int(a), Value::Int(b)) => {
                    Value::Int(a.checked_add(*b).ok_or_else(|| EvalError::other("integer overflow"))?)
                }
                (Value::Uint(a), Value::Uint(b)) => {
                    Value::Uint(a.checked_add(*b).ok_or_else(|| EvalError::other("unsigned integer overflow"))?)
                }
                (Value::Double(a), Value::Double(b)) => Value::Double(a + b),
                (Value::Duration(a), Value::Duration(b)) => Value::Duration(
                    SignedDuration::checked_add(*a, *b).ok_or_else(|| EvalError::other("duration overflow"))?,
                ),
                _ => return mismatch(),
            };
        }
        Ok(total)
    })
}

fn extreme<'a>(args: &[Value<'a>], name: &str, better: fn(Ordering) -> bool) -> Result<'a> {
    with(args, |list| {
        let mut items = list.iter();
        let mut best = items.next().ok_or_else(|| EvalError::other(format!("{name} called on empty list")))?;
        for item in items {
            if !comparable(&item, &best) {
                return mismatch();
            }
            if order(&item, &best).is_some_and(better) {
                best = item;
            }
        }
        Ok(best)
    })
}

fn position<'a>(args: &[Value<'a>], last: bool) -> Result<'a> {
    with(args, |list| {
        let mut places = (0..list.len()).filter(|index| list.get(*index).is_some_and(|item| equal(&item, &args[1])));
        let found = if last { places.next_back() } else { places.next() };
        Ok(Value::Int(found.map_or(-1, |index| index as i64)))
    })
}

fn slice<'a>(args: &[Value<'a>]) -> Result<'a> {
    with(args, |list| {
        let (Value::Int(start), Value::Int(end)) = (&args[1], &args[2]) else { return mismatch() };
        let bounds = (usize::try_from(*start).ok(), usize::try_from(*end).ok());
        match bounds {
            (Some(from), Some(to)) if from <= to && to <= list.len() => {
                if !work::spend(to - from) {
                    return Err(EvalError::CostLimit);
                }
                Ok(Value::list(list.iter().skip(from).take(to - from).collect()))
            }
            _ => Err(EvalError::other(format!("cannot slice({start}, {end}), list is length {}", list.len()))),
        }
    })
}
