//! 409 when others own what an apply would change.

use serde_json::{Value, json};

use super::managers::Conflict;
use crate::error::{ApiError, Reason};

/// The error that names every field and its manager.
pub(super) fn error(conflicts: &[Conflict]) -> ApiError {
    let all: Vec<(&str, String)> = conflicts
        .iter()
        .flat_map(|conflict| conflict.fields.paths().into_iter().map(|path| (conflict.manager.as_str(), path)))
        .collect();
    let message = match all.as_slice() {
        [(manager, path)] => format!("Apply failed with 1 conflict: conflict with {manager}: {path}"),
        many => {
            let mut lines = Vec::new();
            for conflict in conflicts {
                lines.push(format!("conflicts with {}:", conflict.manager));
                lines.extend(conflict.fields.paths().iter().map(|path| format!("- {path}")));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let cause = |(manager, path): &(&str, String)| -> Value {
        json!({ "reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path })
    };
    let mut error = ApiError::new(Reason::Conflict, message);
    error.details.insert("causes".into(), all.iter().map(cause).collect());
    error
}
