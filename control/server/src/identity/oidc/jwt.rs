//! ID tokens as they come: JSON Web Tokens (RFC 7519) in compact serialization (RFC 7515), signed once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use crate::authz::rbac::quoted;

/// The longest token that is looked at: somebody in hundreds of groups has 16 KiB.
const MAX_TOKEN_BYTES: usize = 64 << 10;

/// For clocks that differ: how early a token may come (go-oidc).
const NOT_BEFORE_LEEWAY_SECONDS: i64 = 60;

/// The issuer whose tokens may name it without the scheme (OpenID Connect Core 1.0, section 15.6.2).
const GOOGLE: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// A token of which nothing has been verified yet.
pub(super) struct Jwt<'a> {
    algorithm: String,
    /// Empty when the token doesn't name its key.
    pub(super) key_id: String,
    pub(super) claims: Map<String, Value>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that whoever verifies the token must know; none is known here.
    crit: Option<Value>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(format!("oidc: malformed jwt: it has more than {MAX_TOKEN_BYTES} bytes"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let &[header, claims, signature] = parts.as_slice() else {
            return Err(format!("oidc: malformed jwt, expected 3 parts got {}", parts.len()));
        };
        let malformed = |error: &dyn std::fmt::Display| format!("oidc: malformed jwt: {error}");
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| malformed(&error));
        let parsed: Header = serde_json::from_slice(&decode(header)?).map_err(|error| malformed(&error))?;
        if parsed.crit.is_some() {
            return Err(malformed(&"unsupported crit header"));
        }
        let read = serde_json::from_slice(&decode(claims)?);
        Ok(Self {
            algorithm: parsed.alg,
            key_id: parsed.kid.unwrap_or_default(),
            claims: read.map_err(|error| format!("oidc: failed to unmarshal claims: {error}"))?,
            signed: &text.as_bytes()[..header.len() + 1 + claims.len()],
            signature: decode(signature)?,
        })
    }

    /// The algorithm that it says it is signed by, if that is known here.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::of(&self.algorithm)
    }

    /// Whether it says that it is of the issuer.
    pub(super) fn is_of(&self, issuer: &str) -> bool {
        let named = self.claims.get("iss").and_then(Value::as_str);
        named == Some(issuer) || (issuer == GOOGLE[0] && named == Some(GOOGLE[1]))
    }

    /// Whether the token is for this server, its time has come and is not over, and its algorithm is allowed: what go-oidc
    /// checks before it looks at the signature.
    pub(super) fn check(&self, audiences: &[String], allowed: &[Algorithm], now: Timestamp) -> Result<(), String> {
        let meant = self.audiences()?;
        if !meant.iter().any(|audience| audiences.contains(audience)) {
            let expected = match audiences {
                [one] => format!("{one:?}"),
                many => format!("in {}", quoted(many)),
            };
            return Err(format!("oidc: expected audience {expected} got {}", quoted(&meant)));
        }
        self.check_time(now)?;
        if self.algorithm().is_none_or(|own| !allowed.contains(&own)) {
            let names: Vec<String> = allowed.iter().map(|algorithm| algorithm.name().to_string()).collect();
            let (names, got) = (quoted(&names), &self.algorithm);
            return Err(format!("oidc: id token signed with unsupported algorithm, expected {names} got {got:?}"));
        }
        Ok(())
    }

    /// A token without an end has ended. When it was issued does not matter, if it can be read.
    fn check_time(&self, now: Timestamp) -> Result<(), String> {
        self.seconds("iat")?;
        let expires = self.seconds("exp")?.unwrap_or_default();
        if expires <= now.as_second() {
            let end = shown(expires);
            return Err(format!("oidc: token is expired (Token Expiry: {end})"));
        }
        match self.seconds("nbf")? {
            Some(begin) if begin > now.as_second().saturating_add(NOT_BEFORE_LEEWAY_SECONDS) => {
                Err(format!("oidc: current time {now} before the nbf (not before) time: {}", shown(begin)))
            }
            _ => Ok(()),
        }
    }

    /// One text or a list of them.
    fn audiences(&self) -> Result<Vec<String>, String> {
        let wrong = || "oidc: failed to unmarshal claims: aud is neither a string nor a list of strings".to_string();
        match self.claims.get("aud") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(one)) => Ok(vec![one.clone()]),
            Some(Value::Array(many)) => {
                many.iter().map(|item| item.as_str().map(str::to_string).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// A time (`NumericDate`); fractions of a second don't count.
    fn seconds(&self, claim: &str) -> Result<Option<i64>, String> {
        match self.claims.get(claim) {
            None | Some(Value::Null) => Ok(None),
            // Saturates, which is as good as any time that far away.
            Some(Value::Number(number)) => {
                Ok(number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64)))
            }
            Some(_) => Err(format!("oidc: failed to unmarshal claims: {claim} is not a number")),
        }
    }
}

