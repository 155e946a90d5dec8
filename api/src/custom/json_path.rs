//! JSON paths of printer columns and scale subresources: the language of `k8s.io/client-go/util/jsonpath`, without templates.
//!
//! `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.spec['a.b']`, `.items[0:2].name`, `..name`, `.list[*]`.
//! Missing fields are no error: a path finds nothing there.

use serde_json::{Number, Value};

/// Steps of a path at most.
const STEPS_LIMIT: usize = 64;
/// Values that a path may find on its way, so that `..*..*` does not multiply.
const FOUND_LIMIT: usize = 10_000;

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPathError {
    /// Something is where it can't be.
    #[error("unrecognized character in action: {0:?}")]
    Unexpected(char),
    /// A bracket is not closed.
    #[error("unterminated array")]
    Unterminated,
    /// A filter that can't be read.
    #[error("unterminated filter")]
    Filter,
    /// What is in brackets is no index, name, slice or filter.
    #[error("invalid array index {0}")]
    Index(String),
    /// Too many steps.
    #[error("path has more than {STEPS_LIMIT} steps")]
    TooLong,
}

/// A path that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// `[*]` and `.*`
    All,
    /// `..`
    Descend,
    /// `[start:end:step]`; a plain index is a slice of one.
    Slice(Option<i64>, Option<i64>, i64),
    Index(i64),
    /// `[1,'a']`
    Union(Vec<Step>),
    Filter(Operand, Comparison, Operand),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(JsonPath),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Exists,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl JsonPath {
    /// Reads a path such as `.spec.replicas`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(path: &str) -> Result<Self, JsonPathError> {
        let chars: Vec<char> = path.trim().chars().collect();
        let mut parser = Parser { chars: &chars, at: 0 };
        let steps = parser.steps()?;
        Ok(Self { steps })
    }

    /// Everything that it finds.
    pub fn find<'v>(&self, root: &'v Value) -> Vec<&'v Value> {
        self.steps.iter().fold(vec![root], |found, step| {
            let mut next = Vec::new();
            found.into_iter().for_each(|value| step.take(value, &mut next));
            next.truncate(FOUND_LIMIT);
            next
        })
    }

    /// The first that it finds.
    pub fn first<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.find(root).into_iter().next()
    }
}

impl Step {
    fn take<'v>(&self, value: &'v Value, found: &mut Vec<&'v Value>) {
        match self {
            Self::Field(name) => found.extend(value.as_object().and_then(|fields| fields.get(name))),
            Self::All => match value {
                Value::Object(fields) => found.extend(fields.values()),
                Value::Array(items) => found.extend(items),
                _ => {}
            },
            Self::Descend => descend(value, found),
            Self::Index(index) => {
                let Some(items) = value.as_array() else { return };
                let at = if *index < 0 { index + items.len() as i64 } else { *index };
                found.extend(usize::try_from(at).ok().and_then(|at| items.get(at)));
            }
            Self::Slice(start, end, step) => {
                let Some(items) = value.as_array() else { return };
                let length = items.len() as i64;
                let bound = |at: i64| (if at < 0 { at + length } else { at }).clamp(0, length);
                let (start, end) = (bound(start.unwrap_or(0)), bound(end.unwrap_or(length)));
                let step = usize::try_from(*step).unwrap_or(1).max(1);
                found.extend((start..end).step_by(step).filter_map(|at| items.get(at as usize)));
            }
            Self::Union(steps) => steps.iter().for_each(|step| step.take(value, found)),
            Self::Filter(left, comparison, right) => {
                let Some(items) = value.as_array() else { return };
                found.extend(items.iter().filter(|item| matches(item, left, *comparison, right)));
            }
        }
    }
}

fn descend<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    if found.len() >= FOUND_LIMIT {
        return;
    }
    found.push(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|field| descend(field, found)),
        Value::Array(items) => items.iter().for_each(|item| descend(item, found)),
        _ => {}
    }
}

fn matches(item: &Value, left: &Operand, comparison: Comparison, right: &Operand) -> bool {
    let read = |operand: &Operand| match operand {
        Operand::Path(path) => path.first(item).cloned(),
        Operand::Literal(value) => Some(value.clone()),
    };
    if comparison == Comparison::Exists {
        return read(left).is_some();
    }
    let (Some(left), Some(right)) = (read(left), read(right)) else { return false };
    let order = match (&left, &right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    };
    match comparison {
        Comparison::Exists => true,
        Comparison::Equal => order.is_some_and(|order| order.is_eq()),
        Comparison::NotEqual => order.is_none_or(|order| order.is_ne()),
        Comparison::Less => order.is_some_and(|order| order.is_lt()),
        Comparison::LessOrEqual => order.is_some_and(|order| order.is_le()),
        Comparison::Greater => order.is_some_and(|order| order.is_gt()),
        Comparison::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
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
            return filter.strip_suffix(')').ok_or(JsonPathError::Filter).and_then(parse_filter);
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

/// Operators, longest first.
const OPERATORS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

fn parse_filter(text: &str) -> Result<Step, JsonPathError> {
    let found = operator(text);
    let Some((at, symbol, comparison)) = found else {
        let operand = operand(text)?;
        return Ok(Step::Filter(operand.clone(), Comparison::Exists, operand));
    };
    Ok(Step::Filter(operand(&text[..at])?, comparison, operand(&text[at + symbol.len()..])?))
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

fn operand(text: &str) -> Result<Operand, JsonPathError> {
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
    JsonPath::parse(text).map(Operand::Path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_what_kubectl_finds() {
        let object = json!({
            "spec": { "replicas": 3, "a.b": "dotted", "list": [{"name": "x", "n": 1}, {"name": "y", "n": 2}] },
            "status": { "conditions": [
                {"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"},
            ] },
        });
        for (path, found) in [
            (".spec.replicas", json!([3])),
            ("spec.replicas", json!([3])),
            (".spec['a.b']", json!(["dotted"])),
            (r".spec.a\.b", json!(["dotted"])),
            (".spec.list[*].name", json!(["x", "y"])),
            (".spec.list[0].name", json!(["x"])),
            (".spec.list[-1].name", json!(["y"])),
            (".spec.list[0:1].name", json!(["x"])),
            (".spec.list[0,1].n", json!([1, 2])),
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".status.conditions[?(@.type != 'Ready')].status", json!(["False"])),
            (".spec.list[?(@.n > 1)].name", json!(["y"])),
            (".spec.list[?(@.nope)].name", json!([])),
            ("..n", json!([1, 2])),
            (".nope.deeper", json!([])),
        ] {
            let found_now: Vec<Value> = JsonPath::parse(path).unwrap().find(&object).into_iter().cloned().collect();
            assert_eq!(json!(found_now), found, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [".a[", ".a[x]", ".a[?(", ".a]b", ".a[?()]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
