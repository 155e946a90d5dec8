//! Calls that are macros: `has`, the comprehensions with one and two variables, `optMap`, `cel.bind`.

use super::ast::{Expr, Fold, FoldOp, Kind};
use super::error::Issue;
use super::parser::Parser;

/// A call without a target.
pub(super) fn global(parser: &mut Parser, at: usize, function: String, mut args: Vec<Expr>) -> Result<Expr, Issue> {
    if function != "has" || args.len() != 1 {
        return parser.node(at, Kind::Call { function, target: None, args });
    }
    match args.pop().map(|arg| arg.kind) {
        Some(Kind::Select { operand, field, optional: false }) => parser.node(at, Kind::Has { operand, field }),
        _ => Err(Issue::new(at, "invalid argument to has() macro")),
    }
}

/// `cel.bind(name, init, body)`
pub(super) fn bind(parser: &mut Parser, at: usize, args: Vec<Expr>) -> Result<Expr, Issue> {
    let Ok([name, init, body]) = <[Expr; 3]>::try_from(args) else {
        return Err(Issue::new(at, "cel.bind() takes a name, a value and an expression"));
    };
    let name = variable(&name, "cel.bind() variable names must be simple identifiers")?;
    parser.node(at, Kind::Bind { name, init: Box::new(init), body: Box::new(body) })
}

/// A call with a target.
pub(super) fn method(
    parser: &mut Parser,
    at: usize,
    target: Expr,
    function: String,
    args: Vec<Expr>,
) -> Result<Expr, Issue> {
    if let Some(op) = fold_op(&function, args.len()) {
        return fold(parser, at, target, &function, op, args);
    }
    if matches!(function.as_str(), "optMap" | "optFlatMap")
        && let Ok([name, body]) = <[Expr; 2]>::try_from(args.clone())
    {
        let name = variable(&name, &format!("{function}() variable name must be a simple identifier"))?;
        let flat = function == "optFlatMap";
        return parser.node(at, Kind::OptMap { target: Box::new(target), name, body: Box::new(body), flat });
    }
    parser.node(at, Kind::Call { function, target: Some(Box::new(target)), args })
}

fn fold_op(function: &str, args: usize) -> Option<FoldOp> {
    Some(match (function, args) {
        ("all", 2 | 3) => FoldOp::All,
        ("exists", 2 | 3) => FoldOp::Exists,
        ("exists_one", 2) | ("existsOne", 2 | 3) => FoldOp::ExistsOne,
        ("map", 2 | 3) | ("transformList", 3 | 4) => FoldOp::Map,
        ("filter", 2) => FoldOp::Filter,
        ("transformMap", 3 | 4) => FoldOp::TransformMap,
        ("transformMapEntry", 3 | 4) => FoldOp::TransformMapEntry,
        _ => return None,
    })
}

fn fold(
    parser: &mut Parser,
    at: usize,
    range: Expr,
    function: &str,
    op: FoldOp,
    args: Vec<Expr>,
) -> Result<Expr, Issue> {
    let count = args.len();
    let two_variables = function.starts_with("transform") || (count == 3 && function != "map");
    let mut args = args.into_iter();
    let mut next = || args.next().ok_or_else(|| Issue::new(at, "argument missing"));
    let var = variable(&next()?, "argument must be a simple name")?;
    let var2 = if two_variables { Some(variable(&next()?, "argument must be a simple name")?) } else { None };
    if var2.as_ref() == Some(&var) {
        return Err(Issue::new(at, format!("overlapping declaration for variable '{var}'")));
    }
    let bodies = count - 1 - usize::from(two_variables);
    let filter = if bodies == 2 { Some(next()?) } else { None };
    let body = next()?;
    parser.node(at, Kind::Fold(Box::new(Fold { op, range, var, var2, filter, body })))
}

fn variable(expr: &Expr, otherwise: &str) -> Result<String, Issue> {
    match &expr.kind {
        Kind::Ident(name) => Ok(name.clone()),
        _ => Err(Issue::new(expr.at, otherwise)),
    }
}
