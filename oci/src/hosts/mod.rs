//! Registry configuration in containerd's form: a directory with `HOST[:PORT]/hosts.toml` for each registry that is not
//! to be asked the usual way, and `_default` for all others.
//!
//! Files are read for every pull, as containerd does: a change counts at once.

mod file;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::registries::Endpoint;

/// The directory whose file is for registries that have none.
const DEFAULT: &str = "_default";
const FILE: &str = "hosts.toml";
/// Bytes of a file; a list of mirrors is not longer.
const FILE_BYTES: u64 = 256 << 10;
/// Certificates beside each other in Docker's form.
const CERTIFICATES_LIMIT: usize = 64;

/// Why a registry's configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}", path = .path.display())]
pub struct HostsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl HostsError {
    fn new(path: &Path, why: impl ToString) -> HostsError {
        HostsError { path: path.to_owned(), why: why.to_string() }
    }
}

/// Certificates that a host is trusted by, and those that we show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HostTls {
    /// PEM bundles.
    pub(crate) roots: Vec<Vec<u8>>,
    /// Certificate and key, PEM, one after the other.
    pub(crate) identity: Option<Vec<u8>>,
    /// Whatever it shows is believed.
    pub(crate) skip_verify: bool,
}

/// The endpoints that a directory has for a registry; None if it says nothing about it.
pub(crate) fn endpoints(root: &Path, registry: &str) -> Result<Option<Vec<Endpoint>>, HostsError> {
    let Some(dir) = candidates(registry).into_iter().map(|name| root.join(name)).find(|dir| dir.is_dir()) else {
        return Ok(None);
    };
    let path = dir.join(FILE);
    match read(&path) {
        Ok(text) => file::parse(&text, &path, registry).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => docker_certificates(&dir, registry).map(Some),
        Err(error) => Err(HostsError::new(&path, error)),
    }
}

/// Names of the directory, in containerd's order.
fn candidates(registry: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some((host, port)) = registry.rsplit_once(':') {
        names.push(format!("{host}_{port}_"));
    }
    names.extend([registry.to_owned(), DEFAULT.to_owned()]);
    // A reference has no slash or dot-dot in its registry; nothing else comes from outside.
    names.retain(|name| !name.contains('/') && !name.contains(".."));
    names
}

fn read(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if metadata.len() > FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES} bytes")));
    }
    fs::read_to_string(path)
}

/// A file that the configuration names, relative to the configuration's own place.
fn read_named(dir: &Path, name: &str) -> Result<Vec<u8>, HostsError> {
    let path = dir.join(name);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.len() > FILE_BYTES => {
            Err(HostsError::new(&path, format!("it is larger than {FILE_BYTES} bytes")))
        }
        _ => fs::read(&path).map_err(|error| HostsError::new(&path, error)),
    }
}

/// Docker's older form: `*.crt` are trusted, `NAME.cert` with `NAME.key` is what we show.
fn docker_certificates(dir: &Path, registry: &str) -> Result<Vec<Endpoint>, HostsError> {
    let mut endpoint = Endpoint::usual(registry);
    let mut tls = HostTls::default();
    let entries = fs::read_dir(dir).map_err(|error| HostsError::new(dir, error))?;
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).take(CERTIFICATES_LIMIT).collect();
    names.sort();
    for name in names {
        if name.ends_with(".crt") {
            tls.roots.push(read_named(dir, &name)?);
        } else if let Some(pair) = name.strip_suffix(".cert") {
            let key = read_named(dir, &format!("{pair}.key"))?;
            tls.identity = Some([read_named(dir, &name)?, b"\n".to_vec(), key].concat());
        }
    }
    if tls != HostTls::default() {
        endpoint.tls = Some(tls.into());
        // Who has certificates uses them, on the loopback too.
        endpoint.plain_http = false;
    }
    Ok(vec![endpoint])
}
