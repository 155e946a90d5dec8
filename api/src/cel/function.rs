//! What a function is: its signature, what it does, and what that costs.

use super::cost::{CostRule, SizeRule};
use super::error::EvalError;
use super::types::Sig;
use super::value::Value;

/// The body of a function: values in, value out. Arguments have the types of the signature (a target comes first).
pub(super) type Body = for<'a> fn(&[Value<'a>]) -> Result<Value<'a>, EvalError>;

/// One signature of a function.
#[derive(Debug)]
pub(super) struct Overload {
    /// `size`, `_+_`, `sets.contains`
    pub(super) name: &'static str,
    /// Whether it is called as `a.f(b)`, the first parameter being `a`.
    pub(super) method: bool,
    pub(super) params: &'static [Sig],
    pub(super) result: Sig,
    pub(super) body: Body,
    pub(super) cost: CostRule,
    pub(super) size: SizeRule,
}

impl Overload {
    /// `f(a, b)`
    pub(super) const fn global(name: &'static str, params: &'static [Sig], result: Sig, body: Body) -> Self {
        Self { name, method: false, params, result, body, cost: CostRule::One, size: SizeRule::Unknown }
    }

    /// `a.f(b)`
    pub(super) const fn method(name: &'static str, params: &'static [Sig], result: Sig, body: Body) -> Self {
        Self { name, method: true, params, result, body, cost: CostRule::One, size: SizeRule::Unknown }
    }

    /// What a call costs.
    pub(super) const fn costs(mut self, cost: CostRule) -> Self {
        self.cost = cost;
        self
    }

    /// How large the result can be.
    pub(super) const fn sized(mut self, size: SizeRule) -> Self {
        self.size = size;
        self
    }
}

/// For arguments that the signature rules out.
pub(super) fn mismatch<'a>() -> Result<Value<'a>, EvalError> {
    Err(EvalError::NoSuchOverload)
}
