//! Texts to the steps of a path.

use serde_json::{Number, Value};

use super::{Comparison, JsonPath, JsonPathError, Operand, Step};

/// Steps of a path at most.
pub(super) const STEPS_LIMIT: usize = 64;
/// Filters inside filters at most: reading and following them recurses.
pub(super) const FILTERS_LIMIT: usize = 8;

/// Operators, longest first.
const OPERATORS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// Reads a path that stands inside so many filters.
pub(super) fn parse(path: &str, filters: usize) -> Result<JsonPath, JsonPathError> {
    let chars: Vec<char> = path.trim().chars().collect();
    let steps = Parser { chars: &chars, at: 0, filters }.steps()?;
    Ok(JsonPath { steps })
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    /// How many filters it is in.
    filters: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn steps(&mut self) -> Result<Vec<Step>, JsonPathError> {
        let mut steps = Vec::new();
        if matches!(self.peek(), Some('$' | '@')) {
            self.at += 1;
        }
        while let Some(c) = self.peek() {
            if steps.len() >= STEPS_LIMIT {
                return Err(JsonPathError::TooLong);
            }
            match c {
                '.' => {
                    self.at += 1;
                    if self.peek() == Some('.') {
                        self.at += 1;
                        steps.push(Step::Descend);
                    }
                    match self.name() {
                        name if name == "*" => steps.push(Step::All),
                        name if name.is_empty() => {}
                        name => steps.push(Step::Field(name)),
                    }
                }
                '[' => steps.push(self.brackets()?),
                c if steps.is_empty() && (c.is_alphanumeric() || c == '_') => steps.push(Step::Field(self.name())),
                c => return Err(JsonPathError::Unexpected(c)),
            }
        }
        Ok(steps)
    }

    /// A name up to the next dot, bracket or blank; a backslash takes away the meaning of the next character.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            match c {
                '.' | '[' | ']' | ' ' | '(' | ')' | '=' | '!' | '<' | '>' => break,
                '\\' => {
                    self.at += 1;
                    name.extend(self.peek());
                }
                c => name.push(c),
            }
            self.at += 1;
        }
        name
    }

    fn brackets(&mut self) -> Result<Step, JsonPathError> {
        let inner = self.inside()?;
        let inner = inner.trim();
        if let Some(filter) = inner.strip_prefix("?(") {
            let filter = filter.strip_suffix(')').ok_or(JsonPathError::Filter)?;
            return parse_filter(filter, self.filters + 1);
        }
        let parts = split(inner);
        match parts.as_slice() {
            [one] => element(one),
            many => many.iter().map(|part| element(part)).collect::<Result<_, _>>().map(Step::Union),
        }
    }

    /// The text between this bracket and the one that closes it.
    fn inside(&mut self) -> Result<String, JsonPathError> {
        let start = self.at + 1;
        let (mut depth, mut quote) = (0, None);
        while let Some(c) = self.peek() {
            match (quote, c) {
                (Some(_), '\\') => self.at += 1,
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '[') => depth += 1,
                (None, ']') => depth -= 1,
                (None, _) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(self.chars[start..self.at - 1].iter().collect());
            }
        }
        Err(JsonPathError::Unterminated)
    }
}

/// The parts between commas that are not in quotes.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, ',') => {
                parts.push(String::new());
                continue;
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn element(text: &str) -> Result<Step, JsonPathError> {
    let text = text.trim();
    if text == "*" {
        return Ok(Step::All);
    }
    if let Some(name) = unquote(text) {
        return Ok(Step::Field(name));
    }
    let invalid = || JsonPathError::Index(text.to_string());
    let number = |part: &str| match part.trim() {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| invalid()),
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [index] => number(index)?.map(Step::Index).ok_or_else(invalid),
        [start, end] => Ok(Step::Slice(number(start)?, number(end)?, 1)),
        [start, end, step] => Ok(Step::Slice(number(start)?, number(end)?, number(step)?.unwrap_or(1))),
        _ => Err(invalid()),
    }
}

fn unquote(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    Some(out)
}

fn parse_filter(text: &str, filters: usize) -> Result<Step, JsonPathError> {
    if filters > FILTERS_LIMIT {
        return Err(JsonPathError::TooDeep);
    }
    let found = operator(text);
    let Some((at, symbol, comparison)) = found else {
        let operand = operand(text, filters)?;
        return Ok(Step::Filter(operand.clone(), Comparison::Exists, operand));
    };
    Ok(Step::Filter(operand(&text[..at], filters)?, comparison, operand(&text[at + symbol.len()..], filters)?))
}

/// The first operator that is not in quotes.
fn operator(text: &str) -> Option<(usize, &'static str, Comparison)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, _) => {
                if let Some((symbol, comparison)) = OPERATORS.iter().find(|(symbol, _)| text[at..].starts_with(symbol))
                {
                    return Some((at, symbol, *comparison));
                }
            }
            _ => {}
        }
    }
    None
}

fn operand(text: &str, filters: usize) -> Result<Operand, JsonPathError> {
    let text = text.trim();
    if let Some(quoted) = unquote(text) {
        return Ok(Operand::Literal(Value::String(quoted)));
    }
    match text {
        "true" => return Ok(Operand::Literal(Value::Bool(true))),
        "false" => return Ok(Operand::Literal(Value::Bool(false))),
        "" => return Err(JsonPathError::Filter),
        _ => {}
    }
    if let Ok(number) = text.parse::<Number>() {
        return Ok(Operand::Literal(Value::Number(number)));
    }
    parse(text, filters).map(Operand::Path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [".a[", ".a[x]", ".a[?(", ".a]b", ".a[?()]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn filters_inside_filters_are_bounded() {
        let nested = |levels: usize| format!(".a{}{}", "[?(@".repeat(levels), ")]".repeat(levels));
        assert!(JsonPath::parse(&nested(FILTERS_LIMIT)).is_ok());
        for levels in [FILTERS_LIMIT + 1, 100_000] {
            assert_eq!(JsonPath::parse(&nested(levels)), Err(JsonPathError::TooDeep));
        }
    }
}
