//! The content-addressed store: bytes in files named by their digest, shared by images and registry.
//!
//! Invariant: a file under `sha256/` was complete, had the digest it is named by, and was fsynced before it
//! got that name; so a crash leaves only temporary files, which opening the store sweeps away.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt, BufWriter};

use crate::digest::{Digest, Hasher};

/// Bytes gathered before a write goes to the file: network chunks are small, thread hops are not free.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// Read at a time when a blob is only checked.
const READ_BUFFER_BYTES: usize = 128 << 10;

#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    sha256: PathBuf,
    tmp: PathBuf,
}

impl Blobs {
    /// Opens the store in `dir`, creating it, and sweeps what an interrupted process left.
    pub(crate) fn open(dir: &Path) -> io::Result<Blobs> {
        let blobs = Blobs { sha256: dir.join("blobs").join("sha256"), tmp: dir.join("tmp") };
        fs::create_dir_all(&blobs.sha256)?;
        if blobs.tmp.exists() {
            fs::remove_dir_all(&blobs.tmp)?;
        }
        fs::create_dir_all(&blobs.tmp)?;
        Ok(blobs)
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.sha256.join(digest.hex())
    }

    /// A directory for unfinished things, on the same file system.
    pub(crate) fn tmp(&self) -> &Path {
        &self.tmp
    }

    pub(crate) fn size_bytes(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(digest)).ok().map(|meta| meta.len())
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.size_bytes(digest).is_some()
    }

    /// Reads a blob, checking its digest. One that no longer matches is removed, so that the next pull
    /// fetches it again, and reported as `InvalidData`.
    pub(crate) fn read(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let bytes = fs::read(self.path(digest))?;
        if Digest::of(&bytes) != *digest {
            self.remove(digest)?;
            return Err(corrupt(digest));
        }
        Ok(bytes)
    }

    /// Whether a blob is still what its name says; a damaged one is removed. Reads it in pieces.
    pub(crate) fn check(&self, digest: &Digest) -> io::Result<bool> {
        let mut file = File::open(self.path(digest))?;
        let (mut hasher, mut buffer) = (Hasher::default(), vec![0; READ_BUFFER_BYTES]);
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
        let whole = hasher.finish() == *digest;
        if !whole {
            self.remove(digest)?;
        }
        Ok(whole)
    }

    pub(crate) fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        if self.size_bytes(&digest) != Some(bytes.len() as u64) {
            write_atomically(&self.tmp, &self.path(&digest), bytes)?;
        }
        Ok(digest)
    }

    pub(crate) fn writer(&self) -> io::Result<BlobWriter> {
        let temp = NamedTempFile::new_in(&self.tmp)?;
        let file = tokio::fs::File::from_std(temp.as_file().try_clone()?);
        Ok(BlobWriter {
            blobs: self.clone(),
            temp,
            file: BufWriter::with_capacity(WRITE_BUFFER_BYTES, file),
            hasher: Hasher::default(),
            size_bytes: 0,
        })
    }

    pub(crate) fn remove(&self, digest: &Digest) -> io::Result<()> {
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Every blob and its size.
    pub(crate) fn list(&self) -> io::Result<Vec<(Digest, u64)>> {
        let mut blobs = Vec::new();
        for entry in fs::read_dir(&self.sha256)? {
            let entry = entry?;
            let name = format!("sha256:{}", entry.file_name().to_string_lossy());
            if let Ok(digest) = Digest::parse(&name) {
                blobs.push((digest, entry.metadata()?.len()));
            }
        }
        Ok(blobs)
    }
}

fn corrupt(digest: &Digest) -> io::Error {
    let message = format!("blob {digest} was damaged on disk and has been removed: pull or push it again");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A blob on its way in. Dropped before `commit`, it leaves nothing.
pub(crate) struct BlobWriter {
    blobs: Blobs,
    temp: NamedTempFile,
    file: BufWriter<tokio::fs::File>,
    hasher: Hasher,
    size_bytes: u64,
}

impl BlobWriter {
    pub(crate) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hasher.update(chunk);
        self.size_bytes += chunk.len() as u64;
        self.file.write_all(chunk).await
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The digest of what was written so far.
    pub(crate) fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Makes the blob durable and visible under its digest, which the caller has compared with what it
    /// expected.
    pub(crate) async fn commit(mut self) -> io::Result<Digest> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        let digest = self.hasher.finish();
        let (temp, target) = (self.temp, self.blobs.path(&digest));
        blocking(move || {
            temp.persist(&target).map_err(|error| error.error)?;
            sync_parent(&target)
        })
        .await?;
        Ok(digest)
    }
}

/// Replaces `target` by `bytes` in one step that survives a crash.
pub(crate) fn write_atomically(tmp: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temp = NamedTempFile::new_in(tmp)?;
    io::Write::write_all(&mut temp, bytes)?;
    temp.as_file().sync_all()?;
    temp.persist(target).map_err(|error| error.error)?;
    sync_parent(target)
}

/// A rename is durable once its directory is.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Runs blocking file work off the async threads.
pub(crate) async fn blocking<T, F>(work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => Err(io::Error::other(stopped)),
    }
}

/// A reader's bytes, hashed and counted as they pass, and an error once there are more than allowed.
pub(crate) struct Metered<R> {
    pub(crate) inner: R,
    pub(crate) hasher: Hasher,
    pub(crate) left_bytes: u64,
    /// Set when it was the allowance that ended the reading.
    pub(crate) spent: bool,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left_bytes.checked_sub(count as u64) {
            Some(left) => self.left_bytes = left,
            None => {
                self.spent = true;
                return Err(io::Error::other("more bytes than allowed"));
            }
        }
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_blob_is_found_and_removed_on_reading() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let digest = blobs.put(b"bytes").unwrap();
        assert_eq!(blobs.read(&digest).unwrap(), b"bytes");
        fs::write(blobs.path(&digest), b"bytez").unwrap();
        assert_eq!(blobs.read(&digest).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(!blobs.contains(&digest));
    }

    #[tokio::test]
    async fn unfinished_writes_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let mut writer = blobs.writer().unwrap();
        writer.write(b"half").await.unwrap();
        drop(writer);
        fs::write(blobs.tmp().join("left-by-a-crash"), b"x").unwrap();

        let blobs = Blobs::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(blobs.tmp()).unwrap().count(), 0);
        let mut writer = blobs.writer().unwrap();
        writer.write(b"who").await.unwrap();
        writer.write(b"le").await.unwrap();
        assert_eq!(writer.commit().await.unwrap(), Digest::of(b"whole"));
        assert_eq!(blobs.list().unwrap(), [(Digest::of(b"whole"), 5)]);
    }
}
