//! Why a bucket has no answer, and what the guest is told of it: nothing that names a path of the host.

use std::io;

use rustix::io::Errno;
use wasmtime::component::ResourceTableError;

use super::bindings::store;

/// Why a bucket has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// the container has no such bucket
    #[error("the container has no such bucket")]
    NoSuchStore,
    /// the bucket may only be read
    #[error("the bucket may only be read")]
    AccessDenied,
    /// the guest asked for too much, or found what no bucket has written
    #[error("{0}")]
    Other(String),
    /// the guest, or its host, is at fault: the guest ends
    #[error("{0:#}")]
    Trap(wasmtime::Error),
}

impl Error {
    /// Guests that see the volume as files can put anything there.
    pub(super) fn foreign(what: &str) -> Error {
        Error::Other(format!("{what} in the volume was not written by wasi:keyvalue"))
    }

    /// The answer to the guest, or the end of it.
    pub(super) fn told(self) -> wasmtime::Result<store::Error> {
        match self {
            Error::NoSuchStore => Ok(store::Error::NoSuchStore),
            Error::AccessDenied => Ok(store::Error::AccessDenied),
            Error::Other(why) => Ok(store::Error::Other(why)),
            Error::Trap(error) => Err(error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::AccessDenied,
            _ => Error::Other(error.to_string()),
        }
    }
}

impl From<Errno> for Error {
    fn from(error: Errno) -> Error {
        io::Error::from(error).into()
    }
}

impl From<ResourceTableError> for Error {
    fn from(error: ResourceTableError) -> Error {
        match error {
            ResourceTableError::Full => Error::Other("too many resources are open".into()),
            error => Error::Trap(error.into()),
        }
    }
}
