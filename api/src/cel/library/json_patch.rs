//! Kubernetes' library for JSON patches, which the mutations of admission policies have.

use super::super::cost::CostRule;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::Value;

/// Its one function.
pub(in crate::cel) const ESCAPE_KEY: &str = "jsonpatch.escapeKey";

pub(super) const FUNCTIONS: &[Overload] = &[Overload::global(ESCAPE_KEY, &[Sig::String], Sig::String, |args| {
    let Some(key) = args[0].as_str() else { return mismatch() };
    // In this order: what the second step writes has no `~` of its own to be escaped.
    Ok(Value::text(key.replace('~', "~0").replace('/', "~1")))
})
.costs(CostRule::Scan(0))];
