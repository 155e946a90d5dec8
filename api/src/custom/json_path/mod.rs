//! JSON paths of printer columns and scale subresources: the language of `k8s.io/client-go/util/jsonpath`, without templates.
//!
//! `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.spec['a.b']`, `.items[0:2].name`, `..name`, `.list[*]`.
//! Missing fields are no error: a path finds nothing there.

mod parser;

use serde_json::Value;

use parser::{FILTERS_LIMIT, STEPS_LIMIT};

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
    /// Filters inside filters.
    #[error("filters are nested deeper than {FILTERS_LIMIT} levels")]
    TooDeep,
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
        parser::parse(path, 0)
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
}
