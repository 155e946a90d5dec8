//! `x-kubernetes-validations` of a node.

use serde_json::{Value, json};

use super::costs::{Place, excess};
use super::{Context, Walk};
use crate::custom::definition::{list, text};
use crate::custom::rules::{CompiledRule, ESTIMATE_LIMIT, Rule, compile_rule, field_path};
use crate::custom::schema::Schema;
use crate::field::{FieldError, Path};

const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

pub(super) fn errors(schema: &Value, path: &Path, context: &Context, place: Option<Place>, walk: &mut Walk<'_>) {
    let rules = list(schema, "x-kubernetes-validations");
    if rules.is_empty() {
        return;
    }
    let path = path.child("x-kubernetes-validations");
    let before = walk.schema_errors.len();
    let tree = Schema::parse(schema);
    for (index, rule) in rules.iter().enumerate() {
        texts(rule, tree.as_deref().ok(), &path.index(index), &mut walk.schema_errors);
    }
    let (Some(place), true) = (place, walk.schema_errors.len() == before) else { return };
    let Some(decl) = place.decl() else {
        walk.rule_errors.push(FieldError::invalid(
            &path,
            &json!(""),
            "rule declared on schema that does not support validation rules type",
        ));
        return;
    };
    for (index, (raw, rule)) in rules.iter().zip(Rule::list(Some(&json!(rules)))).enumerate() {
        let compiled = compile_rule(&rule, &place.schema, &decl);
        let path = path.index(index);
        let max_cost = compiled.program.as_ref().map_or(0, |program| program.max_cost());
        charge(walk, &path.child("rule"), "estimated rule cost", place.multiply(max_cost, &decl));
        if let Some(Ok(message)) = &compiled.message {
            let cost = place.multiply(message.max_cost(), &decl);
            charge(walk, &path.child("messageExpression"), "estimated messageExpression cost", cost);
        }
        expressions(raw, &compiled, context, &path, &mut walk.rule_errors);
    }
}

fn charge(walk: &mut Walk<'_>, path: &Path, what: &str, cost: u64) {
    if cost > ESTIMATE_LIMIT {
        walk.rule_errors.push(FieldError::forbidden(path, &excess(what, cost, ESTIMATE_LIMIT)));
    }
    if let Some(costs) = walk.costs.as_mut() {
        costs.add(cost, path.clone());
    }
}

/// Errors in everything but the expressions themselves.
fn texts(rule: &Value, schema: Option<&Schema>, path: &Path, errors: &mut Vec<FieldError>) {
    let has_lines = |text: &str| text.contains(['\n', '\r']);
    let (expression, message) = (text(rule, "rule").trim(), text(rule, "message"));
    let message_path = path.child("message");
    if expression.is_empty() {
        errors.push(FieldError::required(&path.child("rule"), "rule is not specified"));
    } else if !message.is_empty() && message.trim().is_empty() {
        let detail = "message must be non-empty if specified";
        errors.push(FieldError::invalid(&message_path, &json!(message), detail));
    } else if has_lines(message.trim()) {
        errors.push(FieldError::invalid(&message_path, &json!(message), "message must not contain line breaks"));
    } else if has_lines(expression) && message.trim().is_empty() {
        errors.push(FieldError::required(&message_path, "message must be specified if rule contains line breaks"));
    }
    let message_expression = text(rule, "messageExpression");
    if !message_expression.is_empty() && message_expression.trim().is_empty() {
        let detail = "messageExpression must be non-empty if specified";
        errors.push(FieldError::required(&path.child("messageExpression"), detail));
    }
    let reason = text(rule, "reason");
    if !reason.is_empty() && !REASONS.contains(&reason) {
        errors.push(FieldError::not_supported(&path.child("reason"), &json!(reason), &REASONS));
    }
    let blamed = text(rule, "fieldPath");
    let mut wrong = |detail: &str| errors.push(FieldError::invalid(&path.child("fieldPath"), &json!(blamed), detail));
    if !blamed.is_empty() && blamed.trim().is_empty() {
        wrong("fieldPath must be non-empty if specified");
    }
    if has_lines(blamed) {
        wrong("fieldPath must not contain line breaks");
    }
    if !blamed.is_empty() && schema.is_some_and(|schema| field_path(blamed, schema, true).is_err()) {
        wrong("fieldPath must be a valid path");
    }
}

/// Errors in the expressions.
fn expressions(raw: &Value, compiled: &CompiledRule, context: &Context, path: &Path, errors: &mut Vec<FieldError>) {
    let rule_path = path.child("rule");
    if let Err(error) = &compiled.program {
        errors.push(FieldError::invalid(&rule_path, raw, error));
    }
    if let Some(Err(error)) = &compiled.message {
        errors.push(FieldError::invalid(&path.child("messageExpression"), raw, error));
    }
    if compiled.uses_old_self {
        if let Some(above) = &context.uncorrelated {
            let detail = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {above}");
            errors.push(FieldError::invalid(&rule_path, &json!(compiled.rule.rule), &detail));
        }
    } else if let Some(optional) = compiled.rule.optional_old_self {
        let detail = "may not be set if oldSelf is not used in rule";
        errors.push(FieldError::invalid(&path.child("optionalOldSelf"), &json!(optional), detail));
    }
}
