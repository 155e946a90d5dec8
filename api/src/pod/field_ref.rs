//! The downward API: what `fieldRef` and `resourceFieldRef` stand for.

use std::collections::BTreeMap;
use std::fmt::Write;

use k8s_openapi::api::core::v1::{Container, Pod};

use super::resources::{ResourceList, read_list};
use crate::quantity::Quantity;

/// Why a reference has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldRefError {
    /// No such field can be referred to.
    #[error("unsupported fieldPath: {0}")]
    FieldPath(String),
    /// No such resource can be referred to.
    #[error("unsupported container resource : {0}")]
    Resource(String),
    /// The divisor is zero or negative, or does not suit the resource.
    #[error("invalid divisor {0}: must be a positive quantity")]
    Divisor(String),
}

/// The value at a `fieldRef.fieldPath`. Labels and annotations as a whole come one per line, as in volumes.
///
/// # Errors
/// When the path names no field of the downward API.
pub fn field_value(pod: &Pod, path: &str) -> Result<String, FieldRefError> {
    let (metadata, spec, status) = (&pod.metadata, pod.spec.as_ref(), pod.status.as_ref());
    if let Some((field, key)) = subscript(path) {
        let map = match field {
            "metadata.labels" => &metadata.labels,
            "metadata.annotations" => &metadata.annotations,
            _ => return Err(FieldRefError::FieldPath(path.to_string())),
        };
        return Ok(map.as_ref().and_then(|m| m.get(key)).cloned().unwrap_or_default());
    }
    let value = match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "metadata.labels" => Some(lines(metadata.labels.as_ref())),
        "metadata.annotations" => Some(lines(metadata.annotations.as_ref())),
        "spec.nodeName" => spec.and_then(|s| s.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|s| s.service_account_name.clone()),
        "status.hostIP" => status.and_then(|s| s.host_ip.clone()),
        "status.podIP" => status.and_then(|s| s.pod_ip.clone()),
        "status.hostIPs" => {
            let list = status.and_then(|s| s.host_ips.as_ref());
            list.map(|l| l.iter().map(|ip| ip.ip.as_str()).collect::<Vec<_>>().join(","))
        }
        "status.podIPs" => {
            let list = status.and_then(|s| s.pod_ips.as_ref());
            list.map(|l| l.iter().map(|ip| ip.ip.as_str()).collect::<Vec<_>>().join(","))
        }
        _ => return Err(FieldRefError::FieldPath(path.to_string())),
    };
    Ok(value.unwrap_or_default())
}

/// `metadata.labels['key']` as field and key.
pub(crate) fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['")
}

fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let mut text = String::new();
    for (key, value) in map.into_iter().flatten() {
        let separator = if text.is_empty() { "" } else { "\n" };
        write!(text, "{separator}{key}={value:?}").expect("writing to a String cannot fail");
    }
    text
}

/// The value of a `resourceFieldRef` such as `limits.cpu`, in units of `divisor` (empty means 1), rounded up.
/// A limit that is not set is what the node can give: `allocatable`.
///
/// # Errors
/// When the resource is not one of the downward API, or the divisor is no positive quantity.
pub fn resource_value(
    container: &Container,
    resource: &str,
    divisor: &str,
    allocatable: &ResourceList,
) -> Result<String, FieldRefError> {
    let unsupported = || FieldRefError::Resource(resource.to_string());
    let (part, name) = resource.split_once('.').ok_or_else(unsupported)?;
    let known = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    let wire = match (part, &container.resources) {
        ("limits" | "requests", _) if !known => return Err(unsupported()),
        ("limits", requirements) => requirements.as_ref().and_then(|r| r.limits.as_ref()),
        ("requests", requirements) => requirements.as_ref().and_then(|r| r.requests.as_ref()),
        _ => return Err(unsupported()),
    };
    let stated = read_list(wire).get(name).copied().filter(|q| !q.is_zero());
    let amount = stated.or_else(|| (part == "limits").then(|| allocatable.get(name).copied()).flatten());
    let bad_divisor = || FieldRefError::Divisor(divisor.to_string());
    let divisor: Quantity = match divisor {
        "" | "0" => Quantity::from_millis(1000),
        text => text.parse().map_err(|_| bad_divisor())?,
    };
    if divisor.is_negative() || divisor.is_zero() {
        return Err(bad_divisor());
    }
    let amount = amount.unwrap_or_default();
    let (amount, unit) =
        if name == "cpu" { (amount.milli_value(), divisor.milli_value()) } else { (amount.value(), divisor.value()) };
    Ok((i128::from(amount).max(0).unsigned_abs().div_ceil(i128::from(unit).unsigned_abs())).to_string())
}
