//! Tokens to a syntax tree: recursive descent over CEL's grammar.

mod operands;
mod operators;

use super::ast::{Expr, Kind, MAX_DEPTH};
use super::error::Issue;
use super::lexer::{Token, TokenKind, tokens};

/// Longest expression, in bytes: far above what fits in a rule that a person wrote.
const SOURCE_LIMIT_BYTES: usize = 100_000;

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
}

/// The number in decimal or hexadecimal digits.
fn integer(digits: &str) -> Option<u64> {
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}
