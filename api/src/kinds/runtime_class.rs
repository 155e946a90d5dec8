//! Rules of runtime classes.

use serde_json::{Value, json};

use super::check::Errors;
use super::json::{entries, part, text};
use super::pod::{normalize_list, tolerations};
use super::resource_names;
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
    // Kubernetes takes it for the limits of a container, in what it says about it too.
    let path = Path::root("overhead").child("limits");
    for (name, amount) in entries(class, "overhead.podFixed") {
        resource_names::of_container(&mut errors, name, &path.key(name));
        resource_names::amount(&mut errors, name, amount, &path.key(name));
    }
    let path = Path::root("scheduling");
    let selector = part(class, "scheduling.nodeSelector");
    errors.0.extend(metadata::labels(Some(&selector).filter(|s| s.is_object()), &path.child("nodeSelector")));
    tolerations(&mut errors, &part(class, "scheduling.tolerations"), &path.child("tolerations"));
    errors.0
}
