//! Wasm files that a user names, read within the limit for modules.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, bail};
use coracle_oci::Limits;

/// The bytes of a module or component, or of its text.
///
/// # Errors
/// The path leads nowhere, to a directory, or to more bytes than a module may have. The length is counted while
/// reading, because a device or a pipe does not announce one.
pub fn read_wasm(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_up_to(path, Limits::default().module_bytes)
}

fn read_up_to(path: &Path, limit_bytes: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    if path.is_dir() {
        bail!("{shown} is a directory; name a .wasm or .wat file in it");
    }
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() as u64 > limit_bytes {
        bail!("{shown} is too large: a module or component may have {limit_bytes} bytes");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_within_the_limit_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wasm");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read_up_to(&path, 5).unwrap(), b"12345");
        let error = read_up_to(&path, 4).unwrap_err().to_string();
        assert!(error.ends_with("is too large: a module or component may have 4 bytes"), "{error}");
        assert!(read_up_to(directory.path(), 5).unwrap_err().to_string().contains("is a directory"));
        assert!(read_up_to(Path::new("/dev/zero"), 1000).is_err());
        let missing = format!("{:#}", read_wasm(&directory.path().join("none")).unwrap_err());
        assert!(missing.contains("No such file or directory"), "{missing}");
    }
}
