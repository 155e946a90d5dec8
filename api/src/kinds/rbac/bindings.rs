//! Bindings: who may do what a role says.

use serde_json::{Value, json};

use super::{GROUP, name_errors};
use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{items, list, object, part, set_if_zero, text};
use crate::kinds::table::{AGE, age, column, wide};
use crate::names;

/// The rules of the row.
pub static ROLE_BINDING: Rules = Rules {
    defaults,
    validate: |binding| validate(binding, true),
    validate_update,
    name_errors,
    columns: ROLE_BINDING_COLUMNS,
    cells,
    ..Rules::GENERIC
};

/// The rules of the row.
pub static CLUSTER_ROLE_BINDING: Rules = Rules {
    defaults,
    validate: |binding| validate(binding, false),
    validate_update,
    name_errors,
    columns: CLUSTER_ROLE_BINDING_COLUMNS,
    cells,
    ..Rules::GENERIC
};

const ROLE_BINDING_COLUMNS: &[Column] = &[
    column(
        "Role",
        "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the \
             RoleRef cannot be resolved, the Authorizer must return an error. This field is immutable.",
    ),
    AGE,
    wide("Users", "Users in the roleBinding"),
    wide("Groups", "Groups in the roleBinding"),
    wide("ServiceAccounts", "ServiceAccounts in the roleBinding"),
];

const CLUSTER_ROLE_BINDING_COLUMNS: &[Column] = &[
    column(
        "Role",
        "RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, \
             the Authorizer must return an error. This field is immutable.",
    ),
    AGE,
    wide("Users", "Users in the clusterRoleBinding"),
    wide("Groups", "Groups in the clusterRoleBinding"),
    wide("ServiceAccounts", "ServiceAccounts in the clusterRoleBinding"),
];

fn defaults(binding: &mut Value) {
    if let Some(role) = object(binding, "roleRef") {
        set_if_zero(role, "apiGroup", GROUP);
    }
    for subject in items(binding, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group")
            && let Some(map) = subject.as_object_mut()
        {
            set_if_zero(map, "apiGroup", GROUP);
        }
    }
}

fn validate(binding: &Value, namespaced: bool) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, role) = (Path::root("roleRef"), part(binding, "roleRef"));
    if text(&role, "apiGroup") != GROUP {
        errors.not_supported(&path.child("apiGroup"), text(&role, "apiGroup"), &[GROUP]);
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    errors.one_of_if_set(&path.child("kind"), Some(text(&role, "kind")), kinds);
    errors.required_name(&path.child("name"), text(&role, "name"), names::path_segment);
    for (index, subject) in list(binding, "subjects").iter().enumerate() {
        self::subject(&mut errors, subject, namespaced, &Path::root("subjects").index(index));
    }
    errors.0
}

fn subject(errors: &mut Errors, subject: &Value, namespaced: bool, path: &Path) {
    errors.filled(path, subject, "name");
    let (name, group) = (text(subject, "name"), text(subject, "apiGroup"));
    match text(subject, "kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                errors.named(&path.child("name"), name, names::dns1123_subdomain);
            }
            if !group.is_empty() {
                errors.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if !namespaced {
                errors.filled(path, subject, "namespace");
            }
        }
        "User" | "Group" if group != GROUP => errors.not_supported(&path.child("apiGroup"), group, &[GROUP]),
        "User" | "Group" => {}
        kind => errors.not_supported(&path.child("kind"), kind, &["ServiceAccount", "User", "Group"]),
    }
}

/// A binding that changed its role would give people another one than they were given.
fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let role = part(new, "roleRef");
    if !same(&role, &part(old, "roleRef")) {
        errors.invalid(&Path::root("roleRef"), &role, "cannot change roleRef");
    }
    errors.0
}

fn cells(binding: &Value, now_seconds: i64) -> RowCells {
    let named = |kind: &str| {
        let subjects = list(binding, "subjects").iter().filter(|s| text(s, "kind") == kind);
        let names = subjects.map(|s| match text(s, "namespace") {
            namespace if kind == "ServiceAccount" && !namespace.is_empty() => {
                format!("{namespace}/{}", text(s, "name"))
            }
            _ => text(s, "name").to_string(),
        });
        json!(names.collect::<Vec<_>>().join(", "))
    };
    let cells = vec![
        json!(format!("{}/{}", text(binding, "roleRef.kind"), text(binding, "roleRef.name"))),
        age(binding, now_seconds),
        named("User"),
        named("Group"),
        named("ServiceAccount"),
    ];
    RowCells { cells }
}
