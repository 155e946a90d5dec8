//! Table columns of custom kinds (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`).

use serde_json::{Value, json};

use super::json_path::JsonPath;
use crate::duration;

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct PrinterColumn {
    /// Heading.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`
    pub kind: String,
    /// Format of the type.
    pub format: String,
    /// What it means.
    pub description: String,
    /// 0 is always shown, others with `-o wide`.
    pub priority: i32,
    /// Where the value is.
    pub path: JsonPath,
}

/// What a date that can't be read looks like.
const INVALID: &str = "<invalid>";

impl PrinterColumn {
    /// Reads `additionalPrinterColumns`; without any there is an age.
    pub(super) fn list(columns: &Value) -> Vec<Self> {
        let text =
            |column: &Value, field: &str| column.get(field).and_then(Value::as_str).unwrap_or_default().to_string();
        let read = |column: &Value| {
            let name = text(column, "name");
            // A path that can't be read finds nothing; definitions with one are refused.
            let path = JsonPath::parse(&text(column, "jsonPath")).ok()?;
            let description = match text(column, "description") {
                empty if empty.is_empty() => {
                    format!("Custom resource definition column (in JSONPath format): {}", text(column, "jsonPath"))
                }
                given => given,
            };
            let priority = column.get("priority").and_then(Value::as_i64).unwrap_or_default();
            Some(Self {
                kind: text(column, "type"),
                format: text(column, "format"),
                priority: i32::try_from(priority).unwrap_or(i32::MAX),
                name,
                description,
                path,
            })
        };
        let columns = columns.as_array().filter(|columns| !columns.is_empty());
        match columns {
            Some(columns) => columns.iter().filter_map(read).collect(),
            None => JsonPath::parse(".metadata.creationTimestamp").into_iter().map(Self::age).collect(),
        }
    }

    fn age(path: JsonPath) -> Self {
        Self {
            name: "Age".into(),
            kind: "date".into(),
            format: String::new(),
            description: "CreationTimestamp is a timestamp representing the server time when this object was created."
                .into(),
            priority: 0,
            path,
        }
    }

    /// The cell of an object.
    pub fn cell(&self, object: &Value, now_seconds: i64) -> Value {
        let Some(value) = self.path.first(object).filter(|value| !value.is_null()) else { return Value::Null };
        match (self.kind.as_str(), value) {
            ("integer", Value::Number(number)) => match number.as_i64() {
                Some(integer) => json!(integer),
                None => json!(number.as_f64().unwrap_or_default() as i64),
            },
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
            ("date", Value::String(text)) => match duration::unix_seconds(text) {
                Some(then) => json!(duration::human(now_seconds - then)),
                None => json!(INVALID),
            },
            ("date", _) => json!(INVALID),
            ("string", Value::String(_)) => value.clone(),
            ("string", other) => json!(other.to_string()),
            _ => Value::Null,
        }
    }
}
