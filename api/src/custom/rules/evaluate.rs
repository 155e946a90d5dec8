//! Evaluating the rules of a schema on an object.

use serde_json::{Value, json};

use super::{BUDGET, CompiledRule, PER_CALL_LIMIT, Rules};
use crate::cel::{EvalError, Value as Cel};
use crate::custom::validate::Correlation;
use crate::field::{FieldError, Path};

/// Longest message that an expression may make.
const MESSAGE_LIMIT_BYTES: usize = 5 * 1024;

/// All rules that the object breaks. Transition rules run where there is an old value to compare with. Errors in parts that did
/// not change are left out, unless the rule is about the change itself.
pub fn rule_errors(rules: &Rules, value: &Value, old: Option<&Value>, path: &Path) -> Vec<FieldError> {
    run(rules, value, old, path, false)
}

/// What is left out there: rules that are broken in parts that did not change.
pub fn rule_warnings(rules: &Rules, value: &Value, old: &Value, path: &Path) -> Vec<FieldError> {
    run(rules, value, Some(old), path, true)
}

fn run(rules: &Rules, value: &Value, old: Option<&Value>, path: &Path, of_unchanged: bool) -> Vec<FieldError> {
    let mut run = Run { budget: BUDGET, of_unchanged, errors: Vec::new() };
    // To be out of budget is an error that has been reported by now.
    let _ = run.node(rules, Spot { value, old: Correlation::new(old), ratcheted: false }, path);
    run.errors
}

/// There is nothing left to spend.
struct Spent;

/// A value that rules are about.
#[derive(Clone, Copy)]
struct Spot<'v> {
    value: &'v Value,
    old: Correlation<'v>,
    /// It, or something above it, is unchanged.
    ratcheted: bool,
}

struct Run {
    budget: u64,
    /// Whether it is about rules that are broken in unchanged parts, or about all others.
    of_unchanged: bool,
    errors: Vec<FieldError>,
}

