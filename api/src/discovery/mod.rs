//! What the API serves, as documents: the legacy ones (`/api`, `/apis`, `/apis/GROUP/VERSION`) and aggregated
//! discovery (KEP-3352), which answers the same question in two requests.

mod aggregated;
mod legacy;
#[cfg(test)]
mod tests;

pub use aggregated::{AggregatedVersion, aggregated_core, aggregated_groups};
pub use legacy::{api_group, api_group_list, api_resource_list, api_versions};

use crate::catalog::{Resource, Subresource};

/// Group, version and kind of what a subresource takes and returns.
pub(crate) fn response_kind(resource: &Resource, subresource: Subresource) -> [String; 3] {
    match subresource {
        Subresource::Scale => ["autoscaling".into(), "v1".into(), "Scale".into()],
        Subresource::Binding => [String::new(), "v1".into(), "Binding".into()],
        _ => [resource.group.to_string(), resource.version.to_string(), resource.kind.to_string()],
    }
}
