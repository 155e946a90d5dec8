//! The ways to be allowed to act as somebody: what each is for, and what it asks the authorizer.

use std::collections::BTreeMap;

use coracle_api::{ApiResult, names};

use super::headers::{Wanted, account};
use crate::authz::{Attributes, Authorizers, Subject, forbidden};
use crate::identity::{MASTERS, User};
use crate::write::Notes;

const AUTHENTICATION: &str = "authentication.k8s.io";
/// From so many groups or extra values on, a right to all of them is asked for first.
const MANY: usize = 4;
/// Stands for all names of a kind.
const ALL: &str = "*";
/// Where the token of a service account says which node its pod is on.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Signs of a path in a URL besides letters and digits.
const PATH_SIGNS: &[u8] = b"/-._~%!$&'()*+,;=:";

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A service account acts as the node that its pod is on.
    AssociatedNode,
    /// Somebody acts as any node.
    ArbitraryNode,
    ServiceAccount,
    /// Everybody else, with groups and more.
    UserInfo,
    /// Whoever it is, for everything: the verb `impersonate`, as before KEP-5284.
    Legacy,
}

impl Mode {
    /// In the order in which they are tried.
    pub(super) const ALL: [Self; 5] =
        [Self::AssociatedNode, Self::ArbitraryNode, Self::ServiceAccount, Self::UserInfo, Self::Legacy];

    /// The verb that allows to be somebody.
    fn verb(self) -> &'static str {
        match self {
            Self::AssociatedNode => "impersonate:associated-node",
            Self::ArbitraryNode => "impersonate:arbitrary-node",
            Self::ServiceAccount => "impersonate:serviceaccount",
            Self::UserInfo => "impersonate:user-info",
            Self::Legacy => "impersonate",
        }
    }

    /// The verb, if it constrains what may be done.
    pub(super) fn constraint(self) -> Option<&'static str> {
        (self != Self::Legacy).then(|| self.verb())
    }

    /// Whether the mode is about such a user at all.
    pub(super) fn is_for(self, wanted: &Wanted, sender: &User) -> bool {
        match self {
            Self::AssociatedNode => {
                let own = sender.extra.get(NODE_NAME).map(Vec::as_slice);
                let is_own = |node: &str| matches!(own, Some([own]) if own == node);
                wanted.is_name_only() && account(&sender.name).is_some() && wanted.node().is_some_and(is_own)
            }
            Self::ArbitraryNode => wanted.is_name_only() && wanted.node().is_some(),
            Self::ServiceAccount => wanted.is_name_only() && wanted.account().is_some(),
            Self::UserInfo => wanted.node().is_none() && wanted.account().is_none(),
            Self::Legacy => true,
        }
    }

    /// Asks for everything that the mode wants.
    ///
    /// # Errors
    /// 403 in the words of the check that fails.
    pub(super) fn check(
        self,
        wanted: &Wanted,
        authorizers: &Authorizers,
        sender: &User,
        attributes: &Attributes<'_>,
    ) -> ApiResult<()> {
        let checks = Checks { mode: self, authorizers, sender };
        if let Some(verb) = self.constraint() {
            // `impersonate-on:MODE:VERB`, of what the request does.
            let mode = verb.trim_start_matches("impersonate:");
            let verb = format!("impersonate-on:{mode}:{}", attributes.verb);
            checks.require(&Attributes { verb: &verb, ..*attributes })?;
        }
        checks.name(wanted)?;
        if !wanted.uid.is_empty() {
            checks.may_be(Subject::resource(AUTHENTICATION, "uids", "", "", &wanted.uid))?;
        }
        checks.groups(&wanted.groups)?;
        checks.extra(&wanted.extra)
    }
}

/// The questions of one mode about one sender.
struct Checks<'a> {
    mode: Mode,
    authorizers: &'a Authorizers,
    sender: &'a User,
}

