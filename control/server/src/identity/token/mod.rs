//! Tokens of service accounts (KEP-1205): JSON Web Tokens (RFC 7519) that this server signs, and believes as long as
//! what they are bound to is there.
//!
//! Beside them stand the tokens of Secrets, which have no end ([`legacy`]).
//!
//! Only what Kubernetes' own tokens use of JOSE is here: compact serialization, ES256, one key.

mod claims;
mod key;
mod legacy;
mod verified;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use claims::{Bound, Claims};
pub use key::KeyError;
pub(crate) use key::TokenKey;
pub use legacy::{AccountSecret, AccountTokens};

use super::User;
use crate::hub::Hub;
use verified::Verified;

/// Issues and checks tokens.
pub(crate) struct Issuer {
    key: TokenKey,
    verified: Verified,
    /// `iss`, and the audience of tokens that don't name any.
    name: String,
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It is not one of ours, or has been changed.
    #[error("invalid bearer token")]
    Foreign,
    /// Its time is over, or has not come.
    #[error("service account token has expired")]
    Expired,
    /// It was made for others.
    #[error("token audiences {0:?} is invalid for the target audiences {1:?}")]
    Audience(Vec<String>, Vec<String>),
    /// The account, or what it is bound to, is gone.
    #[error("service account token has been invalidated")]
    Invalidated,
    /// Its Secret says that nobody has used it for too long.
    #[error(
        "the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked invalid. Use tokens \
         from the TokenRequest API or manually created secret-based tokens, or remove the '{}' label from the secret to \
         temporarily allow use of this token",
        legacy::INVALID_SINCE
    )]
    Marked { namespace: String, secret: String, account: String },
}

/// A text in the data of a Secret.
fn text_of(secret: &Value, key: &str) -> Option<String> {
    let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

impl Issuer {
    /// An issuer with this name and key.
    pub(crate) fn new(name: &str, key: TokenKey) -> Self {
        Self { key, verified: Verified::default(), name: name.to_string() }
    }

    /// The audience of tokens that don't name any: this server.
    pub(crate) fn audience(&self) -> &str {
        &self.name
    }

    /// Signs a token.
    pub(crate) fn issue(&self, claims: &Claims) -> Result<String, KeyError> {
        self.key.sign(&claims.to_json(&self.name))
    }

    /// The user of a token that is meant for one of `audiences`, and which of them.
    pub(crate) fn check(
        &self,
        hub: &Hub,
        token: &str,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<(User, Vec<String>), TokenError> {
        let claims = self.verified.claims(token, || self.key.verify(token)).ok_or(TokenError::Foreign)?;
        if claims["iss"] == legacy::ISSUER {
            // They name no audience: they are for this server.
            let meant: Vec<String> = audiences.iter().filter(|audience| **audience == self.name).cloned().collect();
            if meant.is_empty() {
                return Err(TokenError::Audience(vec![self.name.clone()], audiences.to_vec()));
            }
            return Ok((legacy::check(hub, token, &claims, now)?, meant));
        }
        if claims["iss"] != json!(self.name) {
            return Err(TokenError::Foreign);
        }
        let seconds = |field: &str| claims[field].as_i64();
        if seconds("exp").is_none_or(|exp| exp <= now.as_second())
            || seconds("nbf").is_some_and(|n| n > now.as_second())
        {
            return Err(TokenError::Expired);
        }
        let claims = Claims::of_json(&claims).ok_or(TokenError::Foreign)?;
        let meant: Vec<String> = claims.audiences.iter().filter(|a| audiences.contains(a)).cloned().collect();
        if meant.is_empty() {
            return Err(TokenError::Audience(claims.audiences, audiences.to_vec()));
        }
        if !claims.is_alive(hub, now) {
            return Err(TokenError::Invalidated);
        }
        Ok((claims.user(), meant))
    }

    /// `/openid/v1/jwks` (RFC 7517)
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [self.key.jwk()] })
    }

    /// `/.well-known/openid-configuration`
    pub(crate) fn configuration(&self, advertise: &str) -> Value {
        json!({
            "issuer": self.name,
            "jwks_uri": format!("https://{advertise}/openid/v1/jwks"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }
}
