//! What a token says, and whether it still holds.

use coracle_api::meta;
use coracle_store::Key;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::identity::User;

/// After the deletion time of a pod its tokens hold a little longer, for clocks that differ.
const LEEWAY_SECONDS: i64 = 60;

/// An object that a token lives and dies with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// `pod`, `secret` or `node`
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) audiences: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) account: String,
    pub(crate) account_uid: String,
    /// The object that the token is bound to, and of a pod also the node that it is on.
    pub(crate) bound: Vec<Bound>,
    pub(crate) id: String,
    pub(crate) issued: i64,
    pub(crate) expires: i64,
}

/// What tokens can be bound to, with the names that claims have for them.
const KINDS: [(&str, &str); 3] = [("pod", "pods"), ("secret", "secrets"), ("node", "nodes")];

impl Claims {
    pub(super) fn to_json(&self, issuer: &str) -> Value {
        let reference = |name: &str, uid: &str| json!({ "name": name, "uid": uid });
        let mut own = json!({
            "namespace": self.namespace,
            "serviceaccount": reference(&self.account, &self.account_uid),
        });
        for bound in &self.bound {
            own[bound.kind] = reference(&bound.name, &bound.uid);
        }
        json!({
            "aud": self.audiences,
            "exp": self.expires,
            "iat": self.issued,
            "iss": issuer,
            "jti": self.id,
            "kubernetes.io": own,
            "nbf": self.issued,
            "sub": format!("system:serviceaccount:{}:{}", self.namespace, self.account),
        })
    }

    pub(super) fn of_json(claims: &Value) -> Option<Self> {
        let own = &claims["kubernetes.io"];
        let text = |value: &Value| value.as_str().map(str::to_string);
        let bound = KINDS.iter().filter_map(|(kind, _)| {
            Some(Bound { kind, name: text(&own[*kind]["name"])?, uid: text(&own[*kind]["uid"])? })
        });
        Some(Self {
            audiences: claims["aud"].as_array()?.iter().filter_map(text).collect(),
            namespace: text(&own["namespace"])?,
            account: text(&own["serviceaccount"]["name"])?,
            account_uid: text(&own["serviceaccount"]["uid"])?,
            bound: bound.collect(),
            id: text(&claims["jti"]).unwrap_or_default(),
            issued: claims["iat"].as_i64()?,
            expires: claims["exp"].as_i64()?,
        })
    }

    /// Whether the account and what the token is bound to are there, and the same as when it was issued.
    pub(super) fn is_alive(&self, hub: &Hub, now: Timestamp) -> bool {
        let there = |resource: &str, namespace: &str, name: &str, uid: &str| {
            let record = hub.store.get(&Key::new(resource, namespace, name));
            record.is_some_and(|record| *record.lifted.uid == *uid && !is_over(&record.json, now))
        };
        // Of a pod's token the node is information: the pod dies with its node anyhow.
        let of_pod = self.bound.iter().any(|bound| bound.kind == "pod");
        there("serviceaccounts", &self.namespace, &self.account, &self.account_uid)
            && self.bound.iter().filter(|bound| !(of_pod && bound.kind == "node")).all(|bound| {
                let stored_as = KINDS.iter().find(|(kind, _)| *kind == bound.kind).map_or("", |(_, plural)| plural);
                let namespace = if bound.kind == "node" { "" } else { &self.namespace };
                there(stored_as, namespace, &bound.name, &bound.uid)
            })
    }

    /// The user that the token makes its bearer.
    pub(super) fn user(&self) -> User {
        let groups = ["system:serviceaccounts".to_string(), format!("system:serviceaccounts:{}", self.namespace)];
        let mut user = User::new(format!("system:serviceaccount:{}:{}", self.namespace, self.account), groups);
        user.uid.clone_from(&self.account_uid);
        if !self.id.is_empty() {
            let id = vec![format!("JTI={}", self.id)];
            user.extra.insert("authentication.kubernetes.io/credential-id".into(), id);
        }
        for bound in self.bound.iter().filter(|bound| bound.kind != "secret") {
            for (what, value) in [("name", &bound.name), ("uid", &bound.uid)] {
                user.extra.insert(format!("authentication.kubernetes.io/{}-{what}", bound.kind), vec![value.clone()]);
            }
        }
        user
    }
}

/// Whether an object's time to be deleted is well past.
pub(super) fn is_over(json: &[u8], now: Timestamp) -> bool {
    let object: Value = serde_json::from_slice(json).unwrap_or_default();
    let until: Option<Timestamp> = meta::text(&object, "deletionTimestamp").parse().ok();
    until.is_some_and(|until| now.as_second() > until.as_second() + LEEWAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_read_back_and_make_the_user() {
        let claims = Claims {
            audiences: vec!["a".into()],
            namespace: "ns".into(),
            account: "default".into(),
            account_uid: "u".into(),
            bound: vec![Bound { kind: "pod", name: "p".into(), uid: "pu".into() }],
            id: "j".into(),
            issued: 10,
            expires: 20,
        };
        let json = claims.to_json("iss");
        assert_eq!(json["sub"], "system:serviceaccount:ns:default");
        assert_eq!(Claims::of_json(&json), Some(claims.clone()));
        let user = claims.user();
        assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"]);
        assert_eq!(user.extra["authentication.kubernetes.io/pod-name"], ["p"]);
    }
}
