//! What the headers of a request ask for: whom it is to be made as.

use std::collections::BTreeMap;

use coracle_api::{ApiError, ApiResult, names};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use super::modes::Mode;
use crate::identity::{ANONYMOUS, AUTHENTICATED, NODES, UNAUTHENTICATED, User};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
/// Values of these headers that are looked at; each is a question to the authorizer.
const VALUES: usize = 1_000;

/// Whom a request is to be made as, in the words of its headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
    pub(super) uid: String,
    pub(super) extra: BTreeMap<String, Vec<String>>,
}

impl Wanted {
    /// Takes the headers that ask for impersonation, if there are any. Whoever answers behind this server is told who asks,
    /// and must not ask again.
    ///
    /// # Errors
    /// 400 when groups or more are named without a user.
    pub(crate) fn take(headers: &mut HeaderMap) -> ApiResult<Option<Self>> {
        let Some(wanted) = Self::read(headers)? else { return Ok(None) };
        let own = |name: &HeaderName| name.as_str().starts_with("impersonate-");
        let names: Vec<HeaderName> = headers.keys().filter(|name| own(name)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
        Ok(Some(wanted))
    }

    fn read(headers: &HeaderMap) -> ApiResult<Option<Self>> {
        let texts = |name: &str| -> Vec<String> {
            let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            values.map(str::to_string).collect()
        };
        let first = |name: &str| texts(name).into_iter().next().unwrap_or_default();
        let mut wanted = Self { user: first(USER), groups: texts(GROUP), uid: first(UID), extra: BTreeMap::new() };
        for name in headers.keys().filter_map(|name| name.as_str().strip_prefix(EXTRA)) {
            // Keys that fit no header come percent-encoded.
            let key = percent_decode_str(name).decode_utf8_lossy().into_owned();
            wanted.extra.entry(key).or_default().extend(texts(&format!("{EXTRA}{name}")));
        }
        let values = wanted.groups.len() + wanted.extra.values().map(Vec::len).sum::<usize>();
        if values > VALUES {
            return Err(ApiError::bad_request(format!("more than {VALUES} groups and extra values to impersonate")));
        }
        match () {
            () if !wanted.user.is_empty() => Ok(Some(wanted)),
            () if wanted == Self::default() => Ok(None),
            () => Err(ApiError::bad_request(format!("requested {} without impersonating a user name", wanted.shown()))),
        }
    }

    /// As Go shows it.
    fn shown(&self) -> String {
        let list = |items: &[String]| match items {
            [] => "[]string(nil)".to_string(),
            items => format!("[]string{{{}}}", items.iter().map(|i| format!("{i:?}")).collect::<Vec<_>>().join(", ")),
        };
        let extra = if self.extra.is_empty() {
            "map[string][]string(nil)".to_string()
        } else {
            let entries = self.extra.iter().map(|(key, values)| format!("{key:?}:{}", list(values)));
            format!("map[string][]string{{{}}}", entries.collect::<Vec<_>>().join(", "))
        };
        format!("&user.DefaultInfo{{Name:\"\", UID:{:?}, Groups:{}, Extra:{extra}}}", self.uid, list(&self.groups))
    }

    /// Nothing is wanted but the name.
    pub(super) fn is_name_only(&self) -> bool {
        self.uid.is_empty() && self.groups.is_empty() && self.extra.is_empty()
    }

    /// Namespace and name of the service account that the user is, if it is one.
    pub(super) fn account(&self) -> Option<(&str, &str)> {
        account(&self.user)
    }

    /// The name of the node that the user is, if it is one.
    pub(super) fn node(&self) -> Option<&str> {
        let name = self.user.strip_prefix("system:node:")?;
        names::dns1123_subdomain(name).is_empty().then_some(name)
    }

    /// The user that the sender becomes. Nodes have a group that nobody names, but in legacy mode.
    pub(super) fn into_user(self, mode: Mode) -> User {
        let mut groups = match (self.account(), self.node()) {
            _ if !self.groups.is_empty() => self.groups.clone(),
            (Some((namespace, _)), _) => {
                vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")]
            }
            (None, Some(_)) if mode != Mode::Legacy => vec![NODES.into()],
            _ => Vec::new(),
        };
        let has = |groups: &[String], group: &str| groups.iter().any(|own| own == group);
        // Nobody is both.
        let everybody = if self.user == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        if !has(&groups, everybody) && !has(&groups, UNAUTHENTICATED) {
            groups.push(everybody.into());
        }
        User { name: self.user, groups, uid: self.uid, extra: self.extra, in_process: false }
    }
}

/// Namespace and name of the service account whose user this is.
pub(super) fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn user(pairs: &[(&str, &str)], mode: Mode) -> User {
        Wanted::read(&headers(pairs)).unwrap().unwrap().into_user(mode)
    }

    #[test]
    fn nobody_is_impersonated_without_headers_and_nothing_without_a_user() {
        assert_eq!(Wanted::read(&headers(&[("x", "y")])), Ok(None));
        let error = Wanted::read(&headers(&[("Impersonate-Group", "a"), ("Impersonate-Extra-k", "v")])).unwrap_err();
        let text = r#"requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"a"}, Extra:map[string][]string{"k":[]string{"v"}}} without impersonating a user name"#;
        assert_eq!((error.code(), error.message.as_str()), (400, text));
        let error = Wanted::read(&headers(&[("Impersonate-Uid", "7")])).unwrap_err();
        let text = r#"requested &user.DefaultInfo{Name:"", UID:"7", Groups:[]string(nil), Extra:map[string][]string(nil)} without impersonating a user name"#;
        assert_eq!(error.message, text);
    }

    #[test]
    fn the_headers_are_taken() {
        let mut headers = headers(&[("Impersonate-User", "jane"), ("Impersonate-Extra-a", "b"), ("x", "y")]);
        assert!(Wanted::take(&mut headers).unwrap().is_some());
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn a_user_has_the_named_groups_and_that_of_everybody() {
        let pairs = [
            ("Impersonate-User", "jane"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", "b"),
            ("Impersonate-Uid", "u1"),
            ("Impersonate-Extra-acme%2fscope", "x"),
            ("Impersonate-Extra-acme%2fscope", "y"),
        ];
        let jane = user(&pairs, Mode::UserInfo);
        assert_eq!((jane.name.as_str(), jane.groups.join(",")), ("jane", "a,b,system:authenticated".into()));
        assert_eq!((jane.uid.as_str(), jane.extra["acme/scope"].join(",")), ("u1", "x,y".into()));
        assert_eq!(user(&[("Impersonate-User", ANONYMOUS)], Mode::UserInfo).groups, [UNAUTHENTICATED]);
        let nobody = [("Impersonate-User", "jane"), ("Impersonate-Group", UNAUTHENTICATED)];
        assert_eq!(user(&nobody, Mode::Legacy).groups, [UNAUTHENTICATED]);
    }

    #[test]
    fn accounts_and_nodes_have_their_groups() {
        let account = [("Impersonate-User", "system:serviceaccount:ns:robot")];
        let groups = ["system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED];
        assert_eq!(user(&account, Mode::Legacy).groups, groups);
        let node = [("Impersonate-User", "system:node:n1")];
        assert_eq!(user(&node, Mode::ArbitraryNode).groups, [NODES, AUTHENTICATED]);
        assert_eq!(user(&node, Mode::Legacy).groups, [AUTHENTICATED]);
    }
}
