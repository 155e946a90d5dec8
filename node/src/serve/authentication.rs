//! Whose token it is: the API server knows (`TokenReview`).

use std::time::Duration;

use http::{HeaderMap, header::AUTHORIZATION};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::{Api, Client, api::PostParams};
use sha2::{Digest as _, Sha256};

use super::{cache::Cache, user::User};

/// How long an answer is good for (kubelet `authentication.webhook.cacheTTL`).
const GOOD_FOR: Duration = Duration::from_secs(120);
/// Bytes of a token; longer ones are nobody's.
const TOKEN_LIMIT_BYTES: usize = 64 * 1024;

/// Tokens and their users. A token is kept as its hash only.
pub struct Tokens {
    reviews: Api<TokenReview>,
    known: Cache<[u8; 32], Option<User>>,
}

impl Tokens {
    /// Asks the API server behind `client`.
    pub fn new(client: Client) -> Tokens {
        Tokens { reviews: Api::all(client), known: Cache::new() }
    }

    /// The user of a token, if it is somebody's.
    pub async fn user(&self, token: &str) -> kube::Result<Option<User>> {
        if token.len() > TOKEN_LIMIT_BYTES {
            return Ok(None);
        }
        let key: [u8; 32] = Sha256::digest(token).into();
        if let Some(user) = self.known.get(&key) {
            return Ok(user);
        }
        let spec = TokenReviewSpec { token: token.to_owned(), ..TokenReviewSpec::default() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = self.reviews.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true)).and_then(User::of_review);
        self.known.put(key, user.clone(), GOOD_FOR);
        Ok(user)
    }
}

/// The bearer token of a request.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_bearer_tokens_count() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(text));
            token(&headers).map(str::to_owned)
        };
        assert_eq!(of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(of("bearer abc").as_deref(), Some("abc"));
        assert_eq!(of("Basic abc"), None);
        assert_eq!(of("Bearer "), None);
    }
}
