//! Who may do what: asked once per request, and by whoever reviews access.

mod forbidden;
pub(crate) mod node;
pub(crate) mod rbac;

use coracle_api::ApiResult;
use coracle_store::Store;

pub(crate) use forbidden::forbidden;
use node::NodeAuthorizer;
use rbac::Rbac;

use crate::identity::{MASTERS, User};
use crate::write::Notes;

impl<'a> Attributes<'a> {
    /// A question about a verb and what it is done to.
    pub(crate) fn new(verb: &'a str, target: Subject<'a>) -> Self {
        Self { verb, target, selected_node: None }
    }
}

/// What a request wants to do, as authorizers see it (`authorizer.Attributes`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a> {
    /// `get`, `list`, `create` …
    pub verb: &'a str,
    /// What it does it to.
    pub target: Subject<'a>,
    /// The one node that a list or watch selects pods of.
    pub selected_node: Option<&'a str>,
}

/// The object of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A resource, of the catalogue or not: whoever reviews access may ask about anything.
    Resource { group: &'a str, resource: &'a str, subresource: &'a str, namespace: &'a str, name: &'a str },
    /// A path outside of the catalogue.
    Path(&'a str),
}

impl<'a> Subject<'a> {
    /// A resource, field by field.
    pub(crate) fn resource(
        group: &'a str,
        resource: &'a str,
        subresource: &'a str,
        namespace: &'a str,
        name: &'a str,
    ) -> Self {
        Self::Resource { group, resource, subresource, namespace, name }
    }
}

/// What an authorizer says. Allowed or not, there may be something to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    /// Which binding allows it, or what would have allowed it and could not be found; often empty.
    pub(crate) reason: String,
}

impl Verdict {
    pub(crate) fn allowed(reason: impl Into<String>) -> Self {
        Self { allowed: true, reason: reason.into() }
    }

    /// This authorizer does not allow it; another one may.
    pub(crate) fn no_opinion(reason: impl Into<String>) -> Self {
        Self { allowed: false, reason: reason.into() }
    }
}

/// One way to be allowed something.
trait Authorizer: Send + Sync {
    fn decide(&self, user: &User, attributes: &Attributes<'_>) -> Verdict;
}

/// Who may do everything: members of `system:masters`, as the server itself would otherwise lock itself out, and the
/// components that run in this process, which could reach into the store as well.
struct Privileged;

impl Authorizer for Privileged {
    fn decide(&self, user: &User, _: &Attributes<'_>) -> Verdict {
        if user.in_group(MASTERS) || user.is_component() { Verdict::allowed("") } else { Verdict::no_opinion("") }
    }
}

/// The authorizers in their order (`--authorization-mode=Node,RBAC`): the first that allows a request decides.
pub(crate) struct Authorizers {
    node: NodeAuthorizer,
    pub(crate) rbac: Rbac,
}

impl Authorizers {
    pub(crate) fn new(store: Store) -> Self {
        Self { node: NodeAuthorizer::new(store.clone()), rbac: Rbac::new(store) }
    }

    /// Whether the user may do it.
    pub(crate) fn decide(&self, user: &User, attributes: &Attributes<'_>) -> Verdict {
        let chain: [&dyn Authorizer; 3] = [&Privileged, &self.node, &self.rbac];
        let mut reasons = Vec::new();
        for authorizer in chain {
            let verdict = authorizer.decide(user, attributes);
            if verdict.allowed {
                return verdict;
            }
            reasons.push(verdict.reason);
        }
        reasons.retain(|reason| !reason.is_empty());
        Verdict::no_opinion(reasons.join("\n"))
    }

    /// Whether the user may do it, for whoever has nothing to say about it.
    pub(crate) fn allows(&self, user: &User, attributes: &Attributes<'_>) -> bool {
        self.decide(user, attributes).allowed
    }

    /// Lets the user do it, and notes for the audit log who has decided so.
    ///
    /// # Errors
    /// 403 in Kubernetes' words.
    pub(crate) fn require(&self, user: &User, attributes: &Attributes<'_>, notes: &Notes) -> ApiResult<()> {
        let verdict = self.decide(user, attributes);
        let decision = if verdict.allowed { "allow" } else { "forbid" };
        notes.annotate("authorization.k8s.io/decision", decision);
        notes.annotate("authorization.k8s.io/reason", verdict.reason.as_str());
        if verdict.allowed { Ok(()) } else { Err(forbidden(user, attributes, &verdict.reason)) }
    }
}
