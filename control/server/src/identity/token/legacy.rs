//! Tokens that last: those in Secrets of type `kubernetes.io/service-account-token`, which somebody has made by hand
//! (`pkg/serviceaccount/legacy.go`). They have no end but that of their Secret or their account.

use coracle_api::meta;
use coracle_store::Key;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{KeyError, TokenError, TokenKey};
use crate::hub::Hub;
use crate::identity::User;

/// `iss` of these tokens.
pub(super) const ISSUER: &str = "kubernetes/serviceaccount";
/// Marks a Secret whose token is not to be used any more, with the day since when.
pub(super) const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
const TYPE: &str = "kubernetes.io/service-account-token";

/// What a token says. The claims have flat names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSecret<'a> {
    /// The namespace of account and Secret.
    pub namespace: &'a str,
    /// The name of the service account.
    pub account: &'a str,
    /// Its uid.
    pub uid: &'a str,
    /// The name of the Secret.
    pub secret: &'a str,
}

/// Makes such tokens: for the controller that fills the Secrets in. The key stays in this crate.
pub struct AccountTokens(TokenKey);

impl AccountTokens {
    /// With the key that the server checks tokens with.
    ///
    /// # Errors
    /// When the PEM is no such key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        TokenKey::from_pem(pem).map(Self)
    }

    /// The token of a Secret.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn sign(&self, of: AccountSecret<'_>) -> Result<String, KeyError> {
        self.0.sign(&of.to_json())
    }
}

impl<'a> AccountSecret<'a> {
    fn to_json(self) -> Value {
        json!({
            "iss": ISSUER,
            "kubernetes.io/serviceaccount/namespace": self.namespace,
            "kubernetes.io/serviceaccount/secret.name": self.secret,
            "kubernetes.io/serviceaccount/service-account.name": self.account,
            "kubernetes.io/serviceaccount/service-account.uid": self.uid,
            "sub": format!("system:serviceaccount:{}:{}", self.namespace, self.account),
        })
    }

    fn of_json(claims: &'a Value) -> Option<Self> {
        let text = |field: &str| {
            claims[format!("kubernetes.io/serviceaccount/{field}").as_str()].as_str().filter(|text| !text.is_empty())
        };
        let of = Self {
            namespace: text("namespace")?,
            account: text("service-account.name")?,
            uid: text("service-account.uid")?,
            secret: text("secret.name")?,
        };
        (of.to_json() == *claims).then_some(of)
    }

    /// The account has to be there, and the Secret with this very token in it.
    fn check_alive(&self, hub: &Hub, token: &str, now: Timestamp) -> Result<(), TokenError> {
        let account = hub.store.get(&Key::new("serviceaccounts", self.namespace, self.account));
        let secret = hub.store.get(&Key::new("secrets", self.namespace, self.secret));
        let (Some(account), Some(secret)) = (account, secret) else { return Err(TokenError::Invalidated) };
        let secret: Value = serde_json::from_slice(&secret.json).unwrap_or_default();
        // The token of a Secret is that Secret's: what else was ever signed for it is over.
        let hash = |text: &str| digest(&SHA256, text.as_bytes());
        let own = super::text_of(&secret, "token").is_some_and(|own| hash(&own).as_ref() == hash(token).as_ref());
        let is_alive = own
            && secret["type"] == TYPE
            && !meta::is_deleting(&secret)
            && *account.lifted.uid == *self.uid
            && !super::claims::is_over(&account.json, now);
        if !is_alive {
            return Err(TokenError::Invalidated);
        }
        if secret["metadata"]["labels"][INVALID_SINCE].as_str().is_none_or(str::is_empty) {
            return Ok(());
        }
        let [namespace, secret, account] = [self.namespace, self.secret, self.account].map(str::to_string);
        Err(TokenError::Marked { namespace, secret, account })
    }
}

/// The user of a token whose signature is right.
pub(super) fn check(hub: &Hub, token: &str, claims: &Value, now: Timestamp) -> Result<User, TokenError> {
    let of = AccountSecret::of_json(claims).ok_or(TokenError::Foreign)?;
    of.check_alive(hub, token, now)?;
    let groups = ["system:serviceaccounts".to_string(), format!("system:serviceaccounts:{}", of.namespace)];
    let mut user = User::new(format!("system:serviceaccount:{}:{}", of.namespace, of.account), groups);
    user.uid = of.uid.to_string();
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_read_back_and_nothing_may_be_missing_or_more() {
        let of = AccountSecret { namespace: "ns", account: "bot", uid: "u", secret: "s" };
        let claims = of.to_json();
        assert_eq!(AccountSecret::of_json(&claims), Some(of));
        for field in claims.as_object().unwrap().keys() {
            let mut without = claims.clone();
            without.as_object_mut().unwrap().remove(field);
            assert_eq!(AccountSecret::of_json(&without), None, "{field}");
        }
        let mut other = claims.clone();
        other["sub"] = json!("system:serviceaccount:ns:admin");
        assert_eq!(AccountSecret::of_json(&other), None);
    }
}
