//! What objects cost a namespace, and what its ResourceQuotas say to that: shared by the server, which refuses what is
//! too much, and the controller, which counts again.
//!
//! Follows `k8s.io/kubernetes/pkg/quota/v1`: amounts by quota resource name (`requests.cpu`, `count/jobs.batch` …).

mod check;
mod scope;
#[cfg(test)]
mod tests;
mod usage;

pub use check::{Costing, QuotaError, Wish, charge};
pub use scope::{covers, is_terminating};
pub use usage::{class_of_claim, counts_resource, usage};

use serde_json::{Map, Value};

use crate::pod::ResourceList;
use crate::quantity::Quantity;

/// A resource list of an object (`spec.hard`, `status.used`) as amounts.
pub fn amounts(list: Option<&Value>) -> ResourceList {
    let list = list.and_then(Value::as_object).into_iter().flatten();
    list.filter_map(|(name, value)| Some((name.clone(), Quantity::from_value(value)?))).collect()
}

/// Amounts as a resource list of an object.
pub fn list(amounts: &ResourceList) -> Value {
    let entries: Map<String, Value> =
        amounts.iter().map(|(name, amount)| (name.clone(), Value::from(amount.to_string()))).collect();
    Value::Object(entries)
}
