//! One rule, compiled.

use std::sync::Arc;

use super::{Rule, field_path, uses_old_self};
use crate::cel::{Decl, Program, Type, Variable};
use crate::custom::schema::Schema;
use crate::field::Path;

/// A rule with its programs.
#[derive(Debug)]
pub struct CompiledRule {
    /// As written.
    pub rule: Rule,
    /// The expression, or why it does not compile.
    pub program: Result<Program, String>,
    /// The expression for the message, if there is one; or why it does not compile.
    pub message: Option<Result<Program, String>>,
    /// Whether the rule is about a change.
    pub uses_old_self: bool,
    /// `fieldPath`, as error texts spell it.
    pub field: Option<Path>,
}

/// Compiles a rule of a schema node.
pub fn compile_rule(rule: &Rule, schema: &Schema, decl: &Arc<Decl>) -> CompiledRule {
    let variables = variables(decl, rule.optional_old_self == Some(true));
    let program = compile(&rule.rule, &variables).and_then(|program| match program.result_type() {
        Type::Bool => Ok(program),
        _ => Err("cel expression must evaluate to a bool".to_string()),
    });
    let message = (!rule.message_expression.trim().is_empty()).then(|| {
        let program = Program::compile(&rule.message_expression, &variables);
        let program = program.map_err(|error| format!("messageExpression compilation failed: {error}"))?;
        match program.result_type() {
            Type::String => Ok(program),
            _ => Err("messageExpression must evaluate to a string".to_string()),
        }
    });
    let field = field_path(rule.field_path.trim(), schema, true).ok().map(|(path, _)| path);
    CompiledRule {
        uses_old_self: program.as_ref().is_ok_and(uses_old_self),
        field: field.filter(|path| !path.as_str().is_empty()),
        rule: rule.clone(),
        program,
        message,
    }
}

fn compile(source: &str, variables: &[Variable]) -> Result<Program, String> {
    let program = Program::compile(source, variables).map_err(|error| format!("compilation failed: {error}"))?;
    match program.bad_pattern() {
        Some(error) => Err(format!("program instantiation failed: {error}")),
        None => Ok(program),
    }
}

/// `self` and `oldSelf`, which is optional where the rule says so.
fn variables(decl: &Arc<Decl>, optional: bool) -> Vec<Variable> {
    let mut old = Variable::declared("oldSelf", decl);
    if optional {
        old.ty = Type::optional(old.ty);
    }
    vec![Variable::declared("self", decl), old]
}
