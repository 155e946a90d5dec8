//! The cluster's certificates: an authority made on first start, and what it signs.
//!
//! Everything lives as PEM in one directory, keys readable by their owner only. Certificates are renewed when the
//! server starts and less than [`RENEW_BEFORE_DAYS`] are left; the authority itself is made for ten years.

mod authority;
mod error;
mod files;
mod inspect;
mod kubeconfig;
mod parameters;
mod sign;
mod tls;

pub use authority::{Authority, write_private};
pub use error::PkiError;
pub use kubeconfig::kubeconfig;
pub use sign::SignError;

/// A certificate and its private key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The private key (PKCS#8), PEM.
    pub key_pem: String,
}

impl std::fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

/// How long an authority is valid.
const AUTHORITY_DAYS: i64 = 3650;

/// How long what it signs is valid: a year, as kubeadm does.
const CERTIFICATE_DAYS: i64 = 365;

/// A certificate with less than this left is made anew at start.
const RENEW_BEFORE_DAYS: i64 = 60;
