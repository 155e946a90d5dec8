//! The schema of a custom kind as a tree: types on the structural spine, checks on values, Kubernetes' extensions.
//!
//! Built from `openAPIV3Schema` of a definition that has been validated ([`super::definition`]); documents keep the text.
//!
//! Invariant: the tree is at most [`MAX_DEPTH`] deep, so walks over it may recurse.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::rules::Rule;
use super::validate::format_is_known;
use crate::cel::ListKind;

/// Levels of nesting in a schema. A CRD is itself an object of limited depth, of which its schema is a part.
pub const MAX_DEPTH: usize = 100;
/// Memory of one compiled `pattern`; RE2 has the same kind of limit.
const PATTERN_LIMIT_BYTES: usize = 1 << 20;

/// Why a schema can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Deeper than [`MAX_DEPTH`].
    #[error("schema is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A part that is not a schema.
    #[error("schema must be an object")]
    NotASchema,
    /// A pattern that is no regular expression.
    #[error("pattern {0:?} is not a valid regular expression: {1}")]
    Pattern(String, String),
}

/// `type`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaType {
    /// Not given.
    #[default]
    Any,
    /// `object`
    Object,
    /// `array`
    Array,
    /// `string`
    String,
    /// `integer`
    Integer,
    /// `number`
    Number,
    /// `boolean`
    Boolean,
}

/// What an object may hold besides its `properties`.
#[derive(Debug, Clone, Default)]
pub enum Additional {
    /// Nothing is said: unknown fields are pruned.
    #[default]
    Unsaid,
    /// `additionalProperties: true`
    Anything,
    /// `additionalProperties: {…}`
    Schema(Arc<Schema>),
}

/// One node of the tree.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// `type`
    pub ty: SchemaType,
    /// `nullable`
    pub nullable: bool,
    /// `default`
    pub default: Option<Value>,
    /// `properties`
    pub properties: BTreeMap<String, Arc<Schema>>,
    /// `additionalProperties`
    pub additional: Additional,
    /// `items`
    pub items: Option<Arc<Schema>>,
    /// `x-kubernetes-int-or-string`
    pub int_or_string: bool,
    /// `x-kubernetes-preserve-unknown-fields`
    pub preserve: bool,
    /// `x-kubernetes-embedded-resource`
    pub embedded: bool,
    /// `x-kubernetes-list-type` and `x-kubernetes-list-map-keys`
    pub list: ListKind,
    /// `x-kubernetes-map-type: atomic`
    pub atomic_map: bool,
    /// What values must be.
    pub checks: Checks,
    /// `x-kubernetes-validations`
    pub rules: Vec<Rule>,
}

/// Validations of a value.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// `format`
    pub format: String,
    /// `maximum` and whether it is exclusive
    pub maximum: Option<(f64, bool)>,
    /// `minimum` and whether it is exclusive
    pub minimum: Option<(f64, bool)>,
    /// `multipleOf`
    pub multiple_of: Option<f64>,
    /// `maxLength`, in characters
    pub max_length: Option<i64>,
    /// `minLength`, in characters
    pub min_length: Option<i64>,
    /// `pattern`
    pub pattern: Option<Regex>,
    /// `maxItems`
    pub max_items: Option<i64>,
    /// `minItems`
    pub min_items: Option<i64>,
    /// `uniqueItems`
    pub unique_items: bool,
    /// `maxProperties`
    pub max_properties: Option<i64>,
    /// `minProperties`
    pub min_properties: Option<i64>,
    /// `required`
    pub required: Vec<String>,
    /// `enum`
    pub choices: Vec<Value>,
    /// `allOf`
    pub all_of: Vec<Arc<Schema>>,
    /// `anyOf`
    pub any_of: Vec<Arc<Schema>>,
    /// `oneOf`
    pub one_of: Vec<Arc<Schema>>,
    /// `not`
    pub not: Option<Arc<Schema>>,
}

impl Schema {
    /// Reads an `openAPIV3Schema`.
    ///
    /// # Errors
    /// When it is too deep, no object, or has a pattern that is no regular expression.
    pub fn parse(schema: &Value) -> Result<Arc<Self>, SchemaError> {
        node(schema, 0).map(Arc::new)
    }

    /// The schema of a field.
    pub fn property(&self, name: &str) -> Option<&Arc<Self>> {
        self.properties.get(name).or(match &self.additional {
            Additional::Schema(schema) => Some(schema),
            Additional::Unsaid | Additional::Anything => None,
        })
    }

