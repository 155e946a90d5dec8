//! Operands: literals, names, calls, lists, maps, structures, and what follows them.

use super::{Parser, integer};
use crate::cel::ast::{Expr, Kind, Literal};
use crate::cel::check::qualified;
use crate::cel::error::Issue;
use crate::cel::escape::RESERVED;
use crate::cel::lexer::TokenKind;
use crate::cel::{library, macros};

impl Parser {
    pub(super) fn member(&mut self) -> Result<Expr, Issue> {
        let primary = self.primary()?;
        self.postfix(primary)
    }

    pub(super) fn postfix(&mut self, mut expr: Expr) -> Result<Expr, Issue> {
        loop {
            let at = self.at();
            if self.take("[") {
                let function = if self.take("?") { "_[?_]" } else { "_[_]" };
                let index = self.expression()?;
                self.expect("]")?;
                expr = self.call(at, function, vec![expr, index])?;
            } else if self.take(".") {
                let optional = self.take("?");
                let field = self.name(true)?;
                let open = self.at();
                if !optional && self.take("(") {
                    let args = self.arguments(")")?;
                    expr = self.method(open, expr, field, args)?;
                } else {
                    expr = self.node(at, Kind::Select { operand: Box::new(expr), field, optional })?;
                }
            } else if self.is("{")
                && let Some(name) = qualified(&expr)
            {
                expr = self.structure(name)?;
            } else {
                return Ok(expr);
            }
        }
    }

    /// `{field: value, …}` after the name of a type.
    fn structure(&mut self, name: String) -> Result<Expr, Issue> {
        let (at, mut fields) = (self.at(), Vec::new());
        self.expect("{")?;
        while !self.take("}") {
            let optional = self.take("?");
            let field = self.name(true)?;
            self.expect(":")?;
            fields.push((field, self.expression()?, optional));
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        self.node(at, Kind::Struct { name, fields })
    }

    fn method(&mut self, at: usize, target: Expr, function: String, args: Vec<Expr>) -> Result<Expr, Issue> {
        if let Kind::Ident(namespace) = &target.kind {
            if namespace == "cel" && function == "bind" {
                return macros::bind(self, at, args);
            }
            let qualified = format!("{namespace}.{function}");
            if library::is_function(&qualified) {
                return self.call(at, &qualified, args);
            }
        }
        macros::method(self, at, target, function, args)
    }

    fn arguments(&mut self, close: &str) -> Result<Vec<Expr>, Issue> {
        let mut args = Vec::new();
        while !self.take(close) {
            args.push(self.expression()?);
            if !self.take(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(args)
    }

    fn name(&mut self, is_field: bool) -> Result<String, Issue> {
        match self.peek().clone() {
            TokenKind::Ident(name) if is_field || !RESERVED.contains(&name.as_str()) => {
                self.next += 1;
                Ok(name)
            }
            TokenKind::Quoted(name) if is_field => {
                self.next += 1;
                Ok(name)
            }
            TokenKind::Ident(name) => Err(Issue::new(self.at(), format!("reserved identifier: {name}"))),
            _ => Err(self.unexpected("IDENTIFIER")),
        }
    }

    fn primary(&mut self) -> Result<Expr, Issue> {
        let at = self.at();
        let literal = match self.peek().clone() {
            TokenKind::Int(digits) => {
                let number = integer(&digits).and_then(|n| i64::try_from(n).ok());
                Literal::Int(number.ok_or_else(|| Issue::new(at, "invalid int literal"))?)
            }
            TokenKind::Uint(digits) => {
                Literal::Uint(integer(&digits).ok_or_else(|| Issue::new(at, "invalid uint literal"))?)
            }
            TokenKind::Double(number) => Literal::Double(number),
            TokenKind::String(text) => Literal::String(text),
            TokenKind::Bytes(bytes) => Literal::Bytes(bytes),
            TokenKind::Ident(name) => match name.as_str() {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "null" => Literal::Null,
                _ => return self.identifier(),
            },
            TokenKind::Symbol(symbol) => return self.bracketed(symbol),
            TokenKind::Quoted(_) | TokenKind::End => return Err(self.unexpected("an expression")),
        };
        self.next += 1;
        self.node(at, Kind::Literal(literal))
    }

    fn identifier(&mut self) -> Result<Expr, Issue> {
        let at = self.at();
        let name = self.name(false)?;
        let open = self.at();
        if !self.take("(") {
            return self.node(at, Kind::Ident(name));
        }
        let args = self.arguments(")")?;
        macros::global(self, open, name, args)
    }

    fn bracketed(&mut self, symbol: &str) -> Result<Expr, Issue> {
        let at = self.at();
        match symbol {
            "(" => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            // A leading dot names something at the root; there is nothing else here.
            "." => {
                self.next += 1;
                self.identifier()
            }
            "[" => {
                self.next += 1;
                let mut items = Vec::new();
                while !self.take("]") {
                    let optional = self.take("?");
                    items.push((self.expression()?, optional));
                    if !self.take(",") {
                        self.expect("]")?;
                        break;
                    }
                }
                self.node(at, Kind::List(items))
            }
            "{" => {
                self.next += 1;
                let mut entries = Vec::new();
                while !self.take("}") {
                    let optional = self.take("?");
                    let key = self.expression()?;
                    self.expect(":")?;
                    entries.push((key, self.expression()?, optional));
                    if !self.take(",") {
                        self.expect("}")?;
                        break;
                    }
                }
                self.node(at, Kind::Map(entries))
            }
            _ => Err(self.unexpected("an expression")),
        }
    }
}
