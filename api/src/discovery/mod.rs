//! What the API serves, as documents: the legacy ones (`/api`, `/apis`, `/apis/GROUP/VERSION`) and aggregated
//! discovery (KEP-3352), which answers the same question in two requests.

mod aggregated;
mod legacy;
#[cfg(test)]
mod tests;

use crate::catalog::Resource;

/// What custom kinds allow, in the order in which Kubernetes says it; and those whose definition goes.
const CUSTOM_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const TERMINATING_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "watch"];

/// The verbs to tell clients of.
fn verbs(row: &Resource) -> &[&'static str] {
    match &row.custom {
        Some(custom) if custom.terminating => TERMINATING_VERBS,
        Some(_) => CUSTOM_VERBS,
        None => row.verbs,
    }
}

pub use aggregated::{AggregatedVersion, aggregated_core, aggregated_groups};
pub use legacy::{api_group, api_group_list, api_resource_list, api_versions};