    /// Whether fields that the schema does not know are kept.
    pub fn keeps_unknown(&self) -> bool {
        self.preserve || matches!(self.additional, Additional::Anything)
    }
}

impl SchemaType {
    /// The text of `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    fn parse(text: &str) -> Self {
        let all = [Self::Object, Self::Array, Self::String, Self::Integer, Self::Number, Self::Boolean];
        all.into_iter().find(|ty| ty.name() == text).unwrap_or_default()
    }
}

/// A `pattern`, compiled within its limits.
pub(super) fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_LIMIT_BYTES).dfa_size_limit(PATTERN_LIMIT_BYTES).build();
    built.map_err(|error| error.to_string())
}

fn node(schema: &Value, depth: usize) -> Result<Schema, SchemaError> {
    let fields = schema.as_object().ok_or(SchemaError::NotASchema)?;
    if depth >= MAX_DEPTH {
        return Err(SchemaError::TooDeep);
    }
    let below = |value: &Value| node(value, depth + 1).map(Arc::new);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let flag = |name: &str| fields.get(name).and_then(Value::as_bool).unwrap_or_default();
    let mut properties = BTreeMap::new();
    for (name, property) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
        properties.insert(name.clone(), below(property)?);
    }
    let additional = match fields.get("additionalProperties") {
        Some(Value::Bool(true)) => Additional::Anything,
        Some(schema @ Value::Object(_)) => Additional::Schema(below(schema)?),
        _ => Additional::Unsaid,
    };
    let items = fields.get("items").filter(|items| items.is_object()).map(below).transpose()?;
    let list = match text("x-kubernetes-list-type") {
        "set" => ListKind::Set,
        "map" => ListKind::Map(strings(fields, "x-kubernetes-list-map-keys").into()),
        _ => ListKind::Atomic,
    };
    Ok(Schema {
        ty: SchemaType::parse(text("type")),
        nullable: flag("nullable"),
        default: fields.get("default").cloned(),
        properties,
        additional,
        items,
        int_or_string: flag("x-kubernetes-int-or-string"),
        preserve: flag("x-kubernetes-preserve-unknown-fields"),
        embedded: flag("x-kubernetes-embedded-resource"),
        list,
        atomic_map: text("x-kubernetes-map-type") == "atomic",
        checks: checks(fields, depth)?,
        rules: Rule::list(fields.get("x-kubernetes-validations")),
    })
}

fn checks(fields: &Map<String, Value>, depth: usize) -> Result<Checks, SchemaError> {
    let number = |name: &str| fields.get(name).and_then(Value::as_f64);
    let count = |name: &str| fields.get(name).and_then(Value::as_i64);
    let flag = |name: &str| fields.get(name).and_then(Value::as_bool).unwrap_or_default();
    let list = |name: &str| -> Result<Vec<Arc<Schema>>, SchemaError> {
        let parts = fields.get(name).and_then(Value::as_array).into_iter().flatten();
        parts.map(|part| node(part, depth + 1).map(Arc::new)).collect()
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let pattern = match text("pattern") {
        Some(pattern) => Some(compile_pattern(pattern).map_err(|why| SchemaError::Pattern(pattern.to_string(), why))?),
        None => None,
    };
    Ok(Checks {
        // A format that nobody checks is as good as none, also where it would stand for the type in texts.
        format: text("format").filter(|format| format_is_known(format)).unwrap_or_default().to_string(),
        maximum: number("maximum").map(|limit| (limit, flag("exclusiveMaximum"))),
        minimum: number("minimum").map(|limit| (limit, flag("exclusiveMinimum"))),
        multiple_of: number("multipleOf"),
        max_length: count("maxLength"),
        min_length: count("minLength"),
        pattern,
        max_items: count("maxItems"),
        min_items: count("minItems"),
        unique_items: flag("uniqueItems"),
        max_properties: count("maxProperties"),
        min_properties: count("minProperties"),
        required: strings(fields, "required"),
        choices: fields.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        all_of: list("allOf")?,
        any_of: list("anyOf")?,
        one_of: list("oneOf")?,
        not: match fields.get("not") {
            Some(schema @ Value::Object(_)) => Some(node(schema, depth + 1).map(Arc::new)?),
            _ => None,
        },
    })
}

fn strings(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = fields.get(name).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_string).collect()
}
