//! Macros over lists and maps.

use std::sync::Arc;

use super::{Checker, Variable};
use crate::cel::ast::{Expr, Fold, FoldOp};
use crate::cel::decl::Decl;
use crate::cel::types::Type;

impl Checker {
    pub(super) fn fold(&mut self, expr: &Expr, fold: &Fold) -> (Type, Option<Arc<Decl>>) {
        let range = self.infer(&fold.range);
        let range_decl = self.decl(&fold.range);
        let element = range_decl.as_ref().and_then(|decl| decl.element().cloned());
        let (key, value) = match &range {
            Type::List(item) => (Type::Int, item.as_ref().clone()),
            Type::Map(key, value) => (key.as_ref().clone(), value.as_ref().clone()),
            ty if ty.is_open() => (Type::Dyn, Type::Dyn),
            ty => {
                let text = format!(
                    "expression of type '{ty}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                return (self.issue(fold.range.at, text), None);
            }
        };
        let is_map = matches!(range, Type::Map(..));
        let variable =
            |name: &str, ty: &Type, decl: Option<Arc<Decl>>| Variable { name: name.into(), ty: ty.clone(), decl };
        let variables = match &fold.var2 {
            Some(second) => vec![variable(&fold.var, &key, None), variable(second, &value, element)],
            None if is_map => vec![variable(&fold.var, &key, None)],
            None => vec![variable(&fold.var, &value, element)],
        };
        let item = if is_map && fold.var2.is_none() { &key } else { &value };
        if let Some(filter) = &fold.filter {
            let ty = self.within(variables.clone(), filter);
            self.predicate(expr, "_?_:_", &ty);
        }
        let body = self.within(variables, &fold.body);
        match fold.op {
            FoldOp::All => self.predicate(expr, "_&&_", &body),
            FoldOp::Exists => self.predicate(expr, "_||_", &body),
            FoldOp::ExistsOne | FoldOp::Filter => self.predicate(expr, "_?_:_", &body),
            FoldOp::Map | FoldOp::TransformMap | FoldOp::TransformMapEntry => {}
        }
        let ty = match fold.op {
            FoldOp::All | FoldOp::Exists | FoldOp::ExistsOne => Type::Bool,
            FoldOp::Filter => Type::list(item.clone()),
            FoldOp::Map => Type::list(body),
            FoldOp::TransformMap => Type::map(key, body),
            FoldOp::TransformMapEntry if matches!(body, Type::Map(..)) || body.is_open() => body,
            FoldOp::TransformMapEntry => self
                .issue(fold.body.at, format!("found no matching overload for 'cel.@mapInsert' applied to '({body})'")),
        };
        let decl = if fold.op == FoldOp::Filter && !is_map { range_decl } else { None };
        (ty, decl)
    }

    fn predicate(&mut self, expr: &Expr, operator: &str, ty: &Type) {
        if !matches!(ty, Type::Bool) && !ty.is_open() {
            let text = format!("found no matching overload for '{operator}' applied to '(bool, {ty})'");
            self.issue(expr.at, text);
        }
    }
}
