//! Policies written in CEL by the cluster's operators: `ValidatingAdmissionPolicy` (KEP-3488) judges what would be
//! written, `MutatingAdmissionPolicy` (KEP-3962) changes it (`k8s.io/apiserver/pkg/admission/plugin/policy`).
//!
//! A policy says what it is about and what must hold; it does nothing before a binding says where, and with which
//! parameters. [`source`] keeps the policies that are bound, compiled; for a write, [`invocations`] finds those that are
//! about it, each with one of its parameters, and the plugins evaluate them.
//!
//! Invariant: a write is shown to the policies that are stored when it is made. One that does not compile, or whose
//! parameters can't be found, refuses what it is about, unless its `failurePolicy` is `Ignore`.
//!
//! Invariant: no policy can stand between an operator and the policies and bindings themselves, nor between anybody and the
//! questions of who he is and what he may do.

mod invocations;
mod matching;
mod mutating;
mod params;
mod source;
#[cfg(test)]
mod tests;
mod validating;

pub(super) use mutating::MutatingAdmissionPolicy;
pub(super) use validating::ValidatingAdmissionPolicy;

use super::Admitted;
use super::webhooks::Asked;

/// What no policy is about: policies themselves, and reviews, of which nothing is stored.
const EXEMPT: [(&str, &str); 10] = [
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
];

/// Whether no policy is asked about the write. Neither is one about what the server keeps for itself.
fn is_exempt(write: &Admitted<'_>) -> bool {
    write.user.is_server() || EXEMPT.iter().any(|(group, plural)| write.concerns(group, plural))
}

/// The name that a refusal tells: where there is none yet, what it begins with.
fn shown_name<'a>(asked: &'a Asked<'_>) -> &'a str {
    [asked.name.as_str(), asked.write.name].into_iter().find(|name| !name.is_empty()).unwrap_or("Unknown")
}
