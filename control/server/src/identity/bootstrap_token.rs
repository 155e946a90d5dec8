//! Bootstrap tokens: Secrets by which a new node introduces itself (`bootstrap.kubernetes.io/token`).

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coracle_api::meta;
use coracle_store::Key;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::User;
use crate::hub::Hub;

const TYPE: &str = "bootstrap.kubernetes.io/token";
const GROUP: &str = "system:bootstrappers";

/// The user of a token `abcdef.0123456789abcdef`, if there is such a Secret in kube-system that may be used to sign in.
pub(super) fn user_of(hub: &Hub, token: &str, now: Timestamp) -> Option<User> {
    let (id, secret) = parse(token)?;
    let record = hub.store.get(&Key::new("secrets", "kube-system", format!("bootstrap-token-{id}")))?;
    let object: Value = serde_json::from_slice(&record.json).ok()?;
    let given = Given { object: &object };
    let is_right = object["type"] == TYPE
        && !meta::is_deleting(&object)
        && given.text("token-id")? == id
        && is_same(&given.text("token-secret")?, secret)
        && given.text("usage-bootstrap-authentication").as_deref() == Some("true")
        && !given.is_expired(now);
    if !is_right {
        return None;
    }
    Some(User::new(format!("system:bootstrap:{id}"), groups(&given.text("auth-extra-groups").unwrap_or_default())?))
}

/// The groups of the bearer; none if the Secret names one that is not for newcomers: then it is no token.
fn groups(extra: &str) -> Option<BTreeSet<String>> {
    let named: Vec<&str> = extra.split(',').filter(|_| !extra.is_empty()).collect();
    if !named.iter().all(|group| is_bootstrap_group(group)) {
        return None;
    }
    Some(named.into_iter().chain([GROUP]).map(str::to_string).collect())
}

/// Whether two secrets are the same, in a time that says nothing about them.
fn is_same(known: &str, given: &str) -> bool {
    digest(&SHA256, known.as_bytes()).as_ref() == digest(&SHA256, given.as_bytes()).as_ref()
}

/// Id and secret of what looks like a bootstrap token.
fn parse(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let is_word = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    (is_word(id, 6) && is_word(secret, 16)).then_some((id, secret))
}

/// Groups that a token may put its bearer into: no others than those for newcomers.
fn is_bootstrap_group(group: &str) -> bool {
    let Some(rest) = group.strip_prefix("system:bootstrappers:") else { return false };
    let is_fit = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || matches!(byte, b':' | b'-');
    rest.len() <= 256
        && rest.bytes().all(is_fit)
        && rest.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// What a Secret says.
struct Given<'a> {
    object: &'a Value,
}

impl Given<'_> {
    fn text(&self, key: &str) -> Option<String> {
        let bytes = STANDARD.decode(self.object["data"][key].as_str()?).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// One whose end can't be read has ended. An empty one says nothing.
    fn is_expired(&self, now: Timestamp) -> bool {
        if self.object["data"]["expiration"].as_str().is_none_or(str::is_empty) {
            return false;
        }
        let until: Option<Timestamp> = self.text("expiration").and_then(|until| until.parse().ok());
        until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_six_and_sixteen() {
        assert_eq!(parse("abcdef.0123456789abcdef"), Some(("abcdef", "0123456789abcdef")));
        for wrong in
            ["", "abcdef", "abcdef.0123456789abcde", "ABCDEF.0123456789abcdef", "abcde.0123456789abcdef0", "a.b.c"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_without_an_end_lasts_and_one_with_an_odd_end_is_over() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let is_expired = |data: Value| Given { object: &json!({ "data": data }) }.is_expired(now);
        let until = |bytes: &[u8]| json!({ "expiration": STANDARD.encode(bytes) });
        for lasts in [json!({}), until(b""), until(b"2026-01-01T00:00:01Z")] {
            assert!(!is_expired(lasts.clone()), "{lasts}");
        }
        for over in [until(b"2025-12-31T23:59:59Z"), until(b"soon"), until(b"2999-01-01T00:00:00Z\xff")] {
            assert!(is_expired(over.clone()), "{over}");
        }
    }

    #[test]
    fn groups_are_those_of_newcomers() {
        assert!(is_bootstrap_group("system:bootstrappers:kubeadm:default-node-token"));
        for wrong in ["system:masters", "system:bootstrappers", "system:bootstrappers:", "system:bootstrappers:A", ""] {
            assert!(!is_bootstrap_group(wrong), "{wrong}");
        }
        let named = |extra: &str| groups(extra).map(|groups| groups.into_iter().collect::<Vec<_>>().join(" "));
        assert_eq!(named("").as_deref(), Some("system:bootstrappers"));
        let two = "system:bootstrappers:b,system:bootstrappers:a";
        assert_eq!(named(two).as_deref(), Some("system:bootstrappers system:bootstrappers:a system:bootstrappers:b"));
        assert_eq!(named("system:bootstrappers:a,system:masters"), None);
        assert_eq!(named(","), None);
    }
}
