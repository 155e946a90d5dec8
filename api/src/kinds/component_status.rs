//! Rules of component statuses, which are listed and nothing else.

use serde_json::{Value, json};

use super::json::{list, text};
use super::table::column;
use crate::catalog::{RowCells, Rules};

/// The rules of the row.
pub static RULES: Rules = Rules {
    deprecation: Some("v1 ComponentStatus is deprecated in v1.19+"),
    columns: &[
        column("Status", "Status of the component conditions"),
        column("Message", "Message of the component conditions"),
        column("Error", "Error of the component conditions"),
    ],
    cells: |component, _| {
        let health = list(component, "conditions").iter().find(|c| text(c, "type") == "Healthy");
        let status = match health.map(|c| text(c, "status")) {
            Some("True") => "Healthy",
            Some(_) => "Unhealthy",
            None => "Unknown",
        };
        let said = |field: &str| json!(health.map(|c: &Value| text(c, field)).unwrap_or_default());
        RowCells { cells: vec![json!(status), said("message"), said("error")] }
    },
    ..Rules::GENERIC
};
