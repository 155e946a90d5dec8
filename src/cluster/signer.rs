//! What the server's keys sign for the controllers: certificates of CertificateSigningRequests, tokens of Secrets.

use std::time::Duration;

use coracle_controllers::{Sign, SignToken};
use coracle_server::pki::Authority;
use coracle_server::{AccountSecret, AccountTokens};

impl Sign for ClusterSigner {
    fn sign(&self, request_pem: &str, usages: &[String], lifetime: Duration) -> Result<String, String> {
        self.0.sign(request_pem, usages, lifetime).map_err(|error| error.to_string())
    }
}

/// Signs what the controllers have found to be approved.
pub(super) struct ClusterSigner(pub(super) Authority);

/// Signs the tokens of Secrets that somebody has made for a service account.
pub(super) struct ClusterTokens(pub(super) AccountTokens);

impl SignToken for ClusterTokens {
    fn token(&self, namespace: &str, account: &str, uid: &str, secret: &str) -> Result<String, String> {
        self.0.sign(AccountSecret { namespace, account, uid, secret }).map_err(|error| error.to_string())
    }
}
