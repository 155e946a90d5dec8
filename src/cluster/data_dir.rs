//! The directory that holds everything of a cluster, and the lock that keeps a second process out.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use coracle_server::pki::write_private;

/// What this version writes. A directory that says a higher number was written by a newer Coracle.
const LAYOUT_VERSION: u32 = 1;

/// A data directory that this process has for itself.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Opens the directory, making it on first use (readable by its owner only), and locks it.
    pub fn open(root: PathBuf) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&root)
            .with_context(|| format!("cannot create the data directory {}", root.display()))?;
        let lock = lock(&root)?;
        check_version(&root)?;
        Ok(Self { root, _lock: lock })
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn lock(root: &Path) -> anyhow::Result<File> {
    let path = root.join("lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let mut file = options.open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "the data directory {} is in use by process {}; stop it, or choose another one with --data-dir",
                root.display(),
                holder.trim()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn check_version(root: &Path) -> anyhow::Result<()> {
    let path = root.join("version");
    let found = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(write_private(&path, &format!("{LAYOUT_VERSION}\n"))?);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    match found.trim().parse::<u32>() {
        Ok(version) if version <= LAYOUT_VERSION => Ok(()),
        Ok(version) => bail!(
            "the data directory {} was written by a newer version of coracle (layout {version}, this one reads up to \
             {LAYOUT_VERSION}); use that version, or choose another directory with --data-dir",
            root.display()
        ),
        Err(_) => bail!("{} should hold a number, not {:?}; is this a data directory?", path.display(), found.trim()),
    }
}

/// Where a cluster lives when nobody says otherwise.
pub fn default_data_dir() -> PathBuf {
    if is_root() {
        return "/var/lib/coracle".into();
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home);
    base.unwrap_or_else(|| ".".into()).join("coracle")
}

/// Whether this process may change routes and use privileged places.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_directory() {
        let temporary = tempfile::tempdir().unwrap();
        let _first = DataDir::open(temporary.path().to_path_buf()).unwrap();
        let error = DataDir::open(temporary.path().to_path_buf()).unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
    }

    #[test]
    fn a_directory_of_a_newer_version_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::write(temporary.path().join("version"), "99\n").unwrap();
        let error = DataDir::open(temporary.path().to_path_buf()).unwrap_err().to_string();
        assert!(error.contains("newer version of coracle (layout 99"), "{error}");
    }
}
