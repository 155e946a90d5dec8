//! Operators, `size`, membership, optional values (CEL language definition, "List of Standard Definitions").

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::compare::{comparable, concat, equal, member, order};
use super::super::cost::{CostRule, SizeRule};
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::Value;

const A: Sig = Sig::Param(0);
const B: Sig = Sig::Param(1);
const LIST: Sig = Sig::List(&A);
const MAP: Sig = Sig::Map(&A, &B);
const OPTIONAL: Sig = Sig::Optional(&A);

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::global("_==_", &[A, A], Sig::Bool, |args| Ok(Value::Bool(equal(&args[0], &args[1]))))
        .costs(CostRule::Compare),
    Overload::global("_!=_", &[A, A], Sig::Bool, |args| Ok(Value::Bool(!equal(&args[0], &args[1]))))
        .costs(CostRule::Compare),
    // Order is defined for pairs of types: `is_ordered` in the checker says which.
    Overload::global("_<_", &[Sig::Dyn, Sig::Dyn], Sig::Bool, |args| ordered(args, Ordering::is_lt))
        .costs(CostRule::Compare),
    Overload::global("_<=_", &[Sig::Dyn, Sig::Dyn], Sig::Bool, |args| ordered(args, Ordering::is_le))
        .costs(CostRule::Compare),
    Overload::global("_>_", &[Sig::Dyn, Sig::Dyn], Sig::Bool, |args| ordered(args, Ordering::is_gt))
        .costs(CostRule::Compare),
    Overload::global("_>=_", &[Sig::Dyn, Sig::Dyn], Sig::Bool, |args| ordered(args, Ordering::is_ge))
        .costs(CostRule::Compare),
    Overload::global("!_", &[Sig::Bool], Sig::Bool, |args| match &args[0] {
        Value::Bool(flag) => Ok(Value::Bool(!flag)),
        _ => mismatch(),
    }),
    Overload::global("-_", &[Sig::Int], Sig::Int, negate),
    Overload::global("-_", &[Sig::Double], Sig::Double, negate),
    Overload::global("_+_", &[Sig::Int, Sig::Int], Sig::Int, add),
    Overload::global("_+_", &[Sig::Uint, Sig::Uint], Sig::Uint, add),
    Overload::global("_+_", &[Sig::Double, Sig::Double], Sig::Double, add),
    Overload::global("_+_", &[Sig::String, Sig::String], Sig::String, add).costs(CostRule::Concat).sized(SizeRule::Sum),
    Overload::global("_+_", &[Sig::Bytes, Sig::Bytes], Sig::Bytes, add).costs(CostRule::Concat).sized(SizeRule::Sum),
    Overload::global("_+_", &[LIST, LIST], LIST, add).sized(SizeRule::Sum),
    Overload::global("_+_", &[Sig::Timestamp, Sig::Duration], Sig::Timestamp, add),
    Overload::global("_+_", &[Sig::Duration, Sig::Timestamp], Sig::Timestamp, add),
    Overload::global("_+_", &[Sig::Duration, Sig::Duration], Sig::Duration, add),
    Overload::global("_-_", &[Sig::Int, Sig::Int], Sig::Int, subtract),
    Overload::global("_-_", &[Sig::Uint, Sig::Uint], Sig::Uint, subtract),
    Overload::global("_-_", &[Sig::Double, Sig::Double], Sig::Double, subtract),
    Overload::global("_-_", &[Sig::Timestamp, Sig::Timestamp], Sig::Duration, subtract),
    Overload::global("_-_", &[Sig::Timestamp, Sig::Duration], Sig::Timestamp, subtract),
    Overload::global("_-_", &[Sig::Duration, Sig::Duration], Sig::Duration, subtract),
    Overload::global("_*_", &[Sig::Int, Sig::Int], Sig::Int, multiply),
    Overload::global("_*_", &[Sig::Uint, Sig::Uint], Sig::Uint, multiply),
    Overload::global("_*_", &[Sig::Double, Sig::Double], Sig::Double, multiply),
    Overload::global("_/_", &[Sig::Int, Sig::Int], Sig::Int, divide),
    Overload::global("_/_", &[Sig::Uint, Sig::Uint], Sig::Uint, divide),
    Overload::global("_/_", &[Sig::Double, Sig::Double], Sig::Double, divide),
    Overload::global("_%_", &[Sig::Int, Sig::Int], Sig::Int, remainder),
    Overload::global("_%_", &[Sig::Uint, Sig::Uint], Sig::Uint, remainder),
    Overload::global("@in", &[A, LIST], Sig::Bool, is_in).costs(CostRule::InList),
    Overload::global("@in", &[A, MAP], Sig::Bool, is_in),
    Overload::global("_[_]", &[LIST, Sig::Int], A, index),
    Overload::global("_[_]", &[MAP, A], B, index),
    Overload::global("_[?_]", &[LIST, Sig::Int], OPTIONAL, optional_index),
    Overload::global("_[?_]", &[MAP, A], Sig::Optional(&B), optional_index),
    Overload::global("_[?_]", &[Sig::Optional(&LIST), Sig::Int], OPTIONAL, optional_index),
    Overload::global("_[?_]", &[Sig::Optional(&MAP), A], Sig::Optional(&B), optional_index),
    Overload::global("_[_]", &[Sig::Optional(&LIST), Sig::Int], OPTIONAL, optional_index),
    Overload::global("_[_]", &[Sig::Optional(&MAP), A], Sig::Optional(&B), optional_index),
    Overload::global("size", &[Sig::String], Sig::Int, size),
    Overload::global("size", &[Sig::Bytes], Sig::Int, size),
    Overload::global("size", &[LIST], Sig::Int, size),
    Overload::global("size", &[MAP], Sig::Int, size),
    Overload::method("size", &[Sig::String], Sig::Int, size),
    Overload::method("size", &[Sig::Bytes], Sig::Int, size),
    Overload::method("size", &[LIST], Sig::Int, size),
    Overload::method("size", &[MAP], Sig::Int, size),
    Overload::global("optional.of", &[A], OPTIONAL, |args| Ok(Value::optional(Some(args[0].clone())))),
    Overload::global("optional.none", &[], OPTIONAL, |_| Ok(Value::Optional(None))),
    Overload::global("optional.ofNonZeroValue", &[A], OPTIONAL, |args| {
        Ok(Value::optional((!is_zero(&args[0])).then(|| args[0].clone())))
    }),
    Overload::method("hasValue", &[OPTIONAL], Sig::Bool, |args| match &args[0] {
        Value::Optional(value) => Ok(Value::Bool(value.is_some())),
        _ => mismatch(),
    }),
    Overload::method("value", &[OPTIONAL], A, |args| match &args[0] {
        Value::Optional(Some(value)) => Ok(Value::clone(value)),
        Value::Optional(None) => Err(EvalError::other("optional.none() dereference")),
        _ => mismatch(),
    }),
    Overload::method("or", &[OPTIONAL, OPTIONAL], OPTIONAL, |args| match &args[0] {
        Value::Optional(Some(_)) => Ok(args[0].clone()),
        _ => Ok(args[1].clone()),
    }),
    Overload::method("orValue", &[OPTIONAL, A], A, |args| match &args[0] {
        Value::Optional(Some(value)) => Ok(Value::clone(value)),
        _ => Ok(args[1].clone()),
    }),
];

