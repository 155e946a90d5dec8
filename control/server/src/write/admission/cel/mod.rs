//! Evaluating the expressions of webhooks and policies about one request
//! (`k8s.io/apiserver/pkg/admission/plugin/cel`).
//!
//! Expressions are compiled once, by [`Environment`](coracle_api::kinds::admission::Environment). About a request,
//! [`Inputs`] say what they see; a [`Stage`] evaluates some of them, each within a limit and all within a budget, and works
//! out the `variables` that they name. [`Conditions`] are a stage of their own: `matchConditions`.
//!
//! ```ignore
//! // Once:
//! let conditions = Conditions::of(&Environment::webhook(), &hook["matchConditions"], ignores_failures);
//! // For each request:
//! let asks = RequestAuthorizer::new(&hub.authorizer, write);
//! let inputs = Inputs { object, old, request: &request, namespace: None, params: None, authorizer: Some(&asks) };
//! let held: Result<bool, String> = conditions.hold(inputs, &[]);
//! ```
//!
//! Invariant: nothing here waits for anybody; what evaluating takes is bounded by the budget.

mod authorizer;
mod conditions;
mod inputs;
mod stage;
#[cfg(test)]
mod tests;

pub(super) use authorizer::RequestAuthorizer;
pub(super) use conditions::Conditions;
pub(super) use inputs::Inputs;
pub(super) use stage::{BUDGET, Failure, Stage};
