//! An issuer's server: where its keys are, and the keys (OpenID Connect Discovery 1.0).
//!
//! One task per issuer asks it. Requests see what it has found, and wake it when they bring a token by a key that it does not
//! know.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{ACCEPT, LOCATION};
use http::{Request, StatusCode};
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::jwks::Keys;
use super::jwt::Jwt;
use crate::outbound::Outbound;

/// What an answer of the issuer may take, redirects included (kube-apiserver's client has as much).
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a document of the issuer. The longest that are known have some 20 KB.
pub(super) const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// How often the issuer may send somewhere else (Go's client: 10).
const MAX_REDIRECTS: usize = 5;
/// Between two requests for keys.
const FETCH_PAUSE: Duration = Duration::from_secs(2);
/// After this time keys are fetched again even if nobody asks: so long a key is believed that the issuer has withdrawn.
const KEYS_AGE: Duration = Duration::from_secs(3600);
/// How long a request waits for keys that may know its token.
pub(super) const KEYS_WAIT: Duration = Duration::from_secs(10);
/// Requests that wait so at a time; further ones are refused at once.
const MAX_WAITING: usize = 100;

const NOT_SIGNED: &str = "failed to verify signature: failed to verify id token signature";

/// What is known of an issuer.
#[derive(Debug, Clone, Default)]
struct Known {
    /// It has said where its keys are.
    is_ready: bool,
    keys: Arc<Keys>,
    /// How often keys have been asked for.
    fetches: u64,
    /// Why there was no answer the last time.
    failure: Option<String>,
}

/// How issuers are asked.
#[derive(Clone)]
pub(super) struct Asking {
    pub(super) outbound: Outbound,
    /// How soon again, when there is no answer.
    pub(super) retry: Duration,
    /// Until when.
    pub(super) closing: CancellationToken,
}

/// See the module's documentation.
pub(super) struct Provider {
    known: watch::Receiver<Known>,
    wanted: Arc<Notify>,
    waiting: Semaphore,
}

impl Provider {
    /// Begins to ask the issuer, again and again until it answers.
    pub(super) fn start(issuer: &str, discovery_url: &str, asking: &Asking) -> Self {
        let (known, seen) = watch::channel(Known::default());
        let wanted = Arc::new(Notify::new());
        let (asking, closing) = (asking.clone(), asking.closing.clone());
        let (issuer, discovery_url) = (issuer.to_string(), discovery_url.to_string());
        let keeper = Keeper { issuer, discovery_url, asking, known, wanted: wanted.clone() };
        tokio::spawn(async move { closing.run_until_cancelled(keeper.work()).await });
        Self { known: seen, wanted, waiting: Semaphore::new(MAX_WAITING) }
    }

    /// Whether the issuer has answered.
    pub(super) fn is_ready(&self) -> bool {
        self.known.borrow().is_ready
    }

    /// Returns when it has.
    pub(super) async fn ready(&self) {
        // The sender is kept by a task that ends with the server only; then nobody waits any more.
        let _ = self.known.clone().wait_for(|known| known.is_ready).await;
    }

    /// Whether the issuer has signed the token. A key that isn't known yet is asked for.
    pub(super) async fn check_signature(&self, token: &Jwt<'_>) -> Result<(), String> {
        let known = self.known.borrow().clone();
        if known.keys.have_signed(token) {
            return Ok(());
        }
        let Ok(_waits) = self.waiting.try_acquire() else { return Err(NOT_SIGNED.into()) };
        self.wanted.notify_one();
        let mut seen = self.known.clone();
        let newer = async { seen.wait_for(|newer| newer.fetches > known.fetches).await.map(|newer| newer.clone()) };
        match tokio::time::timeout(KEYS_WAIT, newer).await {
            Ok(Ok(newer)) if newer.keys.have_signed(token) => Ok(()),
            Ok(Ok(Known { failure: Some(why), .. })) => Err(format!("failed to verify signature: fetching keys {why}")),
            Ok(_) => Err(NOT_SIGNED.into()),
            Err(_) => Err("failed to verify signature: fetching keys oidc: get keys failed: i/o timeout".into()),
        }
    }
}

