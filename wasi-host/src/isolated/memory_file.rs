//! What is too large for a message, as a file in memory whose descriptor goes with one.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::fd::OwnedFd,
};

use rustix::fs::{MemfdFlags, SealFlags};
use serde::{Serialize, de::DeserializeOwned};

/// A file of `bytes` that nobody can change any more.
pub(super) fn write(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("coracle", flags)?);
    file.write_all(bytes)?;
    file.rewind()?;
    let for_good = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, for_good)?;
    Ok(file.into())
}

/// A file of a value.
pub(super) fn write_value<T: Serialize>(value: &T) -> io::Result<OwnedFd> {
    write(&postcard::to_allocvec(value).map_err(io::Error::other)?)
}

/// All of a file that one's parent has written.
pub(super) fn read(file: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(file).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The value in a file that one's parent has written.
pub(super) fn read_value<T: DeserializeOwned>(file: OwnedFd) -> io::Result<T> {
    postcard::from_bytes(&read(file)?).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_never_changed() {
        let file = write(b"code").unwrap();
        let mut other = File::from(file.try_clone().unwrap());
        assert!(other.write_all(b"x").is_err() && other.set_len(0).is_err());
        assert_eq!(read(file).unwrap(), b"code");
        let value = vec![("a".to_owned(), 1u64)];
        assert_eq!(read_value::<Vec<(String, u64)>>(write_value(&value).unwrap()).unwrap(), value);
    }
}
