//! What a registry is told when it asks who we are.

use http::header::{HeaderMap, HeaderValue};

use super::Remote;
use crate::auth::Auth;
use crate::error::{PullError, chain};
use crate::token::{self, Challenge};

impl Remote {
    /// What the registry is to be told, by the challenge in its refusal.
    pub(super) async fn authorize(&self, refusal: &HeaderMap) -> Result<HeaderValue, PullError> {
        let header = match &self.auth {
            Auth::Bearer { token } => format!("Bearer {token}"),
            auth => match (self.challenge(refusal).await?, auth) {
                (Some(Challenge::Bearer { realm, service, scope }), auth) => {
                    let repository = self.reference.repository();
                    let url = token::token_url(&realm, service.as_deref(), scope.as_deref(), repository)
                        .map_err(|why| self.unauthorized(why))?;
                    let http = self.registries.http_elsewhere(&self.endpoint, &url);
                    let http = http.map_err(|error| self.unauthorized(chain(&error)))?;
                    let token = token::fetch(&http, url, auth).await.map_err(|why| self.unauthorized(why))?;
                    format!("Bearer {token}")
                }
                (_, Auth::Basic { username, password }) => basic(username, password),
                _ => return Err(self.unauthorized("authentication required".to_owned())),
            },
        };
        let mut header = HeaderValue::from_str(&header)
            .map_err(|_| self.unauthorized("the token has characters no header can have".into()))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// The challenge of the refusal, or the one that the registry has for everybody.
    async fn challenge(&self, refusal: &HeaderMap) -> Result<Option<Challenge>, PullError> {
        let challenge = token::challenge(refusal);
        if challenge.is_some() {
            return Ok(challenge);
        }
        let request = self.http.get(self.url("")).headers(self.endpoint.headers.clone());
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        Ok(token::challenge(response.headers()))
    }
}

fn basic(username: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = format!("{username}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}
