//! The cluster's authority as the signer of CertificateSigningRequests.

use std::time::Duration;

use coracle_controllers::Sign;
use coracle_server::pki::Authority;

impl Sign for ClusterSigner {
    fn sign(&self, request_pem: &str, usages: &[String], lifetime: Duration) -> Result<String, String> {
        self.0.sign(request_pem, usages, lifetime).map_err(|error| error.to_string())
    }
}

/// Signs what the controllers have found to be approved.
pub(super) struct ClusterSigner(pub(super) Authority);
