//! The grammar of label selectors in query strings.

use std::collections::BTreeSet;

use super::{Operator, Requirement, SelectorError};
use crate::names;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    End,
    Symbol(&'a str),
    Word(&'a str),
    Error(String),
}

impl Token<'_> {
    /// The text that error messages quote.
    fn literal(&self) -> &str {
        match self {
            Self::End => "",
            Self::Symbol(text) | Self::Word(text) => text,
            Self::Error(text) => text,
        }
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol(text) if *text == symbol)
    }
}

const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn is_symbol(c: char) -> bool {
    "=!(),><".contains(c)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while let Some(first) = rest.chars().next() {
        let length = if is_symbol(first) {
            let symbol = SYMBOLS.iter().find(|s| rest.starts_with(**s)).map_or(first.len_utf8(), |s| s.len());
            found.push(Token::Symbol(&rest[..symbol]));
            symbol
        } else if first == '\0' {
            found.push(Token::Error("error expected: keyword found ''".to_string()));
            break;
        } else {
            let end = rest.find(|c| is_symbol(c) || is_blank(c) || c == '\0').unwrap_or(rest.len());
            found.push(Token::Word(&rest[..end]));
            end
        };
        rest = rest[length..].trim_start_matches(is_blank);
    }
    found.push(Token::End);
    found
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Parser<'a> {
    /// The token ahead; the last one is always `End`.
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        self.next += 1;
        token
    }
}

fn syntax(found: &Token<'_>, expected: &str) -> SelectorError {
    SelectorError::Syntax(format!("found '{}', expected: {expected}", found.literal()))
}

/// Parses the whole text.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser { tokens: tokens(text), next: 0 };
    let mut found = Vec::new();
    loop {
        match parser.peek() {
            Token::End => return Ok(found),
            Token::Word(_) => {}
            token if token.is("!") => {}
            token => return Err(syntax(token, "!, identifier, or 'end of string'")),
        }
        found.push(requirement(&mut parser).map_err(inside_requirement)?);
        match parser.take() {
            Token::End => return Ok(found),
            token if token.is(",") => {
                let ahead = parser.peek();
                if !matches!(ahead, Token::Word(_)) && !ahead.is("!") {
                    return Err(syntax(ahead, "identifier after ','"));
                }
            }
            token => return Err(syntax(&token, "',' or 'end of string'")),
        }
    }
}

/// Problems inside a requirement say so, once.
fn inside_requirement(error: SelectorError) -> SelectorError {
    match error {
        SelectorError::Syntax(text) => SelectorError::Requirement(text),
        other => other,
    }
}

fn requirement(parser: &mut Parser<'_>) -> Result<Requirement, SelectorError> {
    let negated = parser.peek().is("!");
    if negated {
        parser.take();
    }
    let key = match parser.take() {
        Token::Word(key) => key,
        token => return Err(syntax(&token, "identifier")),
    };
    let key_errors = names::qualified_name(key);
    if !key_errors.is_empty() {
        return Err(SelectorError::Requirement(format!("<nil>: Invalid value: {key:?}: {}", key_errors.join("; "))));
    }
    if negated {
        return Requirement::new(key, Operator::DoesNotExist, Vec::new());
    }
    if *parser.peek() == Token::End || parser.peek().is(",") {
        return Requirement::new(key, Operator::Exists, Vec::new());
    }
    let operator = operator(parser)?;
    let values = match operator {
        Operator::In | Operator::NotIn => value_list(parser)?,
        _ => vec![exact_value(parser)?],
    };
    Requirement::new(key, operator, values)
}

fn operator(parser: &mut Parser<'_>) -> Result<Operator, SelectorError> {
    let token = parser.take();
    match token.literal() {
        "in" => Ok(Operator::In),
        "notin" => Ok(Operator::NotIn),
        "=" => Ok(Operator::Equals),
        "==" => Ok(Operator::DoubleEquals),
        "!=" => Ok(Operator::NotEquals),
        ">" => Ok(Operator::GreaterThan),
        "<" => Ok(Operator::LessThan),
        _ => Err(syntax(&token, "in, notin, =, ==, !=, gt, lt")),
    }
}

fn exact_value(parser: &mut Parser<'_>) -> Result<String, SelectorError> {
    if *parser.peek() == Token::End || parser.peek().is(",") {
        return Ok(String::new());
    }
    match parser.take() {
        Token::Word(value) => Ok(value.to_string()),
        token => Err(syntax(&token, "identifier")),
    }
}

/// `(a,b)`. An empty place between commas is the empty value.
fn value_list(parser: &mut Parser<'_>) -> Result<Vec<String>, SelectorError> {
    let open = parser.take();
    if !open.is("(") {
        return Err(SelectorError::Syntax(format!("found '{}' expected: '('", open.literal())));
    }
    if parser.peek().is(")") {
        parser.take();
        return Ok(Vec::new());
    }
    let mut values = BTreeSet::new();
    loop {
        let value = match parser.peek() {
            Token::Word(_) => parser.take().literal().to_string(),
            token if token.is(",") || token.is(")") => String::new(),
            token => return Err(syntax(token, "',', ')' or identifier")),
        };
        values.insert(value);
        match parser.take() {
            token if token.is(",") => {}
            token if token.is(")") => break,
            token => return Err(syntax(&token, "',' or ')'")),
        }
    }
    Ok(values.into_iter().collect())
}
