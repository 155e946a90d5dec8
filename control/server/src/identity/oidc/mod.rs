//! ID tokens of other issuers (OpenID Connect), as kube-apiserver takes them (KEP-3331,
//! `k8s.io/apiserver/plugin/pkg/authenticator/token/oidc`).
//!
//! [`config`](AuthenticationConfig) is what the operator says, compiled; a [`Provider`] asks the issuer for its keys; a
//! [`Jwt`](jwt::Jwt) is what a request brings; a [`Mapper`](mapping::Mapper) makes a user of it.
//!
//! Invariant: claims decide about nothing but which issuer is asked, until a key of that issuer has signed them.
//!
//! Invariant: a request waits for an issuer only if its token could be the issuer's, for no longer than
//! [`provider::KEYS_WAIT`], and never holds up another one.

mod algorithm;
mod config;
mod distributed;
mod expressions;
mod jwks;
mod jwt;
mod mapping;
mod provider;
mod settings;
#[cfg(test)]
mod tests;
mod validation;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use coracle_store::Store;
use jiff::Timestamp;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::User;
use crate::config::ServerConfig;
use crate::outbound::{Outbound, Trust, TrustError};

use config::IssuerConfig;
pub use config::{AuthenticationConfig, AuthenticationError, OidcFlags};
use distributed::Resolver;
use jwt::Jwt;
use provider::{Asking, Provider};
pub(super) use settings::AnonymousSettings;

/// New issuers are waited for as long as it takes to ask them so often (a minute, as in kube-apiserver).
const ATTEMPTS: u32 = 6;

/// The issuers that are believed.
pub(crate) struct Issuers {
    current: ArcSwap<Vec<Issuer>>,
    store: Store,
    retry: Duration,
    closing: CancellationToken,
}

struct Issuer {
    config: Arc<IssuerConfig>,
    provider: Provider,
    /// Fetches what a token only names.
    resolver: Option<Resolver>,
    /// The issuer is asked for as long as it is believed.
    _asked: DropGuard,
}

impl Issuers {
    /// Begins to ask the configured issuers who they are, until `closing`. Those that are Services are found in the store.
    ///
    /// # Errors
    /// Which issuer can't ever be asked, and why.
    pub(crate) fn start(
        config: &ServerConfig,
        store: &Store,
        closing: &CancellationToken,
    ) -> Result<Self, (String, TrustError)> {
        let (store, closing, retry) = (store.clone(), closing.clone(), config.limits.issuer_retry);
        let issuers = Self { current: ArcSwap::default(), store, retry, closing };
        issuers.current.store(Arc::new(issuers.begin(&config.authentication)?));
        Ok(issuers)
    }

    /// Believes these issuers instead, once all of them have said who they are.
    ///
    /// # Errors
    /// Which of them has not, or can't be asked; then those of before are believed.
    pub(crate) async fn replace(&self, config: &AuthenticationConfig) -> Result<(), String> {
        let issuers = self.begin(config).map_err(|(issuer, error)| format!("issuer {issuer}: {error}"))?;
        let deadline = tokio::time::Instant::now() + self.retry * ATTEMPTS;
        for issuer in &issuers {
            if tokio::time::timeout_at(deadline, issuer.provider.ready()).await.is_err() {
                return Err(format!("issuer {}: oidc: authenticator not initialized", issuer.config.url));
            }
        }
        self.current.store(Arc::new(issuers));
        Ok(())
    }

    fn begin(&self, config: &AuthenticationConfig) -> Result<Vec<Issuer>, (String, TrustError)> {
        let begin = |issuer: &Arc<IssuerConfig>| {
            let trust = Trust::authorities(issuer.authorities.as_deref());
            let outbound = Outbound::new(self.store.clone(), &trust).map_err(|error| (issuer.url.clone(), error))?;
            let asking = Asking { outbound, retry: self.retry, closing: self.closing.child_token() };
            let provider = Provider::start(&issuer.url, &issuer.discovery_url, &asking);
            let resolver = Resolver::of(issuer, &asking);
            Ok(Issuer { config: issuer.clone(), provider, resolver, _asked: asking.closing.drop_guard() })
        };
        config.issuers.iter().map(begin).collect()
    }

    /// The user of a token; `None` if no issuer that is believed calls it its own.
    ///
    /// # Errors
    /// Says why the token is not believed.
    pub(crate) async fn user_of(&self, token: &str, now: Timestamp) -> Option<Result<User, String>> {
        let issuers = self.current.load_full();
        if issuers.is_empty() {
            return None;
        }
        let token = Jwt::parse(token).ok()?;
        let issuer = issuers.iter().find(|issuer| token.is_of(&issuer.config.url))?;
        Some(issuer.user_of(token, now).await)
    }
}

impl Issuer {
    async fn user_of(&self, mut token: Jwt<'_>, now: Timestamp) -> Result<User, String> {
        if !self.provider.is_ready() {
            return Err("oidc: authenticator not initialized".into());
        }
        let verified = |why| format!("oidc: verify token: {why}");
        token.check(&self.config.audiences, &self.config.algorithms, now).map_err(verified)?;
        self.provider.check_signature(&token).await.map_err(verified)?;
        if let Some(resolver) = &self.resolver {
            let expanded = resolver.expand(&mut token.claims, &self.config, now).await;
            expanded.map_err(|why| format!("oidc: could not expand distributed claims: {why}"))?;
        }
        self.config.mapper.user(&token.claims)
    }
}
