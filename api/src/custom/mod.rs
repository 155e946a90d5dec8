//! Custom resources, as far as no I/O is needed: definitions ([`definition_errors`]), the schemas in them, and what those schemas do to
//! objects: pruning, defaults, validation, rules, columns, conversion, documents.
//!
//! A definition becomes rows of the catalogue ([`rows`]); generic code then treats its objects like all others, and what is
//! particular to them is behind [`CustomKind`]. Upstream is `k8s.io/apiextensions-apiserver`.
//!
//! Invariant: nothing here panics or runs away, whatever the schema: depth, sizes of patterns and costs of rules are bounded.

mod convert;
mod decode;
mod defaulting;
mod definition;
mod document;
mod embedded;
mod finalizers;
mod json_path;
mod kind;
mod listtype;
mod prune;
mod row;
mod rules;
mod scale;
mod schema;
mod table;
#[cfg(test)]
mod tests;
mod validate;

pub use convert::{ConversionError, Review, convert_by_name};
pub(crate) use decode::{declared, decode_custom};
pub use defaulting::apply_defaults;
pub use definition::{definition_errors, definition_status_errors, definition_update_errors};
pub(crate) use document::{Form, add_definitions, definition_name, list_definition_name};
pub use embedded::{coerce_embedded, embedded_errors};
pub use json_path::{JsonPath, JsonPathError};
pub use kind::{Conversion, CustomKind, CustomScale};
pub use listtype::list_errors;
pub use prune::prune;
pub use row::{RowError, rows};
pub use rules::{
    BUDGET, CompiledRule, ESTIMATE_LIMIT, PER_CALL_LIMIT, Rule, Rules, SCHEMA_ESTIMATE_LIMIT, declare, rule_errors,
    rule_warnings,
};
pub use schema::{Additional, Checks, MAX_DEPTH, Schema, SchemaError, SchemaType};
pub use table::PrinterColumn;
pub use validate::{format_matches, value_errors};
