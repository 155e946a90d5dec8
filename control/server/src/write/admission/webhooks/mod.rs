//! Admission webhooks: servers of the cluster's operators that are asked before something is written
//! (`admissionregistration.k8s.io/v1`, `k8s.io/apiserver/pkg/admission/plugin/webhook`).
//!
//! A write goes through [`matching`] for every configured webhook; who is called is sent a [`review`] and its answer is
//! a refusal, a patch, or nothing.
//!
//! Invariant: a webhook that hangs holds no more than the request that it is asked about, and that for its
//! `timeoutSeconds`; all mutating ones together no longer than a request may take. What one answers is bounded in size,
//! and so is what its patch may make.
//!
//! Invariant: no webhook can stand between an operator and the configurations of webhooks and policies.

mod answer;
mod ask;
mod asked;
mod client;
mod hook;
mod matching;
mod mutating;
mod patch;
mod review;
mod rule;
#[cfg(test)]
mod tests;
mod validating;
mod verdict;

pub(super) use asked::{Asked, Place};
pub(super) use matching::{Objects, selects_namespace, selects_object};
pub(super) use mutating::MutatingAdmissionWebhook;
pub(super) use patch::{apply as apply_steps, first_wrong};
pub(super) use review::request_seen;
pub(super) use rule::Rule;
pub(super) use validating::ValidatingAdmissionWebhook;

use super::Admitted;
const GROUP: &str = "admissionregistration.k8s.io";

/// What webhooks are configured with, and policies.
const CONFIGURATIONS: [&str; 6] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
];

/// Whether no webhook is asked about the write: one that refuses everything must not refuse its own removal. Neither are
/// they about what the server keeps for itself, which nobody has asked for.
fn is_exempt(write: &Admitted<'_>) -> bool {
    let configures = write.resource.group == GROUP && CONFIGURATIONS.contains(&write.resource.kind.as_ref());
    configures || write.user.is_server()
}
