//! CEL's sets extension: lists as sets.

use super::super::compare::equal;
use super::super::cost::CostRule;
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::{List, Value};

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const LIST: Sig = Sig::List(&Sig::Param(0));

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::global("sets.contains", &[LIST, LIST], Sig::Bool, |args| two(args, contains)).costs(CostRule::Product),
    Overload::global("sets.equivalent", &[LIST, LIST], Sig::Bool, |args| {
        two(args, |a, b| contains(a, b) && contains(b, a))
    })
    .costs(CostRule::Product),
    Overload::global("sets.intersects", &[LIST, LIST], Sig::Bool, |args| {
        two(args, |a, b| a.iter().any(|item| has(b, &item)))
    })
    .costs(CostRule::Product),
];

fn two<'a>(args: &[Value<'a>], body: fn(&List<'a>, &List<'a>) -> bool) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::List(a), Value::List(b)) => Ok(Value::Bool(body(a, b))),
        _ => mismatch(),
    }
}

fn has(list: &List<'_>, wanted: &Value<'_>) -> bool {
    list.iter().any(|item| equal(&item, wanted))
}

fn contains(list: &List<'_>, others: &List<'_>) -> bool {
    others.iter().all(|item| has(list, &item))
}
