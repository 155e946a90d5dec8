//! Selectors: which objects a request, a controller or a Service means.
//!
//! A [`LabelSelector`] comes from a query string (`app=web,tier in (a,b)`), from a `LabelSelector` object or from a
//! plain map; a [`FieldSelector`] only from a query string. Both are parsed once and matched often.

mod field;
mod label;
mod parse;

pub use field::{FieldSelector, FieldSelectorError, FieldTerm};
pub use label::{LabelSelector, Operator, Requirement, SelectorError};

#[cfg(test)]
mod tests;
