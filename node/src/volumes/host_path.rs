//! `hostPath`: what `type` asks of a path of the node (API reference, HostPathVolumeSource).

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::error::VolumeError;

/// Checks the path, and makes it where its type says so. Without a type nothing is checked; a missing directory is
/// made, as container runtimes do.
pub fn set_up(path: &str, kind: &str) -> Result<(), VolumeError> {
    let at = Path::new(path);
    let failed = |source| VolumeError::Io { path: at.to_owned(), source };
    match kind {
        "DirectoryOrCreate" | "" if !at.exists() => make_directory(at).map_err(failed)?,
        "FileOrCreate" if !at.exists() => make_file(at).map_err(failed)?,
        _ => {}
    }
    check(at, kind)
}

fn check(path: &Path, kind: &str) -> Result<(), VolumeError> {
    let found = fs::metadata(path).map(|metadata| metadata.file_type());
    let is = |test: fn(&fs::FileType) -> bool| found.as_ref().is_ok_and(test);
    let (fits, expected) = match kind {
        "" => return Ok(()),
        "Directory" | "DirectoryOrCreate" => (is(fs::FileType::is_dir), "directory"),
        "File" | "FileOrCreate" => (is(fs::FileType::is_file), "file"),
        "Socket" => (is(FileTypeExt::is_socket), "socket file"),
        "CharDevice" => (is(FileTypeExt::is_char_device), "character device"),
        "BlockDevice" => (is(FileTypeExt::is_block_device), "block device"),
        other => return Err(VolumeError::HostPathType(other.to_owned())),
    };
    if fits { Ok(()) } else { Err(VolumeError::HostPath { path: path.display().to_string(), expected }) }
}

fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn make_file(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_checked_in_kubelets_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        fs::write(path("file"), b"").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for (name, kind) in [
            ("any/where", ""),
            ("made", "DirectoryOrCreate"),
            ("made", "Directory"),
            ("new", "FileOrCreate"),
            ("new", "File"),
            ("socket", "Socket"),
        ] {
            set_up(&path(name), kind).unwrap();
        }
        set_up("/dev/null", "CharDevice").unwrap();
        for (name, kind, what) in [
            ("file", "Directory", "directory"),
            ("file", "DirectoryOrCreate", "directory"),
            ("none", "Directory", "directory"),
            ("made", "File", "file"),
            ("made", "FileOrCreate", "file"),
            ("file", "Socket", "socket file"),
            ("file", "CharDevice", "character device"),
            ("file", "BlockDevice", "block device"),
        ] {
            let error = set_up(&path(name), kind).unwrap_err().to_string();
            assert_eq!(error, format!("hostPath type check failed: {} is not a {what}", path(name)));
        }
        assert_eq!(set_up(&path("file"), "Disk").unwrap_err().to_string(), "Disk is an invalid volume type");
    }
}
