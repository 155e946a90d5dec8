//! Who sends a request. A [`User`] travels as a request extension: the TLS listener puts it there from the client
//! certificate, the in-process client from what it was made for. A request without one may bring a token: of a service
//! account, signed by this server, of somebody new, or of an issuer that the operator trusts. With neither it is nobody's.
//!
//! Invariant: nothing else in a request's headers or body makes an identity. Whom headers ask to impersonate, the sender
//! must be allowed to be.

mod anonymous;
mod authenticate;
mod bootstrap_token;
mod certificate;
mod impersonate;
mod oidc;
pub(crate) mod token;

use std::collections::BTreeMap;

pub(crate) use anonymous::Anonymous;
pub(crate) use authenticate::{authenticate, believe};
pub(crate) use certificate::Proof;
pub(crate) use impersonate::Wanted;
pub(crate) use oidc::Issuers;
pub use oidc::{AuthenticationConfig, AuthenticationError, OidcFlags};
use serde_json::{Value, json};

/// The group whose members may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// Who the server is when it writes for itself.
const SERVER: &str = "system:apiserver";

/// The group of nodes.
pub(crate) const NODES: &str = "system:nodes";

/// The parts of the control plane.
const COMPONENTS: [&str; 3] = [SERVER, "system:kube-scheduler", "system:kube-controller-manager"];

/// Every authenticated user is a member.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";

/// Who has not said who he is, and the group that he is in.
pub(crate) const ANONYMOUS: &str = "system:anonymous";
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Common name of the certificate, such as `system:kube-scheduler`.
    pub name: String,
    /// Organizations of the certificate, and `system:authenticated`.
    pub groups: Vec<String>,
    /// Uid of the service account; users of certificates have none.
    pub(crate) uid: String,
    /// What else is known: the pod that a token is bound to, and the token's id.
    pub(crate) extra: BTreeMap<String, Vec<String>>,
    /// Whether the identity was given inside this process, by whoever owns the [`Server`](crate::Server).
    pub(crate) in_process: bool,
}

impl User {
    /// A user as a client certificate names it: for whoever puts identities into request extensions.
    pub fn new(name: impl Into<String>, groups: impl IntoIterator<Item = String>) -> Self {
        let mut groups: Vec<String> = groups.into_iter().collect();
        if !groups.iter().any(|g| g == AUTHENTICATED) {
            groups.push(AUTHENTICATED.into());
        }
        Self { name: name.into(), groups, uid: String::new(), extra: BTreeMap::new(), in_process: false }
    }

    /// Somebody who has not said who he is.
    pub(crate) fn anonymous() -> Self {
        let groups = vec![UNAUTHENTICATED.to_string()];
        Self { name: ANONYMOUS.into(), groups, uid: String::new(), extra: BTreeMap::new(), in_process: false }
    }

    /// The server itself, which may do everything.
    pub(crate) fn server() -> Self {
        let mut user = Self::new(SERVER, [MASTERS.to_string()]);
        user.in_process = true;
        user
    }

    /// Whether it is the server itself, not one of the other components.
    pub(crate) fn is_server(&self) -> bool {
        self.in_process && self.name == SERVER
    }

    /// Whether it is a part of the control plane or a node, in this process: it could reach into the store as well.
    pub(crate) fn is_component(&self) -> bool {
        let is_node = self.in_group(NODES) && self.name.starts_with("system:node:");
        self.in_process && (is_node || COMPONENTS.contains(&self.name.as_str()))
    }

    /// The user as `UserInfo`.
    pub(crate) fn info(&self) -> Value {
        let mut info = json!({ "username": self.name, "groups": self.groups });
        if !self.uid.is_empty() {
            info["uid"] = json!(self.uid);
        }
        if !self.extra.is_empty() {
            info["extra"] = json!(self.extra);
        }
        info
    }

    /// Whether the user belongs to the group.
    pub(crate) fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}