impl Run {
    fn node(&mut self, rules: &Rules, spot: Spot<'_>, path: &Path) -> Result<(), Spent> {
        let Spot { value, old, .. } = spot;
        if value.is_null() {
            return Ok(());
        }
        let ratcheted = spot.ratcheted || old.is_unchanged(value);
        if self.budget == 0 && !rules.own.is_empty() {
            return self.spent(rules, path, OUT_OF_BUDGET);
        }
        for compiled in &rules.own {
            self.rule(rules, compiled, Spot { ratcheted, ..spot }, path)?;
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let is_atomic = rules.schema.atomic_map;
                    let old = if is_atomic { Correlation::new(None) } else { old.member(name, &rules.schema) };
                    let spot = Spot { value, old, ratcheted };
                    if let Some(below) = rules.properties.get(name) {
                        self.node(below, spot, &path.child(name))?;
                    } else if let Some(below) = &rules.additional {
                        self.node(below, spot, &path.key(name))?;
                    }
                }
            }
            Value::Array(items) => {
                let Some(below) = &rules.items else { return Ok(()) };
                let elements = old.elements(&rules.schema);
                for (index, value) in items.iter().enumerate() {
                    self.node(below, Spot { value, old: elements.of(value), ratcheted }, &path.index(index))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn rule(&mut self, rules: &Rules, compiled: &CompiledRule, spot: Spot<'_>, path: &Path) -> Result<(), Spent> {
        let Spot { value, old, ratcheted } = spot;
        let kind = json!(rules.schema.ty.name());
        let program = match &compiled.program {
            Ok(program) => program,
            Err(error) => {
                self.errors.push(FieldError::invalid(path, &kind, &format!("rule compile error: {error}")));
                return Ok(());
            }
        };
        let optional = compiled.rule.optional_old_self == Some(true);
        if compiled.uses_old_self && old.old().is_none() && !optional {
            return Ok(());
        }
        // What a rule says about a change is never about what did not change.
        if self.of_unchanged && (!ratcheted || compiled.uses_old_self) {
            return Ok(());
        }
        let outcome = program.eval(variables(rules, value, old, optional), PER_CALL_LIMIT);
        if outcome.cost > self.budget {
            return self.spent(rules, path, OUT_OF_BUDGET);
        }
        self.budget -= outcome.cost;
        match outcome.value {
            Ok(Cel::Bool(true)) => Ok(()),
            Ok(_) if ratcheted && !compiled.uses_old_self && !self.of_unchanged => Ok(()),
            Ok(_) => {
                let message = self.message(rules, compiled, spot, path)?;
                self.errors.push(broken(compiled, &kind, &message, path));
                Ok(())
            }
            Err(error) => {
                let (detail, spent) = failure(&error, compiled.rule.label());
                self.errors.push(FieldError::invalid(path, &kind, &detail));
                if spent { Err(Spent) } else { Ok(()) }
            }
        }
    }

    fn spent(&mut self, rules: &Rules, path: &Path, detail: &str) -> Result<(), Spent> {
        self.errors.push(FieldError::invalid(path, &json!(rules.schema.ty.name()), detail));
        Err(Spent)
    }

    /// What to say of a broken rule.
    fn message(
        &mut self,
        rules: &Rules,
        compiled: &CompiledRule,
        spot: Spot<'_>,
        path: &Path,
    ) -> Result<String, Spent> {
        let Spot { value, old, .. } = spot;
        if let Some(Ok(program)) = &compiled.message {
            let optional = compiled.rule.optional_old_self == Some(true);
            let outcome = program.eval(variables(rules, value, old, optional), PER_CALL_LIMIT);
            if outcome.cost > self.budget {
                self.spent(rules, path, MESSAGE_OUT_OF_BUDGET)?;
            }
            self.budget = self.budget.saturating_sub(outcome.cost);
            match outcome.value {
                Err(EvalError::CostLimit) => {
                    let source = &compiled.rule.message_expression;
                    self.spent(rules, path, &format!("{MESSAGE_TOO_DEAR}{source:?}"))?;
                }
                Ok(text) => {
                    let text = text.as_str().map(str::trim).filter(|text| is_message(text));
                    if let Some(text) = text {
                        return Ok(text.to_string());
                    }
                }
                Err(_) => {}
            }
        }
        Ok(match compiled.rule.message.trim() {
            "" => format!("failed rule: {}", compiled.rule.label()),
            message => message.to_string(),
        })
    }
}

const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";
const MESSAGE_OUT_OF_BUDGET: &str =
    "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run";
const MESSAGE_TOO_DEAR: &str =
    "no further validation rules will be run due to call cost exceeds limit for messageExpression: ";

/// Whether the text can be a message.
fn is_message(text: &str) -> bool {
    !text.is_empty() && text.len() <= MESSAGE_LIMIT_BYTES && !text.contains('\n')
}

fn variables<'a>(
    rules: &'a Rules,
    value: &'a Value,
    old: Correlation<'a>,
    optional: bool,
) -> Vec<(&'static str, Cel<'a>)> {
    let mut variables = vec![("self", Cel::read(value, &rules.decl))];
    match (old.old().map(|old| Cel::read(old, &rules.decl)), optional) {
        (old, true) => variables.push(("oldSelf", Cel::optional(old))),
        (Some(old), false) => variables.push(("oldSelf", old)),
        (None, false) => {}
    }
    variables
}

fn broken(compiled: &CompiledRule, kind: &Value, message: &str, path: &Path) -> FieldError {
    let path = match &compiled.field {
        Some(field) if path.as_str().is_empty() => field.clone(),
        Some(field) => path.child(field.as_str()),
        None => path.clone(),
    };
    match compiled.rule.reason.as_str() {
        "FieldValueForbidden" => FieldError::forbidden(&path, message),
        "FieldValueRequired" => FieldError::required(&path, message),
        "FieldValueDuplicate" => FieldError::duplicate(&path, kind),
        _ => FieldError::invalid(&path, kind, message),
    }
}

/// What to say of a rule without a value, and whether no other rule may run.
fn failure(error: &EvalError, label: &str) -> (String, bool) {
    match error {
        EvalError::NoSuchOverload => {
            let what = "call arguments did not match a supported operator, function or macro signature for rule";
            (format!("'{error}': {what}: {label}"), false)
        }
        EvalError::CostLimit => {
            let what = "no further validation rules will be run due to call cost exceeds limit for rule";
            (format!("'{error}': {what}: {label}"), true)
        }
        _ => (format!("{error} evaluating rule: {label}"), false),
    }
}
