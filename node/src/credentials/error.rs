//! Why a node has no credentials.

use std::{io, path::PathBuf, time::Duration};

use crate::go_duration;

/// Why a node has no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// a kubeconfig can't be read
    #[error("cannot read {path}: {why}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// a kubeconfig names no cluster
    #[error("{path} names no usable cluster: {why}", path = .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// a file can't be written
    #[error("cannot write {path}: {source}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// somebody's file lies where the link to the current certificate should be
    #[error("expected {path} to be a symbolic link, but it is a file", path = .0.display())]
    NoLink(PathBuf),
    /// the certificate is another node's
    #[error("{path} is for the node {found:?}; start it with --hostname-override {found}", path = .path.display())]
    OtherNode {
        /// The kubeconfig.
        path: PathBuf,
        /// Whose it is.
        found: String,
    },
    /// the API server does not take the request for a certificate
    #[error("cannot create certificate signing request: {}", coracle_client::message(.0))]
    Create(#[source] Box<kube::Error>),
    /// the API server does not show the request that is there
    #[error("cannot retrieve certificate signing request: {}", coracle_client::message(.0))]
    Retrieve(#[source] Box<kube::Error>),
    /// somebody said no
    #[error("certificate signing request {name} is denied, reason: {reason}, message: {message}")]
    Denied {
        /// The request.
        name: String,
        /// Why.
        reason: String,
        /// Why, for people.
        message: String,
    },
    /// the signer could not sign
    #[error("certificate signing request {name} failed, reason: {reason}, message: {message}")]
    Failed {
        /// The request.
        name: String,
        /// Why.
        reason: String,
        /// Why, for people.
        message: String,
    },
    /// the request is gone
    #[error("csr {0:?} was deleted")]
    Deleted(String),
    /// another request has taken its name
    #[error("csr {0:?} changed UIDs")]
    Replaced(String),
    /// nobody has answered
    #[error(
        "certificate signing request {name} has not been answered in {wait}; it waits for \
         `kubectl certificate approve {name}`",
        wait = go_duration::show(*.wait)
    )]
    Unanswered {
        /// The request.
        name: String,
        /// For how long.
        wait: Duration,
    },
    /// what was issued is not what was asked for
    #[error("the certificate of certificate signing request {name} cannot be used: {why}")]
    Issued {
        /// The request.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// no key or request can be made
    #[error("cannot make a certificate signing request: {0}")]
    Request(#[from] rcgen::Error),
    /// there is no client for the API server
    #[error("cannot make a client of the API server: {0}")]
    Client(#[source] Box<kube::Error>),
}

impl CredentialError {
    /// Whether the same may go well a moment later: the server was not there or has too much to do, or the request has
    /// been cleaned away and is made anew.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            // It was there a moment ago, and may be made anew.
            CredentialError::Retrieve(error) if coracle_client::is_code(error, 404) => true,
            CredentialError::Create(error) | CredentialError::Retrieve(error) => {
                coracle_client::is_unreachable(error) || coracle_client::is_code(error, 429)
            }
            CredentialError::Deleted(_) | CredentialError::Replaced(_) | CredentialError::Issued { .. } => true,
            _ => false,
        }
    }
}
