//! Why a configuration can't be used, and why a value can't be read: what to do is a part of both.

use std::path::PathBuf;

/// Why an `EncryptionConfiguration` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionError {
    /// The file can't be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is not what it should be. Never quotes a key.
    #[error("{} is no usable EncryptionConfiguration: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong.
        reason: String,
    },
    /// The operating system gives no random numbers.
    #[error("no random numbers for a key")]
    NoRandomness,
}

/// Why a stored value can't be read, or written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(
        "it is encrypted with {key}, and {} does not exist; put the file back that belongs to this data directory, or \
         name the configuration with that key by --encryption-provider-config",
        path.display()
    )]
    NoKeyFile { key: String, path: PathBuf },
    #[error(
        "it is encrypted with {key}, which {config} does not have for {resource}; add this key to its providers, \
         behind the first one if it is an old key"
    )]
    NoKey { key: String, resource: String, config: String },
    #[error(
        "it does not open with {key} of {config}: this is another key of the same name, or the value is damaged or of \
         another object; put the right key back, or restore the data directory from a backup"
    )]
    DoesNotOpen { key: String, config: String },
    #[error(
        "it is not encrypted, and {config} does not allow that for {resource}; to read it, add `identity: {{}}` as the \
         last of its providers"
    )]
    Plain { resource: String, config: String },
    #[error("it is neither encrypted nor JSON; restore the data directory from a backup")]
    Damaged,
    #[error("the system gives no random numbers to encrypt it with")]
    NoRandomness,
}