impl Checks<'_> {
    fn require(&self, attributes: &Attributes<'_>) -> ApiResult<()> {
        // The audit log is told about the request, not about each of these.
        self.authorizers.require(self.sender, attributes, &Notes::default())
    }

    fn may_be(&self, target: Subject<'_>) -> ApiResult<()> {
        self.require(&Attributes::new(self.mode.verb(), target))
    }

    /// What no right allows.
    fn never(&self, target: Subject<'_>, why: &str) -> ApiResult<()> {
        Err(forbidden(self.sender, &Attributes::new(self.mode.verb(), target), why))
    }

    fn is_constrained(&self) -> bool {
        self.mode != Mode::Legacy
    }

    /// Where users and groups are, to those who may be them.
    fn group(&self) -> &'static str {
        if self.is_constrained() { AUTHENTICATION } else { "" }
    }

    fn name(&self, wanted: &Wanted) -> ApiResult<()> {
        let group = self.group();
        self.may_be(match (wanted.account(), wanted.node()) {
            (Some((namespace, name)), _) => Subject::resource(group, "serviceaccounts", "", namespace, name),
            // Which node that is depends on the pod: who may be his own may be any.
            (None, Some(_)) if self.mode == Mode::AssociatedNode => Subject::resource(group, "nodes", "", "", ALL),
            (None, Some(node)) if self.is_constrained() => Subject::resource(group, "nodes", "", "", node),
            _ => Subject::resource(group, "users", "", "", &wanted.user),
        })
    }

    fn groups(&self, groups: &[String]) -> ApiResult<()> {
        let of = |name| Subject::resource(self.group(), "groups", "", "", name);
        if self.is_constrained() {
            if groups.iter().any(String::is_empty) {
                return self.never(of(""), "impersonating the empty string group is not allowed");
            }
            if groups.iter().any(|group| group == MASTERS) {
                return self.never(of(MASTERS), "impersonating the system:masters group is not allowed");
            }
            if groups.len() >= MANY && self.may_be(of(ALL)).is_ok() {
                return Ok(());
            }
        }
        groups.iter().try_for_each(|group| self.may_be(of(group)))
    }

    fn extra(&self, extra: &BTreeMap<String, Vec<String>>) -> ApiResult<()> {
        let of = |key, value| Subject::resource(AUTHENTICATION, "userextras", key, "", value);
        if self.is_constrained() {
            if let Some(why) = extra.iter().find_map(|(key, values)| wrong_extra(key, values)) {
                return self.never(of("", ""), &why);
            }
            let values: usize = extra.values().map(Vec::len).sum();
            if (extra.len() >= MANY || values >= MANY) && self.may_be(of(ALL, ALL)).is_ok() {
                return Ok(());
            }
        }
        extra.iter().try_for_each(|(key, values)| values.iter().try_for_each(|value| self.may_be(of(key, value))))
    }
}

/// What is wrong with an extra value, to modes that are strict. Keys come in small letters: they are names of headers.
fn wrong_extra(key: &str, values: &[String]) -> Option<String> {
    let is_path = |path: &str| path.bytes().all(|b| b.is_ascii_alphanumeric() || PATH_SIGNS.contains(&b));
    let is_domain_path = key
        .split_once('/')
        .is_some_and(|(domain, path)| names::dns1123_subdomain(domain).is_empty() && !path.is_empty() && is_path(path));
    match () {
        () if key.is_empty() => Some("impersonating the empty string key in extra is not allowed".into()),
        () if !is_domain_path => Some(format!(
            "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {key:?}: must be a domain-prefixed \
             path (such as \"acme.io/foo\")"
        )),
        () if values.is_empty() => Some("impersonating empty values in extra is not allowed".into()),
        () if values.iter().any(String::is_empty) => {
            Some("impersonating the empty string value in extra is not allowed".into())
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(user: &str) -> Wanted {
        Wanted { user: user.into(), ..Wanted::default() }
    }

    fn modes(wanted: &Wanted, sender: &User) -> Vec<Mode> {
        Mode::ALL.into_iter().filter(|mode| mode.is_for(wanted, sender)).collect()
    }

    #[test]
    fn each_mode_is_for_its_kind_of_user() {
        let joe = User::new("joe", []);
        assert_eq!(modes(&wanted("jane"), &joe), [Mode::UserInfo, Mode::Legacy]);
        assert_eq!(modes(&wanted("system:serviceaccount:a:b"), &joe), [Mode::ServiceAccount, Mode::Legacy]);
        assert_eq!(modes(&wanted("system:node:n1"), &joe), [Mode::ArbitraryNode, Mode::Legacy]);
        // No node has such a name.
        assert_eq!(modes(&wanted("system:node:N!"), &joe), [Mode::UserInfo, Mode::Legacy]);
        let with_groups = Wanted { groups: vec!["g".into()], ..wanted("system:node:n1") };
        assert_eq!(modes(&with_groups, &joe), [Mode::Legacy]);
    }

    #[test]
    fn only_the_account_of_a_pod_of_the_node_is_associated_with_it() {
        let mut agent = User::new("system:serviceaccount:a:agent", []);
        agent.extra.insert(NODE_NAME.into(), vec!["n1".into()]);
        assert_eq!(modes(&wanted("system:node:n1"), &agent)[0], Mode::AssociatedNode);
        assert_eq!(modes(&wanted("system:node:n2"), &agent)[0], Mode::ArbitraryNode);
        // Whoever says so is no service account.
        agent.name = "joe".into();
        assert_eq!(modes(&wanted("system:node:n1"), &agent)[0], Mode::ArbitraryNode);
    }

    #[test]
    fn extra_keys_begin_with_a_domain() {
        let one = ["v".to_string()];
        assert_eq!(wrong_extra("acme.io/scope", &one), None);
        for (key, values) in [("", &one[..]), ("scopes", &one), ("acme.io/", &one), ("/x", &one), ("acme.io/x", &[])] {
            assert!(wrong_extra(key, values).is_some(), "{key}");
        }
    }
}
