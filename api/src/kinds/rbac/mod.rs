//! Rules of roles and of who has them.

mod bindings;
mod roles;

pub use bindings::{CLUSTER_ROLE_BINDING, ROLE_BINDING};
pub use roles::{CLUSTER_ROLE, ROLE};

use crate::names;

/// The API group that users, groups and roles belong to.
const GROUP: &str = "rbac.authorization.k8s.io";

/// Names of roles only need to fit a URL: `system:node` is one.
fn name_errors(name: &str, _: bool) -> Vec<String> {
    names::path_segment(name)
}
