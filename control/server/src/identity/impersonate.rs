//! Impersonation: a user who may do so acts as another (`k8s.io/apiserver/pkg/endpoints/filters/impersonation.go`).

use std::collections::BTreeMap;

use coracle_api::{ApiError, ApiResult};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use super::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User};
use crate::authz::{Attributes, Authorizers, Subject};
use crate::write::Notes;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
/// Values of these headers that are looked at; each is a question to the authorizer.
const VALUES: usize = 1_000;

/// Whom a request is to be made as.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    user: String,
    groups: Vec<String>,
    uid: String,
    extra: BTreeMap<String, Vec<String>>,
}

/// The user as whom the request is made, if its headers name another than the one who sends it.
///
/// # Errors
/// 403 when the sender may not be that user, in the words of the check that fails; 500, as from kube-apiserver, when
/// groups or more are named without a user.
pub(crate) fn impersonate(
    authorizers: &Authorizers,
    sender: &User,
    headers: &mut HeaderMap,
) -> ApiResult<Option<User>> {
    let Some(wanted) = Wanted::read(headers)? else { return Ok(None) };
    // Whoever answers behind this server is told who asks, and must not ask again.
    let own = |name: &HeaderName| name.as_str().starts_with("impersonate-");
    let names: Vec<HeaderName> = headers.keys().filter(|name| own(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    for target in wanted.targets() {
        authorizers.require(sender, &Attributes::new("impersonate", target), &Notes::default())?;
    }
    Ok(Some(wanted.into_user()))
}

impl Wanted {
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
            () => Err(ApiError::internal(wanted.without_user())),
        }
    }

    /// What is wrong with headers that name no user.
    fn without_user(&self) -> String {
        let what = [
            (!self.groups.is_empty(), format!("groups={:?}", self.groups)),
            (!self.uid.is_empty(), format!("uid={:?}", self.uid)),
            (!self.extra.is_empty(), format!("extra={:?}", self.extra.keys().collect::<Vec<_>>())),
        ];
        let named: Vec<String> = what.into_iter().filter(|(is_set, _)| *is_set).map(|(_, text)| text).collect();
        format!("requested {} without impersonating a user", named.join(", "))
    }

    /// Namespace and name of the service account that the user is, if it is one.
    fn account(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
    }

    /// Everything that the sender must be allowed to be.
    fn targets(&self) -> Vec<Subject<'_>> {
        let mut targets = vec![match self.account() {
            Some((namespace, name)) => Subject::resource("", "serviceaccounts", "", namespace, name),
            None => Subject::resource("", "users", "", "", self.user.as_str()),
        }];
        targets.extend(self.groups.iter().map(|group| Subject::resource("", "groups", "", "", group.as_str())));
        for (key, values) in &self.extra {
            let of = |value| Subject::resource("authentication.k8s.io", "userextras", key.as_str(), "", value);
            targets.extend(values.iter().map(|value| of(value.as_str())));
        }
        if !self.uid.is_empty() {
            targets.push(Subject::resource("authentication.k8s.io", "uids", "", "", self.uid.as_str()));
        }
        targets
    }

    fn into_user(self) -> User {
        let mut groups = self.groups.clone();
        if let (Some((namespace, _)), true) = (self.account(), groups.is_empty()) {
            groups = vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")];
        }
        // Nobody is both.
        let everybody = if self.user == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        if !groups.iter().any(|group| group == everybody) {
            groups.push(everybody.into());
        }
        User { name: self.user, groups, uid: self.uid, extra: self.extra, in_process: false }
    }
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

    fn user(pairs: &[(&str, &str)]) -> User {
        Wanted::read(&headers(pairs)).unwrap().unwrap().into_user()
    }

    #[test]
    fn nobody_is_impersonated_without_headers_and_nothing_without_a_user() {
        assert_eq!(Wanted::read(&headers(&[("x", "y")])), Ok(None));
        let error = Wanted::read(&headers(&[("Impersonate-Group", "a")])).unwrap_err();
        assert_eq!((error.code(), error.message.contains("without impersonating a user")), (500, true));
    }

    #[test]
    fn a_user_has_the_named_groups_and_that_of_everybody() {
        let jane = user(&[
            ("Impersonate-User", "jane"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", "b"),
            ("Impersonate-Uid", "u1"),
            ("Impersonate-Extra-acme%2fscope", "x"),
            ("Impersonate-Extra-acme%2fscope", "y"),
        ]);
        assert_eq!((jane.name.as_str(), jane.groups.join(",")), ("jane", "a,b,system:authenticated".into()));
        assert_eq!((jane.uid.as_str(), jane.extra["acme/scope"].join(",")), ("u1", "x,y".into()));
        assert_eq!(user(&[("Impersonate-User", ANONYMOUS)]).groups, [UNAUTHENTICATED]);
    }

    #[test]
    fn a_service_account_is_asked_for_as_one_and_has_its_groups() {
        let pairs = [("Impersonate-User", "system:serviceaccount:ns:robot")];
        let wanted = Wanted::read(&headers(&pairs)).unwrap().unwrap();
        let Subject::Resource { resource, namespace, name, .. } = wanted.targets()[0] else { panic!("a path") };
        assert_eq!((resource, namespace, name), ("serviceaccounts", "ns", "robot"));
        assert_eq!(user(&pairs).groups, ["system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED]);
    }
}
