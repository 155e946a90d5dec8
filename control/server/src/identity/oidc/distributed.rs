//! Groups that a token does not carry but names the place of: distributed claims (OpenID Connect Core 1.0, section 5.6.2).
//! As in kube-apiserver, they are fetched for each request.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::config::IssuerConfig;
use super::jwt::Jwt;
use super::mapping::Source;
use super::provider::{Asking, KEYS_WAIT, MAX_DOCUMENT_BYTES, Provider};

/// Requests that wait for their groups at a time; further ones are refused at once.
const MAX_LOOKUPS: usize = 50;
/// Issuers of such claims that are asked for their keys, for one issuer of tokens.
const MAX_SOURCES: usize = 8;

type Claims = Map<String, Value>;

/// Fetches the groups of one issuer's users.
pub(super) struct Resolver {
    /// The claim that may be somewhere else.
    claim: String,
    asking: Asking,
    /// Who has signed such claims, by their `iss`.
    sources: Mutex<HashMap<String, Arc<Provider>>>,
    lookups: Semaphore,
}

impl Resolver {
    /// One for the issuer, if its groups come from a claim.
    pub(super) fn of(issuer: &IssuerConfig, asking: &Asking) -> Option<Self> {
        let Some(Source::Claim { name, .. }) = &issuer.mapper.groups else { return None };
        let lookups = Semaphore::new(MAX_LOOKUPS);
        Some(Self { claim: name.clone(), asking: asking.clone(), sources: Mutex::default(), lookups })
    }

    /// Puts the groups into the claims of a verified token, if they are somewhere else.
    pub(super) async fn expand(
        &self,
        claims: &mut Claims,
        issuer: &IssuerConfig,
        now: Timestamp,
    ) -> Result<(), String> {
        let Some((url, access_token)) = self.place(claims)? else { return Ok(()) };
        let Ok(_looks) = self.lookups.try_acquire() else { return Err("too many lookups at a time".into()) };
        let late = |_| format!("while getting distributed claim {:?}: context deadline exceeded", self.claim);
        let looking = self.look_up(&url, access_token.as_deref(), issuer, now);
        let groups = tokio::time::timeout(KEYS_WAIT, looking).await.map_err(late)??;
        claims.insert(self.claim.clone(), groups);
        Ok(())
    }

    /// Where the groups are, and the token to get them with.
    fn place(&self, claims: &Claims) -> Result<Option<(String, Option<String>)>, String> {
        let names = match claims.get("_claim_names") {
            Some(names) if !claims.contains_key(&self.claim) => names,
            _ => return Ok(None),
        };
        let names = names.as_object().ok_or("oidc: error parsing distributed claim names: not an object")?;
        let sources = claims.get("_claim_sources").ok_or("oidc: no claim sources")?;
        let sources = sources.as_object().ok_or("oidc: could not parse claim sources: not an object")?;
        let Some(name) = names.get(&self.claim).and_then(Value::as_str) else { return Ok(None) };
        let missing = || format!("id token _claim_names contained a source {name} missing in _claims_sources");
        let source = sources.get(name).ok_or_else(missing)?;
        let text = |field: &str| source[field].as_str().filter(|text| !text.is_empty()).map(str::to_string);
        // Without a place it may be an aggregated claim, which nobody expands.
        Ok(text("endpoint").map(|url| (url, text("access_token"))))
    }

    async fn look_up(
        &self,
        url: &str,
        access_token: Option<&str>,
        issuer: &IssuerConfig,
        now: Timestamp,
    ) -> Result<Value, String> {
        let claim = &self.claim;
        let document = self.get(url, access_token).await;
        let document = document.map_err(|why| format!("while getting distributed claim {claim:?}: {why}"))?;
        let wrong = |why: &str| format!("verify distributed claim token: {why}");
        let token = Jwt::parse(document.trim()).map_err(|why| wrong(&why))?;
        let named = token.claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let source = self.source(named).map_err(|why| format!("verifying untrusted issuer {named} failed: {why}"))?;
        source.ready().await;
        token.check(&issuer.audiences, &issuer.algorithms, now).map_err(|why| wrong(&why))?;
        source.check_signature(&token).await.map_err(|why| wrong(&why))?;
        let missing = || format!("jwt returned by distributed claim endpoint {url:?} did not contain claim: {claim}");
        token.claims.get(claim).cloned().ok_or_else(missing)
    }

    /// A document that may need a token. That is shown to nobody else, so redirects are not followed.
    async fn get(&self, url: &str, access_token: Option<&str>) -> Result<String, String> {
        if !url.starts_with("https://") {
            return Err(format!("Get {url:?}: URL scheme must be https"));
        }
        let mut request = Request::get(url);
        if let Some(token) = access_token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).map_err(|error| format!("Get {url:?}: {error}"))?;
        let answer = self.asking.outbound.exchange(request, KEYS_WAIT, MAX_DOCUMENT_BYTES).await;
        let answer = answer.map_err(|error| format!("Get {url:?}: {error}"))?;
        if !answer.status().is_success() {
            return Err(format!("error while getting distributed claim JWT: {}", answer.status()));
        }
        String::from_utf8(answer.into_body().to_vec()).map_err(|_| "could not decode the response".to_string())
    }

    /// The keys of whoever is said to have signed the claim.
    fn source(&self, issuer: &str) -> Result<Arc<Provider>, String> {
        let mut sources = self.sources.lock();
        if let Some(known) = sources.get(issuer) {
            return Ok(known.clone());
        }
        if sources.len() >= MAX_SOURCES {
            return Err(format!("there are {MAX_SOURCES} issuers of distributed claims already"));
        }
        let provider = Arc::new(Provider::start(issuer, &super::validation::discovery_url(issuer), &self.asking));
        sources.insert(issuer.to_string(), provider.clone());
        Ok(provider)
    }
}
