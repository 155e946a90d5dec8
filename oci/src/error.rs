//! Why an image could not be had: the texts are containerd's, which users of Kubernetes search for.
//!
//! Errors are `Clone` because pulls of the same image are one pull, and all who wait for it get its end.

use std::io;
use std::sync::Arc;

use crate::reference::ReferenceError;

/// Why a pull failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PullError {
    /// The text is no image reference (Kubernetes: `InvalidImageName`)
    #[error("couldn't parse image name {input:?}: {source}")]
    InvalidReference {
        /// The text.
        input: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// The registry has no such repository, tag or digest
    #[error(
        "failed to pull and unpack image {reference:?}: failed to resolve reference {reference:?}: {reference}: not found"
    )]
    NotFound {
        /// The image asked for.
        reference: String,
    },
    /// The registry has the manifest but not a blob that it names
    #[error("failed to pull and unpack image {reference:?}: failed to copy: content {digest} of the image: not found")]
    BlobNotFound {
        /// The image asked for.
        reference: String,
        /// The missing blob.
        digest: String,
    },
    /// The registry wants credentials, or other ones
    #[error(
        "failed to pull and unpack image {reference:?}: failed to resolve reference {reference:?}: pull access denied, repository does not exist or may require authorization: server message: {detail}"
    )]
    Unauthorized {
        /// The image asked for.
        reference: String,
        /// The registry that answered.
        host: String,
        /// What it said.
        detail: String,
    },
    /// The registry can't be reached, or stopped answering
    #[error(
        "failed to pull and unpack image {reference:?}: failed to resolve reference {reference:?}: failed to do request: {detail}"
    )]
    Unreachable {
        /// The image asked for.
        reference: String,
        /// Host and port that were tried.
        host: String,
        /// The request and what the connection said.
        detail: String,
    },
    /// The configuration of the registry's hosts can't be used
    #[error(
        "failed to pull and unpack image {reference:?}: failed to resolve reference {reference:?}: failed to load hosts configuration: {source}"
    )]
    Hosts {
        /// The image asked for.
        reference: String,
        /// Which file, and what is wrong with it.
        source: crate::hosts::HostsError,
    },
    /// The registry answered with an error of its own
    #[error("failed to pull and unpack image {reference:?}: unexpected status from {request}: {status}{detail}")]
    Status {
        /// The image asked for.
        reference: String,
        /// Method and URL.
        request: String,
        /// HTTP status with its text.
        status: String,
        /// What the registry said about it; empty, or starts with a separator.
        detail: String,
    },
    /// The bytes that came aren't those that were asked for
    #[error(
        "failed to pull and unpack image {reference:?}: failed commit on ref {expected:?}: unexpected commit digest {actual}, expected {expected}: failed precondition"
    )]
    DigestMismatch {
        /// The image asked for.
        reference: String,
        /// Digest that was asked for.
        expected: String,
        /// Digest of what came.
        actual: String,
    },
    /// A blob ended early, or went on after its end
    #[error(
        "failed to pull and unpack image {reference:?}: failed commit on ref {digest:?}: unexpected commit size {actual}, expected {expected}: failed precondition"
    )]
    SizeMismatch {
        /// The image asked for.
        reference: String,
        /// The blob.
        digest: String,
        /// Bytes the manifest announced.
        expected: u64,
        /// Bytes that came.
        actual: u64,
    },
    /// Something is larger than this store accepts
    #[error("failed to pull and unpack image {reference:?}: {what} is too large: {size} is over the limit of {limit}")]
    TooLarge {
        /// The image asked for.
        reference: String,
        /// What is too large, and in which unit it is counted.
        what: String,
        /// How large it is, as far as it was read.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The artifact is of a kind this crate can't run or unpack
    #[error("failed to pull and unpack image {reference:?}: unsupported media type {media_type:?} of {what}")]
    UnsupportedMediaType {
        /// The image asked for.
        reference: String,
        /// What has it: manifest, layer, …
        what: String,
        /// The media type.
        media_type: String,
    },
    /// Manifest or configuration are malformed
    #[error("failed to pull and unpack image {reference:?}: invalid {what}: {detail}")]
    Invalid {
        /// The image asked for.
        reference: String,
        /// Manifest or configuration.
        what: String,
        /// What is wrong.
        detail: String,
    },
    /// The image is for Linux or another system
    #[error("failed to pull and unpack image {reference:?}: no match for platform in manifest {digest}: not found: it has {}, and none is Wasm", platforms.join(", "))]
    NotWasm {
        /// The image asked for.
        reference: String,
        /// Its repo digest.
        digest: String,
        /// What it has, such as `linux/amd64`.
        platforms: Vec<String>,
    },
    /// A layer of a compat image can't be unpacked
    #[error("failed to pull and unpack image {reference:?}: failed to extract layer {layer}: {detail}")]
    Unpack {
        /// The image asked for.
        reference: String,
        /// Digest of the layer.
        layer: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The disk is full
    #[error("failed to pull and unpack image {reference:?}: write to the image store: no space left on device")]
    StorageFull {
        /// The image asked for.
        reference: String,
    },
    /// The image store can't be read or written
    #[error("failed to pull and unpack image {reference:?}: image store: {source}")]
    Io {
        /// The image asked for.
        reference: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl PullError {
    pub(crate) fn io(reference: &str, error: io::Error) -> PullError {
        let reference = reference.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => PullError::StorageFull { reference },
            _ => PullError::Io { reference, source: Arc::new(error) },
        }
    }
}

/// Why the image store can't do something with what it holds.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The image has no Wasm to run
    #[error("image {reference:?} has no Wasm module to run: {detail}")]
    NoModule {
        /// The image.
        reference: String,
        /// How it is packaged, or where the module was looked for.
        detail: String,
    },
    /// The file of the image that is to be run is too large
    #[error("image {reference:?}: {file:?} is larger than a module may be ({limit} bytes)")]
    TooLarge {
        /// The image.
        reference: String,
        /// The file, as it was named.
        file: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The store has no image of this name
    #[error("image {reference:?}: not found in the image store")]
    NotFound {
        /// The name.
        reference: String,
    },
    /// The store can't be read or written
    #[error("image store {what}: {source}")]
    Io {
        /// What was being read or written.
        what: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl StoreError {
    pub(crate) fn io(what: impl Into<String>, error: io::Error) -> StoreError {
        StoreError::Io { what: what.into(), source: Arc::new(error) }
    }
}

/// An error with all its causes on one line: clients of HTTP hide the one that matters deepest.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