/// What comes of a number, time or duration that its type can't hold.
pub(super) fn overflow<'a>(kind: &str) -> Result<'a> {
    Err(EvalError::other(format!("{kind} overflow")))
}

/// Whether the value is the empty one of its type.
fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Int(number) => *number == 0,
        Value::Uint(number) => *number == 0,
        Value::Double(number) => *number == 0.0,
        Value::Duration(duration) => duration.is_zero(),
        Value::Optional(value) => value.is_none(),
        Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Object(_) => value.size() == 0,
        _ => false,
    }
}

fn ordered<'a>(args: &[Value<'a>], wanted: fn(Ordering) -> bool) -> Result<'a> {
    if !comparable(&args[0], &args[1]) {
        return mismatch();
    }
    Ok(Value::Bool(order(&args[0], &args[1]).is_some_and(wanted)))
}

fn negate<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        Value::Int(number) => number.checked_neg().map_or_else(|| overflow("integer"), |n| Ok(Value::Int(n))),
        Value::Double(number) => Ok(Value::Double(-number)),
        _ => mismatch(),
    }
}

fn add<'a>(args: &[Value<'a>]) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map_or_else(|| overflow("integer"), |n| Ok(Value::Int(n))),
        (Value::Uint(a), Value::Uint(b)) => {
            a.checked_add(*b).map_or_else(|| overflow("unsigned integer"), |n| Ok(Value::Uint(n)))
        }
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::String(a), Value::String(b)) => Ok(Value::text(format!("{a}{b}"))),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes(Arc::from([a.as_ref(), b.as_ref()].concat()))),
        (Value::List(a), Value::List(b)) => Ok(concat(a, b)),
        (Value::Timestamp(a), Value::Duration(b)) | (Value::Duration(b), Value::Timestamp(a)) => {
            a.plus(*b).map_or_else(|| overflow("timestamp"), |t| Ok(Value::Timestamp(t)))
        }
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_add(*b).map_or_else(|| overflow("duration"), |d| Ok(Value::Duration(d)))
        }
        _ => mismatch(),
    }
}

