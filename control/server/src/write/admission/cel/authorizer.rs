//! `authorizer`: what the author of a request may do, asked by expressions.

use std::fmt;

use coracle_api::cel::{Account, Authorizer, Decision, Question, ResourceCheck, Target};
use coracle_api::selector::FieldSelector;

use super::super::Admitted;
use crate::authz::{Attributes, Authorizers, Subject};
use crate::identity::User;

/// The field by which authorizers may narrow a list down.
const NODE_OF_POD: &str = "spec.nodeName";

/// Answers questions about the author of one request.
pub(in super::super) struct RequestAuthorizer<'a> {
    authorizers: &'a Authorizers,
    user: &'a User,
    own: ResourceCheck,
}

impl<'a> RequestAuthorizer<'a> {
    /// About the author of the write. `name` and `namespace` are those of the request.
    pub(in super::super) fn new(
        authorizers: &'a Authorizers,
        write: &Admitted<'a>,
        (namespace, name): (&str, &str),
    ) -> Self {
        let own = ResourceCheck {
            group: write.resource.group.to_string(),
            resource: write.resource.plural.to_string(),
            subresource: write.subresource.to_string(),
            namespace: namespace.to_string(),
            name: name.to_string(),
            ..ResourceCheck::default()
        };
        Self { authorizers, user: write.user, own }
    }

    /// What the request itself is about.
    pub(super) fn own(&self) -> &ResourceCheck {
        &self.own
    }
}

impl fmt::Debug for RequestAuthorizer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestAuthorizer").field("user", &self.user.name).finish_non_exhaustive()
    }
}

impl Authorizer for RequestAuthorizer<'_> {
    fn decide(&self, question: &Question<'_>) -> Decision {
        let account = question.account.map(user_of);
        let user = account.as_ref().unwrap_or(self.user);
        let (target, selector) = match question.target {
            Target::Path(path) => (Subject::Path(path), None),
            Target::Resource(check) => (subject(check), FieldSelector::parse(&check.field_selector).ok()),
        };
        let selected_node = selector.as_ref().and_then(|selector| selector.required_value(NODE_OF_POD));
        let attributes = Attributes { selected_node, ..Attributes::new(question.verb, target) };
        let verdict = self.authorizers.decide(user, &attributes);
        Decision { allowed: verdict.allowed, reason: verdict.reason }
    }
}

fn subject(check: &ResourceCheck) -> Subject<'_> {
    Subject::Resource {
        group: &check.group,
        resource: &check.resource,
        subresource: &check.subresource,
        namespace: &check.namespace,
        name: &check.name,
    }
}

/// The user that a service account is.
fn user_of(account: &Account) -> User {
    let Account { namespace, name } = account;
    let groups = ["system:serviceaccounts".to_string(), format!("system:serviceaccounts:{namespace}")];
    User::new(format!("system:serviceaccount:{namespace}:{name}"), groups)
}
