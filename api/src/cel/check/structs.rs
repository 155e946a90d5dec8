//! Values of named types: which types there are, and what their fields may hold.

use super::Checker;
use crate::cel::ast::Expr;
use crate::cel::structs::StructType;
use crate::cel::types::Type;

/// `jsonpatch`, to where a call of one of its functions is said to be.
const NAMESPACE: &str = "jsonpatch";
const FUNCTION: &str = "escapeKey";

impl Checker {
    pub(super) fn structure(&mut self, expr: &Expr, name: &str, fields: &[(String, Expr, bool)]) -> Type {
        let known = StructType::named(name).filter(|_| self.patches);
        let Some(own) = known else {
            return self.issue(expr.at, format!("undeclared reference to '{name}' (in container '')"));
        };
        for (field, value, optional) in fields {
            let ty = self.infer(value);
            let ty = if *optional { self.unwrapped(value, ty) } else { ty };
            match own.field(field) {
                None => drop(self.issue(value.at, format!("undefined field '{field}'"))),
                Some(wanted) if !wanted.accepts(&ty) => {
                    let text = format!("expected type of field '{field}' is '{wanted}' but provided type is '{ty}'");
                    self.issue(value.at, text);
                }
                Some(_) => {}
            }
        }
        Type::Struct(own)
    }

    /// Outside of mutations neither the namespace nor its function is known.
    pub(super) fn no_escape_key(&mut self, expr: &Expr) -> Type {
        let start = expr.at.saturating_sub(NAMESPACE.len() + 1 + FUNCTION.len());
        self.issue(start, format!("undeclared reference to '{NAMESPACE}' (in container '')"));
        self.issue(expr.at, format!("undeclared reference to '{FUNCTION}' (in container '')"))
    }
}