fn shown(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(header: &Value, claims: &Value) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}.AA", encode(header), encode(claims))
    }

    /// Why a token with these claims is refused at second 1,000 by who is called `me`.
    fn refused(more: Value) -> String {
        let mut claims = json!({ "iss": "https://i", "aud": "me", "exp": 2_000 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = token(&json!({ "alg": "RS256" }), &claims);
        let parsed = Jwt::parse(&text).unwrap();
        let now = Timestamp::from_second(1_000).unwrap();
        parsed.check(&["me".into()], &[Algorithm::Rs256], now).err().unwrap_or_default()
    }

    #[test]
    fn times_and_audiences_are_judged_as_go_oidc_does() {
        for (claims, why) in [
            (json!({}), ""),
            (json!({ "aud": ["you", "me"], "exp": 1_000.5e3, "iat": 5_000, "nbf": 1_060 }), ""),
            (json!({ "exp": 1e300, "nbf": null }), ""),
            (json!({ "aud": "you" }), "oidc: expected audience \"me\" got [\"you\"]"),
            (json!({ "aud": null }), "oidc: expected audience \"me\" got []"),
            (json!({ "aud": [1] }), "oidc: failed to unmarshal claims: aud is neither a string nor a list of strings"),
            (json!({ "exp": 1_000 }), "oidc: token is expired (Token Expiry: 1970-01-01T00:16:40Z)"),
            (json!({ "exp": null }), "oidc: token is expired (Token Expiry: 1970-01-01T00:00:00Z)"),
            (json!({ "exp": "2000" }), "oidc: failed to unmarshal claims: exp is not a number"),
            (json!({ "iat": "now" }), "oidc: failed to unmarshal claims: iat is not a number"),
            (
                json!({ "nbf": 1_061 }),
                "oidc: current time 1970-01-01T00:16:40Z before the nbf (not before) time: 1970-01-01T00:17:41Z",
            ),
        ] {
            assert_eq!(refused(claims.clone()), why, "{claims}");
        }
    }

    #[test]
    fn algorithms_without_a_key_or_with_a_shared_one_are_refused() {
        let claims = json!({ "iss": "https://i", "aud": "me", "exp": 2_000 });
        let all: Vec<Algorithm> = Algorithm::ALL.iter().map(|(_, algorithm)| *algorithm).collect();
        let now = Timestamp::from_second(1_000).unwrap();
        for name in ["none", "HS256", "ES512", "EdDSA", "rs256", ""] {
            let text = token(&json!({ "alg": name }), &claims);
            let why = Jwt::parse(&text).unwrap().check(&["me".into()], &all, now).unwrap_err();
            assert!(why.starts_with("oidc: id token signed with unsupported algorithm"), "{why}");
            assert!(why.ends_with(&format!("\"RS384\" \"RS512\"] got {name:?}")), "{why}");
        }
    }

    #[test]
    fn what_is_no_token_is_said() {
        let good = token(&json!({ "alg": "RS256" }), &json!({}));
        assert!(Jwt::parse(&good).is_ok());
        let critical = token(&json!({ "alg": "RS256", "crit": ["b64"], "b64": false }), &json!({}));
        let list = token(&json!({ "alg": "RS256" }), &json!([]));
        let long = format!("{good}{}", "A".repeat(MAX_TOKEN_BYTES));
        for (text, why) in [
            ("a.b", "expected 3 parts got 2"),
            ("a.b.c.d", "expected 3 parts got 4"),
            (" . . ", "malformed jwt"),
            ("e30.e30.AA", "missing field `alg`"),
            (&critical, "unsupported crit header"),
            (&list, "failed to unmarshal claims"),
            (&format!("{good}="), "malformed jwt"),
            (&long, "more than 65536 bytes"),
        ] {
            let error = Jwt::parse(text).err().unwrap_or_default();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn one_issuer_may_leave_out_its_scheme() {
        let of = |issuer: &str| token(&json!({ "alg": "RS256" }), &json!({ "iss": issuer }));
        let (google, other) = (of("accounts.google.com"), of("example.com"));
        assert!(Jwt::parse(&google).unwrap().is_of("https://accounts.google.com"));
        assert!(!Jwt::parse(&other).unwrap().is_of("https://example.com"));
        assert!(!Jwt::parse(&google).unwrap().is_of("https://example.com"));
    }
}
