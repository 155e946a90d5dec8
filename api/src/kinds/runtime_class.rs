//! Rules of runtime classes.

use serde_json::{Value, json};

use super::check::Errors;
use super::json::{entries, part, text};
use super::pod::{normalize_list, tolerations};
use super::table::{AGE, age, column};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::{metadata, names};

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: |class| {
        class.get_mut("overhead").and_then(|o| o.get_mut("podFixed")).into_iter().for_each(normalize_list);
    },
    validate,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        errors.fixed(&Path::empty(), new, old, &["handler"]);
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[column("Handler", ""), AGE],
    cells: |class, now_seconds| RowCells { cells: vec![json!(text(class, "handler")), age(class, now_seconds)] },
    ..Rules::GENERIC
};

fn validate(class: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    errors.named(&Path::root("handler"), text(class, "handler"), names::dns1123_label);
    let path = Path::root("overhead").child("podFixed");
    for (name, _) in entries(class, "overhead.podFixed") {
        errors.named(&path.key(name), name, names::qualified_name);
    }
    let path = Path::root("scheduling");
    let selector = part(class, "scheduling.nodeSelector");
    errors.0.extend(metadata::labels(Some(&selector).filter(|s| s.is_object()), &path.child("nodeSelector")));
    tolerations(&mut errors, &part(class, "scheduling.tolerations"), &path.child("tolerations"));
    errors.0
}
