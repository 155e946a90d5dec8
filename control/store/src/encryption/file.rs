//! Where the keys are: a file that an operator names, or one that is made at the first start and lies beside the data, in
//! a directory of its own, so that a backup of the data need not have it.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cipher::random;
use super::{Encryption, EncryptionError, config};

/// Far above what any number of keys takes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Permissions that somebody else than the owner has.
const OTHERS: u32 = 0o077;

/// Where a configuration comes from.
#[derive(Default)]
pub(super) enum Source {
    /// There is none.
    #[default]
    Nowhere,
    /// This file.
    File(PathBuf),
    /// It was made up just now, and becomes this file when a store opens that needs no other key.
    Invented { path: PathBuf, text: String, written: AtomicBool },
}

impl Source {
    /// Whether nothing can have been written with these keys yet.
    pub(super) fn is_invented(&self) -> bool {
        matches!(self, Self::Invented { written, .. } if !written.load(Ordering::Acquire))
    }

    /// The file that should be there, if it is not.
    pub(super) fn missing_file(&self) -> Option<&Path> {
        match self {
            Self::Invented { path, .. } if self.is_invented() => Some(path),
            _ => None,
        }
    }

    /// Makes what was made up last.
    pub(super) fn persist(&self) -> Result<(), EncryptionError> {
        let Self::Invented { path, text, written } = self else { return Ok(()) };
        if !written.load(Ordering::Acquire) {
            write(path, text).map_err(|error| EncryptionError::Io { path: path.clone(), error })?;
            written.store(true, Ordering::Release);
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("the configuration, in which nothing is encrypted,"),
            Self::File(path) | Self::Invented { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

/// Reads the configuration at `path`.
pub(super) fn read(path: &Path) -> Result<Encryption, EncryptionError> {
    let text = read_text(path).map_err(|error| EncryptionError::Io { path: path.to_owned(), error })?;
    config::parse(&text, path)
}

/// Reads the configuration at `path`, or makes one up for Secrets.
pub(super) fn read_or_invent(path: &Path) -> Result<Encryption, EncryptionError> {
    match read(path) {
        Err(EncryptionError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            let text = invent().ok_or(EncryptionError::NoRandomness)?;
            let encryption = config::parse(&text, path)?;
            let source = Source::Invented { path: path.to_owned(), text, written: AtomicBool::new(false) };
            Ok(Encryption { source, ..encryption })
        }
        result => result,
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it has more than {MAX_FILE_BYTES} bytes")));
    }
    if metadata.mode() & OTHERS != 0 {
        tracing::warn!(path = %path.display(), "the keys of the store can be read by others than their owner: chmod 600");
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// The configuration of a cluster whose operator has said nothing: one key, for Secrets.
fn invent() -> Option<String> {
    let secret = STANDARD.encode(random::<32>()?);
    Some(format!(
        "\
# The keys that Secrets are encrypted with in this cluster's store. Nobody can read the store without this file: keep a
# copy, but not beside copies of the store.
#
# To change keys, put a new one in front of the others (head -c 32 /dev/urandom | base64) and start the cluster again.
# It encrypts everything anew in the background, and says so in its log; then the old key may go.
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources:
  - secrets
  providers:
  - aesgcm:
      keys:
      - name: key1
        secret: {secret}
  # Reads what was stored before there was a key.
  - identity: {{}}
"
    ))
}

/// Written under another name first: the file is there completely or not at all, and durable before it is used.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let new = path.with_extension("new");
    // A file of this name is what an earlier start did not finish; nothing was encrypted with it.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(dir)?.sync_all()?;
    // The directory itself may be new, too.
    match dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
