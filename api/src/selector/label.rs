//! Label selectors: the requirements, and matching labels against them.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta_v1;
use serde_json::{Value, json};

use super::parse;
use crate::field::{self, FieldError, Path};
use crate::names;

/// Why a text or an object is not a label selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The text stops making sense at some token.
    #[error("{0}")]
    Syntax(String),
    /// A requirement is well-formed but breaks a rule.
    #[error("unable to parse requirement: {0}")]
    Requirement(String),
    /// A `LabelSelector` object names an operator that does not exist.
    #[error("\"{0}\" is not a valid label selector operator")]
    Operator(String),
}

/// How a requirement relates a key to its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key=value`
    Equals,
    /// `key==value`
    DoubleEquals,
    /// `key!=value`: also true without the key.
    NotEquals,
    /// `key in (a,b)`
    In,
    /// `key notin (a,b)`: also true without the key.
    NotIn,
    /// `key`
    Exists,
    /// `!key`
    DoesNotExist,
    /// `key>5`, both being integers.
    GreaterThan,
    /// `key<5`, both being integers.
    LessThan,
}

/// One condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: String,
    operator: Operator,
    /// Sorted: there may be thousands, and thousands of objects to look at.
    values: Vec<String>,
}

impl Requirement {
    /// A checked requirement.
    ///
    /// # Errors
    /// When the key or a value is no label, or the number of values does not suit the operator.
    pub fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self, SelectorError> {
        let mut errors: Vec<FieldError> = Vec::new();
        let key_errors = names::qualified_name(key);
        if !key_errors.is_empty() {
            errors.push(FieldError::invalid(&Path::root("key"), &json!(key), &key_errors.join("; ")));
        }
        let values_path = Path::root("values");
        if let Some(problem) = count_problem(operator, &values) {
            errors.push(FieldError::invalid(&values_path, &json!(values), problem));
        }
        for (index, value) in values.iter().enumerate() {
            let path = values_path.index(index);
            if matches!(operator, Operator::GreaterThan | Operator::LessThan) && value.parse::<i64>().is_err() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                field::tell(&mut errors, || FieldError::invalid(&path, &json!(value), detail));
            }
            let value_errors = names::label_value(value);
            if !value_errors.is_empty() {
                let path = path.key(key);
                field::tell(&mut errors, || FieldError::invalid(&path, &json!(value), &value_errors.join("; ")));
            }
        }
        if errors.is_empty() {
            values.sort_unstable();
            Ok(Self { key: key.to_string(), operator, values })
        } else {
            Err(SelectorError::Requirement(field::join(&errors)))
        }
    }

    /// The label key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values, sorted.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether a label with this value, or the lack of one, meets the requirement.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let listed = |v: &str| self.values.binary_search_by(|known| known.as_str().cmp(v)).is_ok();
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => value.is_some_and(listed),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compare(value, |label, bound| label > bound),
            Operator::LessThan => self.compare(value, |label, bound| label < bound),
        }
    }

    fn compare(&self, value: Option<&str>, holds: fn(i64, i64) -> bool) -> bool {
        let parsed = value.and_then(|v| v.parse().ok()).zip(self.values.first().and_then(|v| v.parse().ok()));
        parsed.is_some_and(|(label, bound)| holds(label, bound))
    }
}

fn count_problem(operator: Operator, values: &[String]) -> Option<&'static str> {
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            Some("for 'in', 'notin' operators, values set can't be empty")
        }
        Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
            Some("exact-match compatibility requires one single value")
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            Some("values set must be empty for exists and does not exist")
        }
        Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
            Some("for 'Gt', 'Lt' operators, exactly one value is required")
        }
        _ => None,
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let (key, values) = (&self.key, values.join(","));
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// All requirements must be met. Without any, everything matches; [`LabelSelector::nothing`] matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl LabelSelector {
    /// Matches every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Matches no object: what a missing selector means.
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// All of these requirements, kept in order of their keys.
    pub fn all(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, nothing: false }
    }

    /// Reads the query string form: `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>3`.
    ///
    /// # Errors
    /// With the texts of `k8s.io/apimachinery/pkg/labels`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        Ok(Self::all(parse::requirements(text)?))
    }

    /// Each key must have exactly this value, as Service selectors mean it. Values are taken as they are.
    pub fn from_map<K: AsRef<str>, V: AsRef<str>>(map: impl IntoIterator<Item = (K, V)>) -> Self {
        let exact = |(key, value): (K, V)| Requirement {
            key: key.as_ref().to_string(),
            operator: Operator::Equals,
            values: vec![value.as_ref().to_string()],
        };
        Self::all(map.into_iter().map(exact).collect())
    }

    /// From a `LabelSelector` object. `None` matches nothing, an empty object everything.
    ///
    /// # Errors
    /// When an expression is invalid.
    pub fn from_object(selector: Option<&meta_v1::LabelSelector>) -> Result<Self, SelectorError> {
        let Some(selector) = selector else { return Ok(Self::nothing()) };
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.push(Requirement::new(key, Operator::Equals, vec![value.clone()])?);
        }
        for expression in selector.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(SelectorError::Operator(other.to_string())),
            };
            let values = expression.values.clone().unwrap_or_default();
            requirements.push(Requirement::new(&expression.key, operator, values)?);
        }
        Ok(Self::all(requirements))
    }

    /// From a `LabelSelector` object as JSON, or from a plain map of strings (Services). A missing or null value
    /// matches nothing.
    ///
    /// # Errors
    /// When the value has another shape, or an expression is invalid.
    pub fn from_value(selector: Option<&Value>) -> Result<Self, SelectorError> {
        let Some(value) = selector.filter(|v| !v.is_null()) else { return Ok(Self::nothing()) };
        let Some(map) = value.as_object() else {
            return Err(SelectorError::Syntax(format!("a selector must be an object, not {value}")));
        };
        if !map.is_empty() && map.values().all(Value::is_string) {
            return Ok(Self::from_map(map.iter().map(|(k, v)| (k, v.as_str().unwrap_or_default()))));
        }
        let object = serde_json::from_value(value.clone()).map_err(|e| SelectorError::Syntax(e.to_string()))?;
        Self::from_object(Some(&object))
    }

    /// The requirements, in order of their keys.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether every object matches.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether the labels meet all requirements.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(String::as_str))
    }

    /// Whether the labels of an object held as JSON meet all requirements.
    pub fn matches_object(&self, object: &Value) -> bool {
        let labels = object.get("metadata").and_then(|m| m.get("labels"));
        self.matches_with(|key| labels.and_then(|l| l.get(key)).and_then(Value::as_str))
    }

    /// Whether labels that are looked up by key meet all requirements.
    pub fn matches_with<'a>(&self, mut lookup: impl FnMut(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.matches(lookup(&r.key)))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            write!(f, "{}{requirement}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
