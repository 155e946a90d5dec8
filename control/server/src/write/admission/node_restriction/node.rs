//! A node's own Node.

use coracle_api::ApiResult;
use serde_json::Value;

use super::{Deed, labels};
use crate::write::admission::Action;

pub(super) fn check(deed: &Deed<'_>) -> ApiResult<()> {
    let (node, write) = (deed.node, deed.write);
    if write.name != node {
        return deed.refuse(format!("node {node:?} is not allowed to modify node {:?}", write.name));
    }
    match (write.action, write.old) {
        (Action::Create, _) => created(deed),
        (Action::Update, Some(old)) => updated(deed, old),
        _ => Ok(()),
    }
}

fn created(deed: &Deed<'_>) -> ApiResult<()> {
    let node = deed.node;
    if !deed.object["spec"]["configSource"].is_null() {
        return deed.refuse(format!("node {node:?} is not allowed to create pods with a non-nil configSource"));
    }
    match labels::forbidden(deed.object, &Value::Null).as_slice() {
        [] => Ok(()),
        labels => {
            deed.refuse(format!("node {node:?} is not allowed to set the following labels: {}", labels.join(", ")))
        }
    }
}

fn updated(deed: &Deed<'_>, old: &Value) -> ApiResult<()> {
    let (node, new) = (deed.node, deed.object);
    let source = &new["spec"]["configSource"];
    if !source.is_null() && *source != old["spec"]["configSource"] {
        return deed
            .refuse(format!("node {node:?} is not allowed to update configSource to a new non-nil configSource"));
    }
    if !same(&new["spec"]["taints"], &old["spec"]["taints"]) {
        return deed.refuse(format!("node {node:?} is not allowed to modify taints"));
    }
    if !same(&new["metadata"]["ownerReferences"], &old["metadata"]["ownerReferences"]) {
        return deed.refuse(format!("node {node:?} is not allowed to modify ownerReferences"));
    }
    match labels::forbidden(new, old).as_slice() {
        [] => Ok(()),
        labels => deed.refuse(format!("node {node:?} is not allowed to modify labels: {}", labels.join(", "))),
    }
}

/// No list is the same as an empty one.
fn same(a: &Value, b: &Value) -> bool {
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    items(a) == items(b)
}
