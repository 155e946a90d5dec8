//! What the API serves, as documents: the legacy ones (`/api`, `/apis`, `/apis/GROUP/VERSION`) and aggregated
//! discovery (KEP-3352), which answers the same question in two requests.

mod aggregated;
mod legacy;
#[cfg(test)]
mod tests;

pub use aggregated::{AggregatedVersion, aggregated_core, aggregated_groups};
pub use legacy::{api_group, api_group_list, api_resource_list, api_versions};
