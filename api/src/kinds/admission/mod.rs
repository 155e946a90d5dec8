//! Rules of the kinds of `admissionregistration.k8s.io`: webhooks, and policies written in CEL.

mod environment;
mod expressions;
mod match_rules;
mod policies;
mod policy_validation;
mod seen;
mod type_check;
mod webhooks;

pub use environment::{Environment, Purpose};
pub use policies::{MUTATING_POLICY, MUTATING_POLICY_BINDING, VALIDATING_POLICY, VALIDATING_POLICY_BINDING};
pub use seen::{NAMESPACE, REQUEST, USER_INFO};
pub use type_check::{TypedKind, expression_warnings};
pub use webhooks::{MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS};
