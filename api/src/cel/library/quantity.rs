//! Kubernetes' quantity library.

use std::cmp::Ordering;

use super::super::cost::CostRule;
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::{Opaque, Sig};
use super::super::value::Value;
use crate::quantity::{Format, Quantity};

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const TEXT: Sig = Sig::String;
const QUANTITY: Sig = Sig::Opaque(Opaque::Quantity);
const NANO: i128 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::global("quantity", &[TEXT], QUANTITY, |args| match args[0].as_str() {
        Some(text) => match text.parse() {
            Ok(quantity) => Ok(Value::Quantity(quantity)),
            Err(error) => Err(EvalError::other(error.to_string())),
        },
        None => mismatch(),
    })
    .costs(CostRule::Scan(0)),
    Overload::global("isQuantity", &[TEXT], Sig::Bool, |args| match args[0].as_str() {
        Some(text) => Ok(Value::Bool(text.parse::<Quantity>().is_ok())),
        None => mismatch(),
    })
    .costs(CostRule::Scan(0)),
    Overload::method("sign", &[QUANTITY], Sig::Int, |args| of(args, |q| Ok(Value::Int(q.nanos().signum() as i64)))),
    Overload::method("isInteger", &[QUANTITY], Sig::Bool, |args| of(args, |q| Ok(Value::Bool(whole(q).is_some())))),
    Overload::method("asInteger", &[QUANTITY], Sig::Int, |args| {
        of(args, |q| whole(q).map(Value::Int).ok_or_else(|| EvalError::other("cannot convert value to integer")))
    }),
    Overload::method("asApproximateFloat", &[QUANTITY], Sig::Double, |args| {
        of(args, |q| Ok(Value::Double(q.nanos() as f64 / NANO as f64)))
    }),
    Overload::method("isGreaterThan", &[QUANTITY, QUANTITY], Sig::Bool, |args| two(args, |a, b| Value::Bool(a > b))),
    Overload::method("isLessThan", &[QUANTITY, QUANTITY], Sig::Bool, |args| two(args, |a, b| Value::Bool(a < b))),
    Overload::method("compareTo", &[QUANTITY, QUANTITY], Sig::Int, |args| {
        two(args, |a, b| Value::Int(sign(a.cmp(&b))))
    }),
    Overload::method("add", &[QUANTITY, QUANTITY], QUANTITY, |args| two(args, |a, b| Value::Quantity(a + b))),
    Overload::method("add", &[QUANTITY, Sig::Int], QUANTITY, |args| two(args, |a, b| Value::Quantity(a + b))),
    Overload::method("sub", &[QUANTITY, QUANTITY], QUANTITY, |args| two(args, |a, b| Value::Quantity(a - b))),
    Overload::method("sub", &[QUANTITY, Sig::Int], QUANTITY, |args| two(args, |a, b| Value::Quantity(a - b))),
];

fn sign(order: Ordering) -> i64 {
    order as i64
}

fn whole(quantity: Quantity) -> Option<i64> {
    if quantity.is_whole() { i64::try_from(quantity.nanos() / NANO).ok() } else { None }
}

fn of<'a>(args: &[Value<'a>], body: fn(Quantity) -> Result<'a>) -> Result<'a> {
    match &args[0] {
        Value::Quantity(quantity) => body(*quantity),
        _ => mismatch(),
    }
}

fn two<'a>(args: &[Value<'a>], body: fn(Quantity, Quantity) -> Value<'a>) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::Quantity(a), Value::Quantity(b)) => Ok(body(*a, *b)),
        (Value::Quantity(a), Value::Int(units)) => Ok(body(*a, Quantity::from_units(*units, Format::DecimalSi))),
        _ => mismatch(),
    }
}
