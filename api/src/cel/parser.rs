//! Tokens to a syntax tree: recursive descent over CEL's grammar.

use super::ast::{Expr, Kind, Literal, MAX_DEPTH};
use super::check::qualified;
use super::error::Issue;
use super::lexer::{Token, TokenKind, tokens};
use super::{library, macros};

/// Longest expression, in bytes: far above what fits in a rule that a person wrote.
const SOURCE_LIMIT_BYTES: usize = 100_000;

/// Names that mean something else or may mean something one day.
const RESERVED: [&str; 16] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
];

/// Parses an expression. Also returns how many nodes it has.
pub(super) fn parse(source: &str) -> Result<(Expr, usize), Issue> {
    if source.len() > SOURCE_LIMIT_BYTES {
        return Err(Issue::new(
            0,
            format!("expression code point size exceeds limit: size: {}, limit {SOURCE_LIMIT_BYTES}", source.len()),
        ));
    }
    let mut parser = Parser { tokens: tokens(source)?, next: 0, nodes: 0, depth: 0 };
    let expr = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok((expr, parser.nodes)),
        _ => Err(parser.unexpected("<EOF>")),
    }
}

/// The parser; [`macros`] makes nodes with it.
pub(super) struct Parser {
    tokens: Vec<Token>,
    next: usize,
    nodes: usize,
    depth: usize,
}

impl Parser {
    /// A new node.
    pub(super) fn node(&mut self, at: usize, kind: Kind) -> Result<Expr, Issue> {
        let mut expr = Expr { id: self.nodes, at, depth: 0, kind };
        self.nodes += 1;
        expr.depth = 1 + expr.parts().iter().map(|part| part.depth).max().unwrap_or(0);
        if expr.depth > MAX_DEPTH {
            return Err(Issue::new(at, format!("expression recursion limit exceeded: {MAX_DEPTH}")));
        }
        Ok(expr)
    }

    fn call(&mut self, at: usize, function: &str, args: Vec<Expr>) -> Result<Expr, Issue> {
        self.node(at, Kind::Call { function: function.into(), target: None, args })
    }

    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), TokenKind::Symbol(found) if *found == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Issue> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn unexpected(&self, wanted: &str) -> Issue {
        let found = match self.peek() {
            TokenKind::End => "<EOF>".to_string(),
            TokenKind::Symbol(symbol) => (*symbol).to_string(),
            TokenKind::Ident(name) | TokenKind::Quoted(name) => name.clone(),
            TokenKind::Int(digits) => digits.clone(),
            TokenKind::Uint(digits) => format!("{digits}u"),
            TokenKind::Double(number) => number.to_string(),
            TokenKind::String(text) => format!("{text:?}"),
            TokenKind::Bytes(_) => "bytes".to_string(),
        };
        Issue::new(self.at(), format!("Syntax error: mismatched input '{found}' expecting {wanted}"))
    }

    fn expression(&mut self) -> Result<Expr, Issue> {
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

    fn member(&mut self) -> Result<Expr, Issue> {
        let primary = self.primary()?;
        self.postfix(primary)
    }

    fn postfix(&mut self, mut expr: Expr) -> Result<Expr, Issue> {
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

/// The number in decimal or hexadecimal digits.
fn integer(digits: &str) -> Option<u64> {
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}
