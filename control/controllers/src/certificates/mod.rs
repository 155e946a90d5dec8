//! Certificates for those who ask with a CertificateSigningRequest: kube-controller-manager's csrapproving, csrsigning and
//! csrcleaner.

mod approving;
mod cleaning;
mod request;
mod signers;
mod signing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use approving::ApprovingController;
pub use cleaning::CleaningController;
pub use signing::SigningController;

/// Who has the authority's key.
pub trait Sign: Send + Sync {
    /// The certificate, PEM, for a request, PEM, to be used for `usages` and valid for so long.
    ///
    /// # Errors
    /// When the request makes no sense: says why.
    fn sign(&self, request_pem: &str, usages: &[String], lifetime: Duration) -> Result<String, String>;
}

/// A signer that can be handed on.
#[derive(Clone)]
pub struct Signer(pub Arc<dyn Sign>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}
