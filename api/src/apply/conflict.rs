//! 409 when others own what an apply would change.

use serde_json::{Value, json};

use super::managers::Conflict;
use crate::error::{ApiError, Reason};

/// Bytes of the paths that are told. There can be as many as an object has fields, each below a key as long as the
/// object.
const MAX_BYTES: usize = 1 << 20;

/// The error that names every field and its manager, unless there are very many.
pub(super) fn error(conflicts: &[Conflict]) -> ApiError {
    let (count, mut room) = (conflicts.iter().map(|conflict| conflict.fields.count()).sum::<usize>(), MAX_BYTES);
    let told: Vec<(&str, Vec<String>)> = conflicts
        .iter()
        .map(|conflict| (conflict.manager.as_str(), conflict.fields.paths_within(&mut room)))
        .filter(|(_, paths)| !paths.is_empty())
        .collect();
    let mut error = ApiError::new(Reason::Conflict, message(&told, count));
    let causes = told.iter().flat_map(|(manager, paths)| paths.iter().map(move |path| cause(manager, path)));
    error.details.insert("causes".into(), causes.collect());
    error
}

fn message(told: &[(&str, Vec<String>)], count: usize) -> String {
    if let ([(manager, paths)], 1) = (told, count) {
        return format!("Apply failed with 1 conflict: conflict with {manager}: {}", paths.concat());
    }
    let mut lines = Vec::new();
    for (manager, paths) in told {
        lines.push(format!("conflicts with {manager}:"));
        lines.extend(paths.iter().map(|path| format!("- {path}")));
    }
    match count - told.iter().map(|(_, paths)| paths.len()).sum::<usize>() {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
}

fn cause(manager: &str, path: &str) -> Value {
    json!({ "reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path })
}
