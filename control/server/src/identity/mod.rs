//! Who sends a request. A [`User`] travels as a request extension: the TLS listener puts it there from the client
//! certificate, the in-process client from what it was made for. A request without one may bring the token of a
//! service account, signed by this server; with neither it is nobody's.
//!
//! Invariant: nothing else in a request's headers or body makes an identity.

mod certificate;
pub(crate) mod token;

use std::collections::BTreeMap;

pub(crate) use certificate::user_of;
use serde_json::{Value, json};

/// The group whose members may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// Every authenticated user is a member.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";

/// An authenticated user.
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

    /// The server itself, which may do everything.
    pub(crate) fn server() -> Self {
        let mut user = Self::new("system:apiserver", [MASTERS.to_string()]);
        user.in_process = true;
        user
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
