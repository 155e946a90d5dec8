//! Who sends a request. A [`User`] travels as a request extension: the TLS listener puts it there from the client
//! certificate, the in-process client from what it was made for. A request without one is nobody's.
//!
//! Invariant: nothing in a request's headers or body makes an identity.

mod certificate;

pub(crate) use certificate::user_of;

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
        Self { name: name.into(), groups, in_process: false }
    }

    /// Whether the user belongs to the group.
    pub(crate) fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}
