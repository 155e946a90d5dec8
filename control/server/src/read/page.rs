//! Continue tokens: where a list that is read in pages goes on, and as of which revision.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coracle_api::{ApiError, ApiResult};
use serde::{Deserialize, Serialize};

/// The version tag that Kubernetes' own tokens carry.
const VERSION: &str = "meta.k8s.io/v1";

/// What is in a token: a revision, and the object after which the next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    v: String,
    /// The revision of the whole list; -1 goes on with the newest, not consistent with the pages before.
    rv: i64,
    /// `namespace/name` of the last object that was sent (names have no slash).
    start: String,
}

impl Token {
    /// The page after the object, as of `revision` (`None`: as of whenever it is asked for).
    pub(super) fn after(namespace: &str, name: &str, revision: Option<u64>) -> Self {
        let rv = revision.map_or(-1, |r| i64::try_from(r).unwrap_or(-1));
        Self { v: VERSION.into(), rv, start: format!("{namespace}/{name}") }
    }

    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!(self).to_string())
    }

    /// Reads a token. 400 when it is not one of ours.
    pub(super) fn decode(text: &str) -> ApiResult<Self> {
        let wrong = || ApiError::bad_request("continue key is not valid: unable to decode the token");
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| wrong())?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        if token.v != VERSION {
            return Err(ApiError::bad_request(
                "continue key is not valid: server does not recognize this encoded version",
            ));
        }
        if token.place().is_none() || (token.rv < 1 && token.rv != -1) {
            return Err(wrong());
        }
        Ok(token)
    }

    /// The revision, unless the token goes on with the newest.
    pub(super) fn revision(&self) -> Option<u64> {
        u64::try_from(self.rv).ok()
    }

    /// Namespace and name of the last object that was sent.
    pub(super) fn place(&self) -> Option<(&str, &str)> {
        self.start.split_once('/')
    }

    /// The 410 for a token whose revision is gone, with a token that goes on without consistency.
    pub(super) fn expired(&self) -> ApiError {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back() {
        let token = Token::after("default", "web", Some(7));
        let back = Token::decode(&token.encode()).unwrap();
        assert_eq!(back, token);
        assert_eq!((back.revision(), back.place()), (Some(7), Some(("default", "web"))));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["x", "e30", "", &URL_SAFE_NO_PAD.encode(r#"{"v":"other","rv":1,"start":"a/b"}"#)] {
            assert_eq!(Token::decode(text).unwrap_err().code(), 400);
        }
    }

    #[test]
    fn an_expired_token_comes_with_one_that_goes_on() {
        let error = Token::after("a", "b", Some(7)).expired();
        let next = Token::decode(&error.continue_token.unwrap()).unwrap();
        assert_eq!((next.revision(), next.place()), (None, Some(("a", "b"))));
    }
}
