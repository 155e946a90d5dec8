//! What an expression says before it runs: literals, lists and maps of literals, conversions of literals. cel-go works these out once,
//! when it plans the program, so they cost nothing when it runs.

use super::ast::{Expr, Kind};
use super::check::{Facts, type_name};
use super::types::Type;

/// Functions that are worked out for a constant argument.
const CONVERSIONS: [&str; 10] =
    ["bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"];

/// Which nodes are constants, by their number.
pub(super) fn constants(expr: &Expr, facts: &Facts) -> Vec<bool> {
    let mut flags = vec![false; facts.types.len()];
    mark(expr, facts, &mut flags);
    flags
}

fn mark(expr: &Expr, facts: &Facts, flags: &mut [bool]) -> bool {
    let mut all = true;
    for part in expr.parts() {
        all &= mark(part, facts, flags);
    }
    let is_constant = match &expr.kind {
        Kind::Literal(_) => true,
        Kind::Ident(_) | Kind::Select { .. } => matches!(facts.types[expr.id], Type::Type) && type_name(expr).is_some(),
        Kind::List(items) => all && items.iter().all(|(_, optional)| !optional),
        Kind::Map(entries) => all && entries.iter().all(|(.., optional)| !optional),
        Kind::Call { function, target: None, args } => {
            all && args.len() == 1 && CONVERSIONS.contains(&function.as_str())
        }
        _ => false,
    };
    flags[expr.id] = is_constant;
    is_constant
}

/// Whether the expression is a place in a value: what is below it is reached through it, not through a value made for it.
pub(super) fn is_place(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Ident(_) | Kind::Select { .. } => true,
        Kind::Call { function, .. } => matches!(function.as_str(), "_[_]" | "_[?_]" | "_?_:_"),
        _ => false,
    }
}

/// What reaching the place by itself costs, which a condition or an index that names it does not pay.
pub(super) fn discount(expr: &Expr) -> u64 {
    let is_choice = matches!(&expr.kind, Kind::Call { function, .. } if function == "_?_:_");
    u64::from(is_place(expr) && !is_choice)
}
