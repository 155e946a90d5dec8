//! What a token makes of its bearer: claims become a user, and rules about both must hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::expressions::Expression;
use crate::identity::User;

type Claims = Map<String, Value>;

/// Which token it was, as audit logs and `kubectl auth whoami` name it.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Where an attribute of the user comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A claim, and what is put before it.
    Claim {
        name: String,
        prefix: String,
    },
    Expression(Expression),
}

/// A condition with what is said when it does not hold.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) condition: Expression,
    pub(super) message: String,
}

/// The whole of it, for one issuer.
#[derive(Debug)]
pub(super) struct Mapper {
    pub(super) username: Source,
    pub(super) groups: Option<Source>,
    pub(super) uid: Option<Source>,
    /// By their keys.
    pub(super) extra: Vec<(String, Expression)>,
    /// Claims with the texts that they must be.
    pub(super) required: Vec<(String, String)>,
    pub(super) claim_rules: Vec<Rule>,
    pub(super) user_rules: Vec<Rule>,
}

impl Mapper {
    /// The user of a token with these claims, which have been verified.
    pub(super) fn user(&self, claims: &Claims) -> Result<User, String> {
        let all = Value::Object(claims.clone());
        let mut user = User::new(self.username(claims, &all)?, []);
        user.groups = self.groups(claims, &all)?;
        user.uid = self.uid(claims, &all)?;
        user.extra = self.extra(claims, &all)?;
        self.check_required(claims)?;
        check_rules(&self.claim_rules, &all)
            .map_err(|why| format!("oidc: error evaluating claim validation expression: {why}"))?;
        if !self.user_rules.is_empty() {
            let info = json!({
                "username": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra,
            });
            check_rules(&self.user_rules, &info)
                .map_err(|why| format!("oidc: error evaluating user info validation rule: {why}"))?;
        }
        // After the rules: they are about what the issuer says. Whoever has signed in is in one group more.
        let (uid, extra) = (user.uid, user.extra);
        Ok(User { uid, extra, ..User::new(user.name, user.groups) })
    }

    fn username(&self, claims: &Claims, all: &Value) -> Result<String, String> {
        let (name, prefix) = match &self.username {
            Source::Claim { name, prefix } => (name, prefix),
            Source::Expression(expression) => {
                let failed = |why: &str| format!("oidc: error evaluating username claim expression: {why}");
                let text = expression.text(all).map_err(|why| failed(&why))?;
                let text = text.ok_or_else(|| failed("username claim expression must return a string"))?;
                return match text.is_empty() {
                    true => Err(failed("username claim expression must not return an empty string")),
                    false => Ok(text),
                };
            }
        };
        let text = text_of(claims, name).map_err(|why| format!("oidc: parse username claims {name:?}: {why}"))?;
        if text.is_empty() {
            return Err(format!("oidc: parse username claims {name:?}: claim is empty"));
        }
        if name == "email" {
            match claims.get("email_verified") {
                None | Some(Value::Bool(true)) => {}
                Some(Value::Bool(false)) => return Err("oidc: email not verified".into()),
                Some(_) => return Err("oidc: parse 'email_verified' claim: it is not a bool".into()),
            }
        }
        Ok(format!("{prefix}{text}"))
    }

    fn groups(&self, claims: &Claims, all: &Value) -> Result<Vec<String>, String> {
        let (name, prefix) = match &self.groups {
            None => return Ok(Vec::new()),
            Some(Source::Claim { name, prefix }) => (name, prefix),
            Some(Source::Expression(expression)) => {
                let failed = |why| format!("oidc: error evaluating group claim expression: {why}");
                return expression.texts(all).map_err(failed);
            }
        };
        let wrong = || format!("oidc: parse groups claim {name:?}: it is neither a string nor a list of strings");
        let prefixed = |group: &Value| group.as_str().map(|group| format!("{prefix}{group}")).ok_or_else(wrong);
        match claims.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(groups)) => groups.iter().map(prefixed).collect(),
            // Some use a claim like "role", which is one text.
            Some(group) => Ok(vec![prefixed(group)?]),
        }
    }

    fn uid(&self, claims: &Claims, all: &Value) -> Result<String, String> {
        match &self.uid {
            None => Ok(String::new()),
            Some(Source::Claim { name, .. }) => {
                text_of(claims, name).map_err(|why| format!("oidc: parse uid claim {name:?}: {why}"))
            }
            Some(Source::Expression(expression)) => {
                let failed = |why: &str| format!("oidc: error evaluating uid claim expression: {why}");
                let text = expression.text(all).map_err(|why| failed(&why))?;
                text.ok_or_else(|| failed("uid claim expression must return a string"))
            }
        }
    }

    fn extra(&self, claims: &Claims, all: &Value) -> Result<BTreeMap<String, Vec<String>>, String> {
        let mut extra = BTreeMap::new();
        for (key, expression) in &self.extra {
            let failed = |why| format!("oidc: error evaluating extra claim expression: {}: {why}", expression.source());
            let values = expression.texts(all).map_err(failed)?;
            if !values.is_empty() {
                extra.insert(key.clone(), values);
            }
        }
        if let Some(id) = claims.get("jti").and_then(Value::as_str).filter(|id| !id.is_empty()) {
            extra.insert(CREDENTIAL_ID.into(), vec![format!("JTI={id}")]);
        }
        Ok(extra)
    }

    fn check_required(&self, claims: &Claims) -> Result<(), String> {
        for (claim, wanted) in &self.required {
            if !claims.contains_key(claim) {
                return Err(format!("oidc: required claim {claim} not present in ID token"));
            }
            let got = text_of(claims, claim).map_err(|why| format!("oidc: parse claim {claim}: {why}"))?;
            if got != *wanted {
                return Err(format!("oidc: required claim {claim} value does not match. Got = {got}, want = {wanted}"));
            }
        }
        Ok(())
    }
}

/// A claim that is a text.
fn text_of(claims: &Claims, name: &str) -> Result<String, String> {
    match claims.get(name) {
        None => Err("claim not present".into()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err("it is not a string".into()),
    }
}

fn check_rules(rules: &[Rule], subject: &Value) -> Result<(), String> {
    for rule in rules {
        if !rule.condition.holds(subject)? {
            let source = rule.condition.source();
            return Err(format!("validation expression '{source}' failed: {}", rule.message));
        }
    }
    Ok(())
}
