//! The cost of an expression before it runs.

use super::{MAKE_LIST, MAKE_MAP, MAKE_STRUCT, REACH, Range};
use crate::cel::ast::{Expr, Fold, FoldOp, Kind, Literal};
use crate::cel::check::Facts;
use crate::cel::types::Type;

const ZERO: Range = Range::ZERO;
const ONE: Range = Range::exactly(1);

/// Estimates a checked expression.
pub(in crate::cel) fn estimate(expr: &Expr, facts: &Facts) -> Range {
    let nodes = facts.types.len();
    let mut estimator = Estimator { facts, sizes: vec![None; nodes], elements: vec![None; nodes], scope: Vec::new() };
    estimator.cost(expr)
}

struct Estimator<'a> {
    facts: &'a Facts,
    /// Sizes that the expression itself determines.
    sizes: Vec<Option<Range>>,
    /// Sizes of the elements of lists that the expression makes.
    elements: Vec<Option<Range>>,
    /// Variables of macros, with their sizes and those of their elements.
    scope: Vec<(String, Option<Range>, Option<Range>)>,
}

impl Estimator<'_> {
    fn cost(&mut self, expr: &Expr) -> Range {
        match &expr.kind {
            Kind::Literal(_) => ZERO,
            Kind::Ident(_) => Range::exactly(REACH),
            Kind::Select { operand, optional, .. } => {
                let reached = self.cost(operand);
                let is_field = matches!(self.facts.types[operand.id], Type::Map(..) | Type::Object(_));
                if is_field || *optional { reached.plus(Range::exactly(REACH)) } else { reached }
            }
            Kind::Has { operand, .. } => self.cost(operand),
            Kind::Call { function, target, args } => self.call(expr, function, target.as_deref(), args),
            Kind::List(items) => {
                let mut sum = Range::exactly(MAKE_LIST);
                let mut element: Option<Range> = None;
                for (item, _) in items {
                    sum = sum.plus(self.cost(item));
                    let size = self.size(item);
                    element = Some(element.map_or(size, |known| known.union(size)));
                }
                self.elements[expr.id] = Some(element.unwrap_or(ZERO));
                sum
            }
            Kind::Map(entries) => entries.iter().fold(Range::exactly(MAKE_MAP), |sum, (key, value, _)| {
                let key = self.cost(key);
                sum.plus(key).plus(self.cost(value))
            }),
            Kind::Struct { fields, .. } => {
                fields.iter().fold(Range::exactly(MAKE_STRUCT), |sum, (_, value, _)| sum.plus(self.cost(value)))
            }
            Kind::Fold(fold) => self.fold(expr, fold),
            Kind::Bind { name, init, body } => {
                let first = self.cost(init).plus(Range::exactly(MAKE_LIST));
                let variable = (name.clone(), Some(self.size(init)), self.element(init));
                first.plus(self.bound(expr, vec![variable], body))
            }
            Kind::OptMap { target, name, body, .. } => {
                let reached = self.cost(target);
                let variable = (name.clone(), Some(self.size(target)), self.element(target));
                let mapped = self.bound(expr, vec![variable], body);
                // `target.hasValue() ? optional.of(cel.bind(name, target.value(), body)) : optional.none()`
                let some = reached.plus(ONE).plus(Range::exactly(MAKE_LIST)).plus(mapped).plus(ONE);
                reached.plus(ONE).plus(some.union(ONE))
            }
        }
    }

    /// The cost of a body with these variables; the whole has the size of the body.
    fn bound(&mut self, expr: &Expr, variables: Vec<(String, Option<Range>, Option<Range>)>, body: &Expr) -> Range {
        let outside = self.scope.len();
        self.scope.extend(variables);
        let cost = self.cost(body);
        self.sizes[expr.id] = Some(self.size(body));
        self.elements[expr.id] = self.element(body);
        self.scope.truncate(outside);
        cost
    }

    fn call(&mut self, expr: &Expr, function: &str, target: Option<&Expr>, args: &[Expr]) -> Range {
        let parts: Vec<&Expr> = target.into_iter().chain(args).collect();
        let costs: Vec<Range> = parts.iter().map(|part| self.cost(part)).collect();
        let sum = costs.iter().fold(ZERO, |sum, cost| sum.plus(*cost));
        match function {
            // The right side may not run.
            "_&&_" | "_||_" => return Range { min: costs[0].min, max: sum.max },
            "_?_:_" => {
                self.sizes[expr.id] = Some(self.size(parts[1]).union(self.size(parts[2])));
                self.elements[expr.id] = both(self.element(parts[1]), self.element(parts[2]));
                return costs[0].plus(costs[1].union(costs[2]));
            }
            "dyn" => {
                self.sizes[expr.id] = Some(self.size(parts[0]));
                self.elements[expr.id] = self.element(parts[0]);
                return sum.plus(ONE);
            }
            "_[_]" => self.sizes[expr.id] = self.element(parts[0]),
            "_+_" => self.elements[expr.id] = both(self.element(parts[0]), self.element(parts[1])),
            _ => {}
        }
        let sizes: Vec<Range> = parts.iter().map(|part| self.size(part)).collect();
        let element = parts.first().and_then(|part| self.text_element(part));
        let overloads = &self.facts.overloads[expr.id];
        let mut whole: Option<Range> = None;
        for overload in overloads {
            let result = overload.size.of(&sizes, element);
            if let Some(result) = result {
                self.sizes[expr.id] = Some(self.sizes[expr.id].map_or(result, |known| known.union(result)));
            }
            let cost = overload.cost.of(&sizes, element, result.unwrap_or(Range::UNKNOWN));
            whole = Some(whole.map_or(cost, |known| known.union(cost)));
        }
        sum.plus(whole.unwrap_or(ONE))
    }

    fn fold(&mut self, expr: &Expr, fold: &Fold) -> Range {
        let range_cost = self.cost(&fold.range);
        let count = self.size(&fold.range);
        let is_map = matches!(self.facts.types[fold.range.id], Type::Map(..));
        let element = self.element(&fold.range);
        let variables = match &fold.var2 {
            Some(second) => vec![(fold.var.clone(), None, None), (second.clone(), element, None)],
            None => vec![(fold.var.clone(), if is_map { None } else { element }, None)],
        };
        let outside = self.scope.len();
        self.scope.extend(variables);
        let filter = fold.filter.as_ref().map(|filter| self.cost(filter));
        let body = self.cost(&fold.body);
        let body_size = self.size(&fold.body);
        self.scope.truncate(outside);
        let (start, condition, step, end) = steps(fold.op, body);
        let step = match filter {
            Some(filter) => filter.plus(step.union(ONE)),
            None => step,
        };
        if matches!(fold.op, FoldOp::Map | FoldOp::Filter | FoldOp::TransformMap | FoldOp::TransformMapEntry) {
            self.sizes[expr.id] = Some(count);
            self.elements[expr.id] = if fold.op == FoldOp::Filter { element } else { Some(body_size) };
        } else {
            self.sizes[expr.id] = Some(ONE);
        }
        range_cost.plus(start).plus(count.times(condition.plus(step))).plus(end)
    }

    /// How large a value can be.
    fn size(&self, expr: &Expr) -> Range {
        if let Some(size) = self.sizes[expr.id] {
            return size;
        }
        match &expr.kind {
            Kind::Literal(Literal::String(text)) => return Range::exactly(text.chars().count() as u64),
            Kind::Literal(Literal::Bytes(bytes)) => return Range::exactly(bytes.len() as u64),
            Kind::Literal(_) => return ONE,
            Kind::List(items) => return Range::exactly(items.len() as u64),
            Kind::Map(entries) => return Range::exactly(entries.len() as u64),
            _ => {}
        }
        if let Some(decl) = &self.facts.decls[expr.id] {
            return Range { min: 0, max: decl.max_elements };
        }
        if self.facts.types[expr.id].is_scalar() {
            return ONE;
        }
        match &expr.kind {
            Kind::Ident(name) => self.variable(name).and_then(|(_, size, _)| *size).unwrap_or(Range::UNKNOWN),
            _ => Range::UNKNOWN,
        }
    }

    /// How large the elements of a list can be.
    fn element(&self, expr: &Expr) -> Option<Range> {
        if let Some(element) = self.elements[expr.id] {
            return Some(element);
        }
        if let Some(element) = self.facts.decls[expr.id].as_ref().and_then(|decl| decl.element()) {
            return Some(Range { min: 0, max: element.max_elements });
        }
        match &expr.kind {
            Kind::Ident(name) => self.variable(name).and_then(|(_, _, element)| *element),
            _ => None,
        }
    }

    /// The same, for elements that are texts or bytes only.
    fn text_element(&self, expr: &Expr) -> Option<Range> {
        match &self.facts.types[expr.id] {
            Type::List(item) if matches!(item.as_ref(), Type::String | Type::Bytes) => {
                Some(self.element(expr).unwrap_or(Range::UNKNOWN))
            }
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Option<&(String, Option<Range>, Option<Range>)> {
        self.scope.iter().rev().find(|(own, ..)| own == name)
    }
}

fn both(a: Option<Range>, b: Option<Range>) -> Option<Range> {
    Some(a?.union(b?))
}

/// What a macro costs besides its range, as the loop that it stands for: its start, the condition and the step for each
/// element, and its end.
fn steps(op: FoldOp, body: Range) -> (Range, Range, Range, Range) {
    let reach = Range::exactly(REACH);
    // `accumulator + [element]`: reach, make a list, append.
    let append = Range::exactly(REACH + MAKE_LIST + 1);
    match op {
        // `@not_strictly_false(accumulator)`, and negated for `exists`; then `accumulator && body`.
        FoldOp::All => (ZERO, Range::exactly(2), Range { min: 1, max: body.max.saturating_add(1) }, reach),
        FoldOp::Exists => (ZERO, Range::exactly(3), Range { min: 1, max: body.max.saturating_add(1) }, reach),
        FoldOp::ExistsOne => (ZERO, ZERO, body.plus(Range { min: 1, max: 2 }), Range::exactly(2)),
        FoldOp::Map => (Range::exactly(MAKE_LIST), ZERO, append.plus(body), reach),
        FoldOp::Filter => {
            let keep = append.plus(reach).union(reach);
            (Range::exactly(MAKE_LIST), ZERO, body.plus(keep), reach)
        }
        FoldOp::TransformMap | FoldOp::TransformMapEntry => {
            (Range::exactly(MAKE_MAP), ZERO, Range::exactly(3).plus(body), reach)
        }
    }
}