/// Asks the issuer.
struct Keeper {
    issuer: String,
    discovery_url: String,
    asking: Asking,
    known: watch::Sender<Known>,
    wanted: Arc<Notify>,
}

/// What the issuer says about itself, as far as it matters here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Keeper {
    async fn work(self) {
        let keys_url = loop {
            match self.discover().await {
                Ok(url) => break url,
                Err(why) => tracing::warn!(issuer = self.issuer, %why, "oidc authenticator: initializing plugin"),
            }
            tokio::time::sleep(self.asking.retry).await;
        };
        tracing::info!(issuer = self.issuer, "tokens of the issuer are believed from now on");
        self.known.send_modify(|known| known.is_ready = true);
        loop {
            // Either way it is time.
            let _ = tokio::time::timeout(KEYS_AGE, self.wanted.notified()).await;
            let fetched = self.keys(&keys_url).await;
            self.known.send_modify(|known| {
                known.fetches += 1;
                match fetched {
                    Ok(keys) => (known.keys, known.failure) = (Arc::new(keys), None),
                    Err(why) => known.failure = Some(why),
                }
            });
            tokio::time::sleep(FETCH_PAUSE).await;
        }
    }

    /// Where the keys are.
    async fn discover(&self) -> Result<Url, String> {
        let url = Url::parse(&self.discovery_url).map_err(|error| error.to_string())?;
        let document = self.get(url).await?;
        let failed = |why: &dyn std::fmt::Display| format!("oidc: failed to decode provider discovery object: {why}");
        let found: Discovery = serde_json::from_slice(&document).map_err(|error| failed(&error))?;
        if found.issuer != self.issuer {
            return Err(format!(
                "oidc: issuer did not match the issuer returned by provider, expected {:?} got {:?}",
                self.issuer, found.issuer
            ));
        }
        let keys = Url::parse(&found.jwks_uri).map_err(|error| failed(&format!("jwks_uri: {error}")))?;
        check_scheme(&keys).map(|()| keys)
    }

    async fn keys(&self, url: &Url) -> Result<Keys, String> {
        let document = self.get(url.clone()).await.map_err(|why| format!("oidc: get keys failed: {why}"))?;
        Keys::parse(&document)
    }

    /// A document of the issuer, from wherever it sends us over TLS.
    async fn get(&self, url: Url) -> Result<Bytes, String> {
        let following = async {
            let mut url = url;
            for _ in 0..=MAX_REDIRECTS {
                match self.get_once(&url).await? {
                    Answer::Document(document) => return Ok(document),
                    Answer::Elsewhere(other) => url = other,
                }
            }
            Err(format!("Get \"{url}\": stopped after {MAX_REDIRECTS} redirects"))
        };
        let late = |_| "context deadline exceeded".to_string();
        tokio::time::timeout(FETCH_TIMEOUT, following).await.map_err(late)?
    }

    async fn get_once(&self, url: &Url) -> Result<Answer, String> {
        check_scheme(url)?;
        let failed = |why: &dyn std::fmt::Display| format!("Get \"{url}\": {why}");
        let request = Request::get(url.as_str()).header(ACCEPT, "application/json").body(Body::empty());
        let request = request.map_err(|error| failed(&error))?;
        let answer = self.asking.outbound.exchange(request, FETCH_TIMEOUT, MAX_DOCUMENT_BYTES).await;
        let (head, body) = answer.map_err(|error| failed(&error))?.into_parts();
        if head.status == StatusCode::OK {
            return Ok(Answer::Document(body));
        }
        let location = head.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        match location.filter(|_| head.status.is_redirection()).map(|location| url.join(location)) {
            Some(Ok(other)) => Ok(Answer::Elsewhere(other)),
            _ => Err(failed(&head.status)),
        }
    }
}

enum Answer {
    Document(Bytes),
    Elsewhere(Url),
}

fn check_scheme(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "https" => Ok(()),
        _ => Err(format!("Get \"{url}\": URL scheme must be https")),
    }
}
