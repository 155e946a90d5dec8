//! `x-kubernetes-validations`: rules in CEL on the nodes of a schema (KEP-2876), compiled once and evaluated with every
//! write (`apiextensions-apiserver/pkg/apiserver/schema/cel`).

mod compile;
mod declare;
mod evaluate;
mod field_path;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::schema::{Additional, Schema};
use crate::cel::{Decl, Program};
pub use compile::{CompiledRule, compile_rule};
pub use declare::declare;
pub use evaluate::{rule_errors, rule_warnings};
pub(super) use field_path::field_path;

/// Cost of one rule at most, per evaluation.
pub const PER_CALL_LIMIT: u64 = 1_000_000;
/// Cost of all rules of an object at most, per write.
pub const BUDGET: u64 = 10_000_000;
/// Estimated cost of one rule at most, times how often it can be evaluated.
pub const ESTIMATE_LIMIT: u64 = 10_000_000;
/// Estimated cost of all rules of a schema at most.
pub const SCHEMA_ESTIMATE_LIMIT: u64 = 100_000_000;

/// A rule as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// The expression, which must come out true.
    pub rule: String,
    /// What to say otherwise.
    pub message: String,
    /// An expression for what to say otherwise.
    pub message_expression: String,
    /// `FieldValueInvalid` and its like.
    pub reason: String,
    /// Which field is to blame: a JSON path below the node.
    pub field_path: String,
    /// Whether it also runs without an old value, `oldSelf` being optional; `None` when not said.
    pub optional_old_self: Option<bool>,
}

impl Rule {
    /// Reads `x-kubernetes-validations`.
    pub(super) fn list(rules: Option<&Value>) -> Vec<Self> {
        let text = |rule: &Value, name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let read = |rule: &Value| Self {
            rule: text(rule, "rule"),
            message: text(rule, "message"),
            message_expression: text(rule, "messageExpression"),
            reason: text(rule, "reason"),
            field_path: text(rule, "fieldPath"),
            optional_old_self: rule.get("optionalOldSelf").and_then(Value::as_bool),
        };
        rules.and_then(Value::as_array).into_iter().flatten().map(read).collect()
    }

    /// What error texts call it.
    pub(super) fn label(&self) -> &str {
        if self.message.is_empty() { self.rule.trim() } else { self.message.trim() }
    }
}

/// The rules of a schema, in the shape of its tree; branches without rules are not there.
#[derive(Debug)]
pub struct Rules {
    schema: Arc<Schema>,
    decl: Arc<Decl>,
    own: Vec<CompiledRule>,
    properties: BTreeMap<String, Rules>,
    additional: Option<Box<Rules>>,
    items: Option<Box<Rules>>,
}

impl Rules {
    /// Compiles the rules of a schema; `None` when it has none.
    ///
    /// Rules that do not compile are kept as their errors: definitions with such rules are refused, so this is for schemas
    /// that were stored by another version.
    pub fn compile(schema: &Arc<Schema>, is_root: bool) -> Option<Self> {
        let decl = declare(schema, is_root);
        Self::node(schema, decl)
    }

    fn node(schema: &Arc<Schema>, decl: Option<Arc<Decl>>) -> Option<Self> {
        let decl = decl?;
        let own: Vec<CompiledRule> = schema.rules.iter().map(|rule| compile_rule(rule, schema, &decl)).collect();
        let below = |schema: &Arc<Schema>| Self::node(schema, declare(schema, schema.embedded));
        let properties: BTreeMap<String, Self> =
            schema.properties.iter().filter_map(|(name, schema)| Some((name.clone(), below(schema)?))).collect();
        let additional = match &schema.additional {
            Additional::Schema(schema) => below(schema).map(Box::new),
            Additional::Unsaid | Additional::Anything => None,
        };
        let items = schema.items.as_ref().and_then(below).map(Box::new);
        if own.is_empty() && properties.is_empty() && additional.is_none() && items.is_none() {
            return None;
        }
        Some(Self { schema: Arc::clone(schema), decl, own, properties, additional, items })
    }
}

/// Whether a program names the old value.
pub(super) fn uses_old_self(program: &Program) -> bool {
    program.uses("oldSelf")
}
