//! Continue tokens: where a list that is read in pages goes on, and as of which revision
//! (`k8s.io/apiserver/pkg/storage/continue.go`). Clients must not look into them, and send what they like.

use base64::DecodeError;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use crate::decode::json_problem;
use crate::error::{ApiError, ApiResult};

/// The version tag that Kubernetes' own tokens carry.
const VERSION: &str = "meta.k8s.io/v1";

/// As Go's `RawURLEncoding`: no padding, and left-over bits are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// What is in a token: a revision, and the object after which the next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Token {
    v: String,
    /// The revision of the whole list; negative goes on with the newest, not consistent with the pages before.
    rv: i64,
    /// `namespace/name` of the last object that was sent (names have no slash). Others may put a slash before it.
    start: String,
}

impl Token {
    /// The page after the object, as of `revision`.
    pub fn after(namespace: &str, name: &str, revision: u64) -> Self {
        let start = if namespace.is_empty() { name.to_string() } else { format!("{namespace}/{name}") };
        Self { v: VERSION.into(), rv: i64::try_from(revision).unwrap_or(-1), start }
    }

    /// The token as clients carry it.
    pub fn encode(&self) -> String {
        BASE64.encode(serde_json::json!(self).to_string())
    }

    /// Reads a token.
    ///
    /// # Errors
    /// 400 when it is not one of ours.
    pub fn decode(text: &str) -> ApiResult<Self> {
        Self::read(text)
            .map_err(|why| ApiError::bad_request(format!("invalid continue token: continue key is not valid: {why}")))
    }

    fn read(text: &str) -> Result<Self, String> {
        let bytes = BASE64.decode(text).map_err(|error| illegal_base64(&error, text.len()))?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|error| json_problem(&bytes, &error))?;
        if token.v != VERSION {
            return Err(format!("server does not recognize this encoded version {}", token.v));
        }
        if token.rv == 0 {
            return Err(format!("incorrect encoded start resourceVersion (version {VERSION})"));
        }
        if token.start.is_empty() {
            return Err(format!("encoded start key empty (version {VERSION})"));
        }
        // Go's path.Clean leaves only such paths as they are.
        let relative = token.start.strip_prefix('/').unwrap_or(&token.start);
        if relative.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(token.start);
        }
        Ok(token)
    }

    /// The revision, unless the token goes on with the newest.
    pub fn revision(&self) -> Option<u64> {
        u64::try_from(self.rv).ok()
    }

    /// Namespace and name of the last object that was sent.
    pub fn place(&self) -> (&str, &str) {
        let start = self.start.strip_prefix('/').unwrap_or(&self.start);
        start.split_once('/').unwrap_or(("", start))
    }

    /// The 410 for a token whose revision is gone, with a token that goes on without consistency.
    pub fn expired(&self) -> ApiError {
        let mut error = ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
             results. Continuing with the provided token results in an inconsistent list - objects that were created, \
             modified, or deleted between the time the first chunk was returned and now may show up in the list.",
        );
        error.continue_token = Some(Self { rv: -1, ..self.clone() }.encode());
        error
    }
}

/// Go's words for what cannot be decoded: where the first wrong byte is.
fn illegal_base64(error: &DecodeError, length: usize) -> String {
    let at = match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => *at,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => length.saturating_sub(1),
    };
    format!("illegal base64 data at input byte {at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back() {
        let token = Token::after("default", "web", 7);
        let back = Token::decode(&token.encode()).unwrap();
        assert_eq!(back, token);
        assert_eq!((back.revision(), back.place()), (Some(7), ("default", "web")));
        assert_eq!(Token::after("", "node", 7).place(), ("", "node"));
        let others = Token::decode(&BASE64.encode(r#"{"v":"meta.k8s.io/v1","rv":7,"start":"/default/web"}"#)).unwrap();
        assert_eq!(others.place(), ("default", "web"));
    }

    #[test]
    fn what_is_no_token_is_refused_in_kubernetes_words() {
        let why = |text: &str| {
            let message = Token::decode(text).unwrap_err().message;
            message.strip_prefix("invalid continue token: continue key is not valid: ").unwrap().to_string()
        };
        let coded = |json: &str| why(&BASE64.encode(json));
        assert_eq!(why("asd$"), "illegal base64 data at input byte 3");
        assert_eq!(why("abcde"), "illegal base64 data at input byte 4");
        assert_eq!(coded("nope"), "invalid character 'o' looking for beginning of value");
        assert_eq!(coded("{}"), "server does not recognize this encoded version ");
        assert_eq!(coded(r#"{"v":"v2"}"#), "server does not recognize this encoded version v2");
        let start_version = "incorrect encoded start resourceVersion (version meta.k8s.io/v1)";
        assert_eq!(coded(r#"{"v":"meta.k8s.io/v1","start":"a"}"#), start_version);
        assert_eq!(coded(r#"{"v":"meta.k8s.io/v1","rv":1}"#), "encoded start key empty (version meta.k8s.io/v1)");
        assert_eq!(coded(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../x"}"#), "../x");
    }

    #[test]
    fn an_expired_token_comes_with_one_that_goes_on() {
        let error = Token::after("a", "b", 7).expired();
        let next = Token::decode(&error.continue_token.unwrap()).unwrap();
        assert_eq!((next.revision(), next.place()), (None, ("a", "b")));
    }
}
