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

/// What a date that can't be read looks like; one that is empty; and a null that is to be a text.
const INVALID: &str = "<invalid>";
const UNKNOWN: &str = "<unknown>";
const NO_VALUE: &str = "<no value>";

/// What `metadata.creationTimestamp` means.
const ABOUT_AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not \
    guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in \
    RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

impl PrinterColumn {
    /// Reads `additionalPrinterColumns`; without any there is an age.
    pub(super) fn list(columns: &Value) -> Vec<Self> {
        let text =
            |column: &Value, field: &str| column.get(field).and_then(Value::as_str).unwrap_or_default().to_string();
        let read = |column: &Value| {
            let name = text(column, "name");
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
            // There are no columns from the first on whose path can't be read.
            Some(columns) => columns.iter().map_while(read).collect(),
            None => JsonPath::parse(".metadata.creationTimestamp").into_iter().map(Self::age).collect(),
        }
    }

    fn age(path: JsonPath) -> Self {
        Self {
            name: "Age".into(),
            kind: "date".into(),
            format: String::new(),
            description: ABOUT_AGE.into(),
            priority: 0,
            path,
        }
    }

    /// The cell of an object.
    pub fn cell(&self, object: &Value, now_seconds: i64) -> Value {
        let Some(value) = self.path.first(object) else { return Value::Null };
        match (self.kind.as_str(), value) {
            ("string", Value::Null) => json!(NO_VALUE),
            ("date", Value::String(text)) if text.is_empty() => json!(UNKNOWN),
            ("integer", Value::Number(number)) => match number.as_i64() {
                Some(integer) => json!(integer),
                None => json!(number.as_f64().unwrap_or_default() as i64),
            },
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
            ("date", Value::String(text)) => match duration::unix_seconds(text) {
                Some(then) => json!(duration::human(now_seconds - then)),
                None => json!(INVALID),
            },
            ("string", Value::String(_)) => value.clone(),
            ("string", other) => json!(other.to_string()),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_of_the_type_of_their_column_or_empty() {
        let object = json!({
            "i": 3, "f": 3.7, "b": true, "s": "x", "n": null, "list": [1, "a"], "then": "1970-01-01T00:00:10Z", "empty": "",
        });
        for (kind, path, wanted) in [
            ("integer", ".i", json!(3)),
            ("integer", ".f", json!(3)),
            ("integer", ".s", Value::Null),
            ("number", ".f", json!(3.7)),
            ("number", ".i", json!(3)),
            ("boolean", ".b", json!(true)),
            ("boolean", ".s", Value::Null),
            ("string", ".s", json!("x")),
            ("string", ".i", json!("3")),
            ("string", ".b", json!("true")),
            ("string", ".list", json!("[1,\"a\"]")),
            ("string", ".list[1]", json!("a")),
            ("string", ".n", json!("<no value>")),
            ("string", ".absent", Value::Null),
            ("date", ".then", json!("60s")),
            ("date", ".s", json!("<invalid>")),
            ("date", ".empty", json!("<unknown>")),
            ("date", ".i", Value::Null),
            ("date", ".n", Value::Null),
        ] {
            let column = json!([{ "name": "C", "type": kind, "jsonPath": path }]);
            assert_eq!(PrinterColumn::list(&column)[0].cell(&object, 70), wanted, "{kind} {path}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_read_ends_the_columns() {
        let columns = json!([
            { "name": "A", "type": "string", "jsonPath": ".a" }, { "name": "B", "type": "string", "jsonPath": ".b[" },
            { "name": "C", "type": "string", "jsonPath": ".c" },
        ]);
        let names: Vec<String> = PrinterColumn::list(&columns).into_iter().map(|column| column.name).collect();
        assert_eq!(names, ["A"]);
        assert_eq!(PrinterColumn::list(&json!([]))[0].name, "Age");
    }
}