fn subtract<'a>(args: &[Value<'a>]) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::Int(a), Value::Int(b)) => a.checked_sub(*b).map_or_else(|| overflow("integer"), |n| Ok(Value::Int(n))),
        (Value::Uint(a), Value::Uint(b)) => {
            a.checked_sub(*b).map_or_else(|| overflow("unsigned integer"), |n| Ok(Value::Uint(n)))
        }
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Ok(Value::Duration(a.at.duration_since(b.at))),
        (Value::Timestamp(a), Value::Duration(b)) => {
            a.plus(-*b).map_or_else(|| overflow("timestamp"), |t| Ok(Value::Timestamp(t)))
        }
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_sub(*b).map_or_else(|| overflow("duration"), |d| Ok(Value::Duration(d)))
        }
        _ => mismatch(),
    }
}

fn multiply<'a>(args: &[Value<'a>]) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::Int(a), Value::Int(b)) => a.checked_mul(*b).map_or_else(|| overflow("integer"), |n| Ok(Value::Int(n))),
        (Value::Uint(a), Value::Uint(b)) => {
            a.checked_mul(*b).map_or_else(|| overflow("unsigned integer"), |n| Ok(Value::Uint(n)))
        }
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
        _ => mismatch(),
    }
}

fn divide<'a>(args: &[Value<'a>]) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => Err(EvalError::other("division by zero")),
        (Value::Int(a), Value::Int(b)) => a.checked_div(*b).map_or_else(|| overflow("integer"), |n| Ok(Value::Int(n))),
        (Value::Uint(a), Value::Uint(b)) => Ok(Value::Uint(a / b)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
        _ => mismatch(),
    }
}

fn remainder<'a>(args: &[Value<'a>]) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => Err(EvalError::other("modulus by zero")),
        (Value::Int(a), Value::Int(b)) => a.checked_rem(*b).map_or_else(|| overflow("integer"), |n| Ok(Value::Int(n))),
        (Value::Uint(a), Value::Uint(b)) => Ok(Value::Uint(a % b)),
        _ => mismatch(),
    }
}

fn is_in<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[1] {
        Value::List(list) => Ok(Value::Bool(list.iter().any(|item| equal(&args[0], &item)))),
        container @ (Value::Map(_) | Value::Object(_)) => Ok(Value::Bool(member(container, &args[0]).is_some())),
        _ => mismatch(),
    }
}

/// A list index, which may come as any number that is whole.
fn position(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Uint(number) => i64::try_from(*number).ok(),
        Value::Double(number) if number.fract() == 0.0 => Some(*number as i64),
        _ => None,
    }
}

fn index<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        Value::List(list) => {
            let Some(at) = position(&args[1]) else { return mismatch() };
            let found = usize::try_from(at).ok().and_then(|at| list.get(at));
            found.ok_or_else(|| EvalError::other(format!("index out of bounds: {at}")))
        }
        container @ (Value::Map(_) | Value::Object(_)) => {
            member(container, &args[1]).ok_or_else(|| EvalError::NoSuchKey(super::display(&args[1])))
        }
        Value::Optional(_) => optional_index(args),
        _ => mismatch(),
    }
}

fn optional_index<'a>(args: &[Value<'a>]) -> Result<'a> {
    let found = match &args[0] {
        Value::List(list) => {
            let Some(at) = position(&args[1]) else { return mismatch() };
            usize::try_from(at).ok().and_then(|at| list.get(at))
        }
        container @ (Value::Map(_) | Value::Object(_)) => member(container, &args[1]),
        Value::Optional(None) => None,
        Value::Optional(Some(inner)) => return optional_index(&[Value::clone(inner), args[1].clone()]),
        _ => return mismatch(),
    };
    Ok(Value::optional(found))
}

fn size<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        value @ (Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Object(_)) => {
            Ok(Value::Int(i64::try_from(value.size()).unwrap_or(i64::MAX)))
        }
        _ => mismatch(),
    }
}
