//! Operators: from the conditional, which binds least, down to a sign.

use super::{Parser, integer};
use crate::cel::ast::{Expr, Kind, Literal, MAX_DEPTH};
use crate::cel::error::Issue;
use crate::cel::lexer::TokenKind;

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expr, Issue> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Issue::new(self.at(), format!("expression recursion limit exceeded: {MAX_DEPTH}")));
        }
        let condition = self.logical("||")?;
        let at = self.at();
        let result = if self.take("?") {
            let yes = self.logical("||")?;
            self.expect(":")?;
            let no = self.expression()?;
            self.call(at, "_?_:_", vec![condition, yes, no])
        } else {
            Ok(condition)
        };
        self.depth -= 1;
        result
    }

    /// `a || b || …` or `a && b && …`, as a balanced tree: long chains must not be deep.
    fn logical(&mut self, symbol: &'static str) -> Result<Expr, Issue> {
        let mut terms = vec![self.logical_operand(symbol)?];
        let mut places = Vec::new();
        while self.is(symbol) {
            places.push(self.at());
            self.next += 1;
            terms.push(self.logical_operand(symbol)?);
        }
        let function = if symbol == "||" { "_||_" } else { "_&&_" };
        self.balanced(function, terms, &places)
    }

    fn logical_operand(&mut self, symbol: &str) -> Result<Expr, Issue> {
        if symbol == "||" { self.logical("&&") } else { self.relation() }
    }

    fn balanced(&mut self, function: &str, mut terms: Vec<Expr>, places: &[usize]) -> Result<Expr, Issue> {
        if terms.len() <= 1 {
            return terms.pop().ok_or_else(|| self.unexpected("an operand"));
        }
        let middle = terms.len().div_ceil(2);
        let right = terms.split_off(middle);
        let left = self.balanced(function, terms, &places[..middle - 1])?;
        let right = self.balanced(function, right, &places[middle..])?;
        self.call(places[middle - 1], function, vec![left, right])
    }

    fn relation(&mut self) -> Result<Expr, Issue> {
        let mut left = self.addition()?;
        loop {
            let at = self.at();
            let function = match self.peek() {
                TokenKind::Symbol("==") => "_==_",
                TokenKind::Symbol("!=") => "_!=_",
                TokenKind::Symbol("<") => "_<_",
                TokenKind::Symbol("<=") => "_<=_",
                TokenKind::Symbol(">") => "_>_",
                TokenKind::Symbol(">=") => "_>=_",
                TokenKind::Ident(name) if name == "in" => "@in",
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.addition()?;
            left = self.call(at, function, vec![left, right])?;
        }
    }

    fn addition(&mut self) -> Result<Expr, Issue> {
        self.chain(Self::multiplication, &[("+", "_+_"), ("-", "_-_")])
    }

    fn multiplication(&mut self) -> Result<Expr, Issue> {
        self.chain(Self::unary, &[("*", "_*_"), ("/", "_/_"), ("%", "_%_")])
    }

    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Result<Expr, Issue>,
        operators: &[(&str, &str)],
    ) -> Result<Expr, Issue> {
        let mut left = operand(self)?;
        while let Some((_, function)) = operators.iter().find(|(symbol, _)| self.is(symbol)) {
            let at = self.at();
            self.next += 1;
            let right = operand(self)?;
            left = self.call(at, function, vec![left, right])?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Issue> {
        let at = self.at();
        let symbol = if self.is("!") { "!" } else { "-" };
        let mut count = 0;
        while self.is(symbol) {
            self.next += 1;
            count += 1;
        }
        if count == 0 {
            return self.member();
        }
        if symbol == "-" && count == 1 {
            if let TokenKind::Int(digits) = self.peek().clone() {
                self.next += 1;
                let number = integer(&digits).and_then(|n| i64::try_from(-i128::from(n)).ok());
                let number = number.ok_or_else(|| Issue::new(at, "invalid int literal"))?;
                let literal = self.node(at, Kind::Literal(Literal::Int(number)))?;
                return self.postfix(literal);
            }
            if let TokenKind::Double(number) = *self.peek() {
                self.next += 1;
                let literal = self.node(at, Kind::Literal(Literal::Double(-number)))?;
                return self.postfix(literal);
            }
        }
        let operand = self.member()?;
        // Two of the same cancel out.
        if count % 2 == 0 {
            return Ok(operand);
        }
        self.call(at, if symbol == "!" { "!_" } else { "-_" }, vec![operand])
    }
}
