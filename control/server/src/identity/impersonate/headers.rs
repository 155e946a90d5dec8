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
    /// 400 when groups or more are named without a user, and when one of the headers is no text.
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
        let first = |name: &str| texts(headers, name).map(|texts| texts.into_iter().next().unwrap_or_default());
        let (user, groups, uid) = (first(USER)?, texts(headers, GROUP)?, first(UID)?);
        let mut wanted = Self { user, groups, uid, extra: BTreeMap::new() };
        for name in headers.keys().map(HeaderName::as_str) {
            let Some(encoded) = name.strip_prefix(EXTRA) else { continue };
            // Keys that fit no header come percent-encoded.
            let key = percent_decode_str(encoded).decode_utf8().map_err(|_| no_text(name))?;
            wanted.extra.entry(key.into_owned()).or_default().extend(texts(headers, name)?);
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

/// All values of a header. They may be of any script; but none may be left out, or the request would be made as somebody
/// with other rights than its sender has asked for.
fn texts(headers: &HeaderMap, name: &str) -> ApiResult<Vec<String>> {
    let values = headers.get_all(name).iter().map(|value| std::str::from_utf8(value.as_bytes()).map(str::to_string));
    values.collect::<Result<_, _>>().map_err(|_| no_text(name))
}

fn no_text(header: &str) -> ApiError {
    ApiError::bad_request(format!("the header {header:?} is not valid UTF-8"))
}

/// Namespace and name of the service account whose user this is. No account has a name that could not be one.
pub(super) fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let is_one = names::dns1123_label(namespace).is_empty() && names::dns1123_subdomain(name).is_empty();
    is_one.then_some((namespace, name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
    fn names_of_any_script_are_taken_as_they_are() {
        let pairs = [
            ("Impersonate-User", "jos\u{e9}"),
            ("Impersonate-Group", "\u{6771}"),
            ("Impersonate-Extra-%c3%a9", "\u{df}"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let user = Wanted::read(&headers).unwrap().unwrap().into_user(Mode::UserInfo);
        assert_eq!((user.name.as_str(), user.groups[0].as_str()), ("jos\u{e9}", "\u{6771}"));
        assert_eq!(user.extra["\u{e9}"], ["\u{df}"]);
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_and_not_left_out() {
        for name in ["impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-k"] {
            let mut headers = headers(&[("Impersonate-User", "jane")]);
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(b"jos\xe9").unwrap());
            let error = Wanted::take(&mut headers).unwrap_err();
            let text = format!("the header {name:?} is not valid UTF-8");
            assert_eq!((error.code(), error.message), (400, text));
        }
        let key = headers(&[("Impersonate-User", "jane"), ("Impersonate-Extra-%ff", "x")]);
        assert_eq!(Wanted::read(&key).unwrap_err().code(), 400);
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
        for name in ["ns:Not Valid", "Ns:robot", "ns:a:b", ":robot", "ns:", "a.b:robot"] {
            let name = format!("system:serviceaccount:{name}");
            assert_eq!(user(&[("Impersonate-User", &name)], Mode::Legacy).groups, [AUTHENTICATED], "{name}");
        }
    }
}
