//! Calls: which signatures the types of the arguments allow.

use std::sync::Arc;

use super::Checker;
use crate::cel::ast::Expr;
use crate::cel::decl::Decl;
use crate::cel::function::Overload;
use crate::cel::library;
use crate::cel::types::{Bindings, Type};

impl Checker {
    /// The type of a call, and the declaration of what it reaches (`list[0]`).
    pub(super) fn call(
        &mut self,
        expr: &Expr,
        function: &str,
        target: Option<&Expr>,
        args: &[Expr],
    ) -> (Type, Option<Arc<Decl>>) {
        let is_method = target.is_some();
        let parts: Vec<&Expr> = target.into_iter().chain(args).collect();
        let types: Vec<Type> = parts.iter().map(|part| self.infer(part)).collect();
        if types.iter().any(|ty| matches!(ty, Type::Error)) {
            return (Type::Error, None);
        }
        if function == library::ESCAPE_KEY && !self.patches {
            return (self.no_escape_key(expr), None);
        }
        let ty = match function {
            "_&&_" | "_||_" => types.iter().all(|ty| matches!(ty, Type::Bool | Type::Dyn)).then_some(Type::Bool),
            "_?_:_" => conditional(&types),
            "_<_" | "_<=_" | "_>_" | "_>=_" if !is_ordered(&types) => None,
            _ => self.overload(expr, function, is_method, &types),
        };
        let decl = match function {
            "_[_]" | "_[?_]" => self.decl(parts[0]).and_then(|decl| decl.element().cloned()),
            "dyn" => self.decl(parts[0]),
            _ => None,
        };
        let ty = ty.unwrap_or_else(|| {
            if !library::is_function(function) && !matches!(function, "_&&_" | "_||_" | "_?_:_") {
                return self.issue(expr.at, format!("undeclared reference to '{function}' (in container '')"));
            }
            let texts: Vec<String> = types.iter().map(ToString::to_string).collect();
            let shown = if is_method {
                format!("{}.({})", texts[0], texts[1..].join(", "))
            } else {
                format!("({})", texts.join(", "))
            };
            self.issue(expr.at, format!("found no matching overload for '{function}' applied to '{shown}'"))
        });
        (ty, decl)
    }

    fn overload(&mut self, expr: &Expr, function: &str, is_method: bool, types: &[Type]) -> Option<Type> {
        let mut found: Vec<&'static Overload> = Vec::new();
        let mut result: Option<Type> = None;
        for overload in library::overloads(function) {
            if overload.method != is_method || overload.params.len() != types.len() {
                continue;
            }
            let mut bindings: Bindings = Default::default();
            if !overload.params.iter().zip(types).all(|(param, ty)| param.matches(ty, &mut bindings)) {
                continue;
            }
            let ty = overload.result.resolve(&bindings);
            result = Some(match result {
                // Dynamic arguments fit several signatures; if they disagree, only run time can tell.
                Some(known) if known.to_string() != ty.to_string() => Type::Dyn,
                _ => ty,
            });
            found.push(overload);
        }
        self.facts.overloads[expr.id] = found;
        result
    }
}

fn conditional(types: &[Type]) -> Option<Type> {
    let [condition, yes, no] = types else { return None };
    if !matches!(condition, Type::Bool | Type::Dyn) {
        return None;
    }
    (yes.accepts(no) || no.accepts(yes)).then(|| if yes.accepts(no) { yes.join(no) } else { no.clone() })
}

/// Whether values of these two types have an order: the same scalar type, or two number types.
fn is_ordered(types: &[Type]) -> bool {
    let [a, b] = types else { return false };
    let number = |ty: &Type| matches!(ty, Type::Int | Type::Uint | Type::Double | Type::Dyn);
    let scalar = |ty: &Type| {
        matches!(ty, Type::Bool | Type::String | Type::Bytes | Type::Timestamp | Type::Duration | Type::Dyn)
    };
    (number(a) && number(b)) || (scalar(a) && scalar(b) && a.accepts(b))
}
