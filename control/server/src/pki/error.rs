//! Why there are no certificates.

use std::io;
use std::path::PathBuf;

/// Why certificates could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One half of the authority is there, the other is not: it must not be replaced silently.
    #[error(
        "{missing} is missing beside its other half; restore it, or remove {directory} to start with a new authority"
    )]
    Incomplete {
        /// The file that is not there.
        missing: PathBuf,
        /// Where the authority lives.
        directory: PathBuf,
    },
    /// A file does not hold what it should.
    #[error("{path} does not hold a valid {what}; restore it, or remove it to have it made anew")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// `private key` or `certificate`.
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Signing(#[from] rcgen::Error),
    /// TLS cannot be set up with what there is.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}
