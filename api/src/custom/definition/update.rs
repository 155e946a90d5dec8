//! Steps from one definition to the next.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{ESTABLISHED, flag, list, names, text};
use crate::field::{FieldError, Path, tell};
use crate::metadata::IMMUTABLE;

/// All errors in a step, besides those of the new definition by itself.
pub fn errors(new: &Value, old: &Value) -> Vec<FieldError> {
    let path = Path::root("spec");
    let names_path = path.child("names");
    let (new_spec, old_spec) = (&new["spec"], &old["spec"]);
    let mut errors = Vec::new();
    let mut fixed = |path: Path, new: &Value, old: &Value| {
        if new != old {
            errors.push(FieldError::invalid(&path, new, IMMUTABLE));
        }
    };
    if is_established(old) {
        fixed(path.child("scope"), &new_spec["scope"], &old_spec["scope"]);
        fixed(names_path.child("kind"), &new_spec["names"]["kind"], &old_spec["names"]["kind"]);
    }
    fixed(path.child("group"), &new_spec["group"], &old_spec["group"]);
    fixed(names_path.child("plural"), &new_spec["names"]["plural"], &old_spec["names"]["plural"]);
    errors
}

/// All errors in a write to `status`.
pub fn status_errors(new: &Value, _old: &Value) -> Vec<FieldError> {
    names::errors(&new["status"]["acceptedNames"], &Path::root("status").child("acceptedNames"))
}

fn is_established(definition: &Value) -> bool {
    let conditions = list(&definition["status"], "conditions").iter();
    conditions.into_iter().any(|c| text(c, "type") == ESTABLISHED && text(c, "status") == "True")
}

/// `status.storedVersions`: a version that objects are stored in stays in the spec.
pub(super) fn stored_version_errors(definition: &Value, path: &Path) -> Vec<FieldError> {
    let stored = list(&definition["status"], "storedVersions");
    if stored.is_empty() {
        return vec![FieldError::invalid(path, &json!(stored), "must have at least one stored version")];
    }
    let versions = list(&definition["spec"], "versions");
    let known: HashSet<&Value> = stored.iter().collect();
    let mut errors = Vec::new();
    for version in versions.iter().filter(|version| flag(version, "storage")) {
        if !known.contains(&version["name"]) {
            let detail = format!("must have the storage version {}", text(version, "name"));
            tell(&mut errors, || FieldError::invalid(path, &json!(stored), &detail));
        }
    }
    let offered: HashSet<&Value> = versions.iter().map(|version| &version["name"]).collect();
    for (index, name) in stored.iter().enumerate() {
        if !offered.contains(name) {
            let name = name.as_str().unwrap_or_default();
            let detail = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a \
                 storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            errors.push(FieldError::invalid(&path.index(index), &json!(name), &detail));
        }
    }
    errors
}
