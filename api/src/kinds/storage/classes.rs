//! Classes of storage, and classes of attributes that a volume can be changed to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{boolean, entries, has, list, part, set_default, text, texts};
use crate::kinds::table::{AGE, NAME, age, column};
use crate::{meta, names};

/// Longest parameters, all together, and how many there can be.
const PARAMETERS_LIMIT_BYTES: usize = 256 * 1024;
const PARAMETERS_LIMIT: usize = 512;
const DEFAULT_ANNOTATIONS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
const DEFAULT_ATTRIBUTES: [&str; 1] = ["volumeattributesclass.kubernetes.io/is-default-class"];

/// The rules of the row.
pub static STORAGE_CLASS: Rules = Rules {
    defaults: |class| {
        if let Some(map) = class.as_object_mut() {
            set_default(map, "reclaimPolicy", "Delete");
            set_default(map, "volumeBindingMode", "Immediate");
        }
    },
    validate: storage_class,
    validate_update: storage_class_update,
    name_errors: names::subdomain_name,
    columns: &[
        NAME,
        column("Provisioner", "provisioner indicates the type of the provisioner."),
        column(
            "ReclaimPolicy",
            "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage \
             class. Defaults to Delete.",
        ),
        column(
            "VolumeBindingMode",
            "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.  When \
                 unset, VolumeBindingImmediate is used. This field is only honored by servers that enable the \
                 VolumeScheduling feature.",
        ),
        column("AllowVolumeExpansion", "allowVolumeExpansion shows whether the storage class allow volume expand."),
        AGE,
    ],
    cells: |class, now_seconds| RowCells {
        cells: vec![
            marked(class, &DEFAULT_ANNOTATIONS),
            json!(text(class, "provisioner")),
            json!(or(text(class, "reclaimPolicy"), "Delete")),
            json!(or(text(class, "volumeBindingMode"), "Immediate")),
            json!(boolean(class, "allowVolumeExpansion")),
            age(class, now_seconds),
        ],
    },
    ..Rules::GENERIC
};

/// The rules of the row.
pub static VOLUME_ATTRIBUTES_CLASS: Rules = Rules {
    validate: |class| {
        let mut errors = Errors::default();
        provisioner(&mut errors, class, "driverName");
        if entries(class, "parameters").next().is_none() {
            errors.required(&Path::root("parameters"), "must contain at least one key/value pair");
        }
        parameters(&mut errors, class);
        errors.0
    },
    validate_update: |new, old| {
        let mut errors = Errors::default();
        for field in ["driverName", "parameters"] {
            if !same(&part(new, field), &part(old, field)) {
                errors.forbidden(&Path::root(field), &format!("updates to {field} are forbidden."));
            }
        }
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[NAME, column("DriverName", "Name of the CSI driver This field is immutable."), AGE],
    cells: |class, now_seconds| RowCells {
        cells: vec![marked(class, &DEFAULT_ATTRIBUTES), json!(text(class, "driverName")), age(class, now_seconds)],
    },
    ..Rules::GENERIC
};

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// The name, and whether the class is used where none is named.
fn marked(class: &Value, annotations: &[&str]) -> Value {
    let found = meta::annotations(class);
    let is_default = annotations.iter().any(|annotation| found.get(annotation) == Some(&"true"));
    let mark = if is_default { " (default)" } else { "" };
    json!(format!("{}{mark}", meta::name(class)))
}

fn parameters(errors: &mut Errors, class: &Value) {
    let (path, mut bytes) = (Path::root("parameters"), 0);
    if entries(class, "parameters").count() > PARAMETERS_LIMIT {
        errors.0.push(FieldError::too_long(&path, PARAMETERS_LIMIT));
        return;
    }
    for (name, value) in entries(class, "parameters") {
        if name.is_empty() {
            errors.invalid(&path, name, "field can not be empty.");
        }
        bytes += name.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > PARAMETERS_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(&path, PARAMETERS_LIMIT_BYTES));
    }
}

/// Who makes volumes, or changes their attributes.
fn provisioner(errors: &mut Errors, class: &Value, field: &str) {
    let (name, path) = (text(class, field), Path::root(field));
    if name.is_empty() {
        return errors.required(&path, "");
    }
    let details = names::qualified_name(&name.to_lowercase());
    details.iter().for_each(|detail| errors.invalid(&path, &name, detail));
}

fn storage_class(class: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    provisioner(&mut errors, class, "provisioner");
    parameters(&mut errors, class);
    errors.choice_if_set(&Path::empty(), class, "reclaimPolicy", &["Delete", "Retain"]);
    if has(class, "volumeBindingMode") {
        errors.choice(&Path::empty(), class, "volumeBindingMode", &["Immediate", "WaitForFirstConsumer"]);
    } else {
        errors.required(&Path::root("volumeBindingMode"), "");
    }
    topologies(&mut errors, class);
    errors.0
}

fn topologies(errors: &mut Errors, class: &Value) {
    let all = Path::root("allowedTopologies");
    let mut terms = BTreeSet::new();
    for (index, term) in list(class, "allowedTopologies").iter().enumerate() {
        let path = all.index(index).child("matchLabelExpressions");
        let mut seen = BTreeSet::new();
        for (index, requirement) in list(term, "matchLabelExpressions").iter().enumerate() {
            let (path, key, values) = (path.index(index), text(requirement, "key"), texts(requirement, "values"));
            if values.is_empty() {
                errors.required(&path.child("values"), "");
            }
            let mut seen_values = BTreeSet::new();
            for (index, value) in values.iter().enumerate() {
                if !seen_values.insert(value) {
                    errors.duplicate(&path.child("values").index(index), value);
                }
            }
            errors.named(&path.child("key"), key, names::qualified_name);
            if !seen.insert(key) {
                errors.duplicate(&path.child("key"), &key);
            }
        }
        if !terms.insert(zones(term)) {
            errors.duplicate(&path, &"");
        }
    }
}

/// What a term asks for, whatever the order in which it does.
fn zones(term: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let requirements = list(term, "matchLabelExpressions").iter();
    requirements.map(|r| (text(r, "key"), texts(r, "values").into_iter().collect())).collect()
}

fn storage_class_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    for field in ["parameters", "provisioner", "reclaimPolicy"] {
        if !same(&part(new, field), &part(old, field)) {
            errors.forbidden(&Path::root(field), &format!("updates to {field} are forbidden."));
        }
    }
    errors.fixed(&Path::empty(), new, old, &["volumeBindingMode"]);
    errors.0
}
