//! Questions about what somebody may do: the values of `kubernetes.authorization`
//! (`k8s.io/apiserver/pkg/cel/library/authz.go`).
//!
//! `authorizer.group('').resource('pods').namespace('n').check('get').allowed()` builds a question step by step. Who
//! answers it is for whoever evaluates to say: nothing here knows of users or roles.

use std::fmt::Debug;
use std::sync::Arc;

use super::types::Opaque;

/// Answers questions about one user.
pub trait Authorizer: Debug + Send + Sync {
    /// Whether the user (or the account that the question names) may do it.
    fn decide(&self, question: &Question<'_>) -> Decision;
}

/// A question: may this be done?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// About this service account instead of the user.
    pub account: Option<&'a Account>,
    /// `get`, `create` …
    pub verb: &'a str,
    /// To what.
    pub target: Target<'a>,
}

/// What a question is about.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A path outside of the resources.
    Path(&'a str),
    /// A resource.
    Resource(&'a ResourceCheck),
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A resource as a question names it; what is not said is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceCheck {
    /// Its group.
    pub group: String,
    /// Its plural.
    pub resource: String,
    /// A part of it.
    pub subresource: String,
    /// In which namespace.
    pub namespace: String,
    /// Which one.
    pub name: String,
    /// Those that this field selector selects. One that can't be read selects nothing less than all.
    pub field_selector: String,
    /// The same for labels.
    pub label_selector: String,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why, often empty.
    pub reason: String,
}

/// Who is asked, and about whom.
#[derive(Debug, Clone)]
pub struct Asker<'a> {
    pub(super) authorizer: &'a dyn Authorizer,
    pub(super) account: Option<Arc<Account>>,
}

impl Asker<'_> {
    pub(super) fn ask(&self, verb: &str, target: Target<'_>) -> Decision {
        self.authorizer.decide(&Question { account: self.account.as_deref(), verb, target })
    }
}

/// A value on the way from an authorizer to a decision.
#[derive(Debug, Clone)]
pub enum Access<'a> {
    /// `kubernetes.authorization.Authorizer`
    Authorizer(Asker<'a>),
    /// `kubernetes.authorization.PathCheck`
    Path(Asker<'a>, String),
    /// `kubernetes.authorization.GroupCheck`
    Group(Asker<'a>, String),
    /// `kubernetes.authorization.ResourceCheck`
    Resource(Asker<'a>, ResourceCheck),
    /// `kubernetes.authorization.Decision`
    Decision(Decision),
}

impl<'a> Access<'a> {
    /// The variable `authorizer`.
    pub fn authorizer(authorizer: &'a dyn Authorizer) -> Self {
        Self::Authorizer(Asker { authorizer, account: None })
    }

    /// The variable `authorizer.requestResource`: a question about what the request is about.
    pub fn resource(authorizer: &'a dyn Authorizer, resource: ResourceCheck) -> Self {
        Self::Resource(Asker { authorizer, account: None }, resource)
    }

    pub(super) fn ty(&self) -> Opaque {
        match self {
            Self::Authorizer(_) => Opaque::Authorizer,
            Self::Path(..) => Opaque::PathCheck,
            Self::Group(..) => Opaque::GroupCheck,
            Self::Resource(..) => Opaque::ResourceCheck,
            Self::Decision(_) => Opaque::Decision,
        }
    }
}
