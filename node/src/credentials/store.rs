//! Certificates and keys on disk, where and as kubelet keeps them (`client-go/util/certificate`):
//! `kubelet-client-DATE.pem` holds a certificate and its key, `kubelet-client-current.pem` links to the newest.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rcgen::KeyPair;

use super::{CredentialError, Pair};
use crate::files::write_atomic_with_mode;

/// Pairs that are kept: the current one, and what was before it for whoever has to find out something.
const KEPT: usize = 5;
/// The most that such a file may have; a certificate and a key have a hundredth of it.
const FILE_BYTES: u64 = 256 << 10;
/// The mode of whatever has a key in it.
const PRIVATE: u32 = 0o600;
/// How dates are written into names.
const DATE: &str = "%Y-%m-%d-%H-%M-%S";
/// The length of one.
const DATE_LENGTH: usize = 19;

/// The pairs of one purpose.
#[derive(Debug, Clone)]
pub struct PairStore {
    directory: PathBuf,
    prefix: &'static str,
}

impl PairStore {
    /// The pairs by which the node speaks to the API server.
    pub fn client(directory: &Path) -> PairStore {
        PairStore { directory: directory.to_owned(), prefix: "kubelet-client" }
    }

    /// The pairs of the node's own port.
    pub fn serving(directory: &Path) -> PairStore {
        PairStore { directory: directory.to_owned(), prefix: "kubelet-server" }
    }

    /// Where the newest pair is found.
    pub fn current_path(&self) -> PathBuf {
        self.path("current")
    }

    fn path(&self, which: &str) -> PathBuf {
        self.directory.join(format!("{}-{which}.pem", self.prefix))
    }

    fn pending_path(&self) -> PathBuf {
        self.directory.join(format!("{}.key.tmp", self.prefix))
    }

    /// The newest pair. One that can't be used is as good as none: the log says why.
    pub fn current(&self) -> Option<Pair> {
        let path = self.current_path();
        let read = match read(&path) {
            // A change that was interrupted: what it had made ready counts.
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::rename(self.path("updated"), &path) {
                Ok(()) => read(&path),
                Err(_) => return None,
            },
            read => read,
        };
        let pair = read.map_err(|error| error.to_string()).and_then(|text| Pair::new(&text, &text));
        pair.inspect_err(|why| tracing::warn!(path = %path.display(), why, "a certificate cannot be used")).ok()
    }

    /// Keeps a pair: from now on it is the current one.
    ///
    /// # Errors
    /// When it can't be written, or somebody's own file is in the way.
    pub fn update(&self, pair: &Pair, now: Timestamp) -> Result<(), CredentialError> {
        let current = self.current_path();
        if fs::symlink_metadata(&current).is_ok_and(|found| !found.is_symlink()) {
            return Err(CredentialError::NoLink(current));
        }
        self.prepare()?;
        let path = self.path(&now.strftime(DATE).to_string());
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CredentialError::Write { path, source }
        };
        write_atomic_with_mode(&path, pair.pem().as_bytes(), PRIVATE).map_err(failed(&path))?;
        let updated = self.path("updated");
        match fs::remove_file(&updated) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&updated)(error)),
            _ => {}
        }
        let target = path.file_name().unwrap_or(path.as_os_str());
        std::os::unix::fs::symlink(target, &updated).map_err(failed(&updated))?;
        fs::rename(&updated, &current).map_err(failed(&current))?;
        self.prune();
        Ok(())
    }

    /// The key of the request that has not been answered; a new one if there is none. It stays until the answer is kept,
    /// so that a node that starts again asks nothing twice.
    ///
    /// # Errors
    /// When it can't be made or written.
    pub fn pending_key(&self) -> Result<KeyPair, CredentialError> {
        let path = self.pending_path();
        if let Ok(text) = read(&path)
            && let Ok(key) = KeyPair::from_pem(&text)
        {
            return Ok(key);
        }
        self.prepare()?;
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        write_atomic_with_mode(&path, key.serialize_pem().as_bytes(), PRIVATE)
            .map_err(|source| CredentialError::Write { path, source })?;
        Ok(key)
    }

    /// The request has had its answer.
    pub fn forget_pending(&self) {
        let path = self.pending_path();
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a key that is not needed any more cannot be removed");
        }
    }

    /// The directory, for its owner only.
    fn prepare(&self) -> Result<(), CredentialError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|source| CredentialError::Write { path: self.directory.clone(), source })
    }

    /// Removes old pairs, never the current one.
    fn prune(&self) {
        let current = fs::read_link(self.current_path()).unwrap_or_default();
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut dated: Vec<String> = names.filter(|name| self.is_dated(name)).collect();
        dated.sort();
        dated.truncate(dated.len().saturating_sub(KEPT));
        for name in dated.into_iter().filter(|name| current.file_name() != Some(name.as_ref())) {
            let _ = fs::remove_file(self.directory.join(name));
        }
    }

    fn is_dated(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('-'));
        let date = rest.and_then(|rest| rest.strip_suffix(".pem")).unwrap_or_default();
        date.len() == DATE_LENGTH && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    }
}

fn read(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, time::Duration};

    use super::{super::test_authority::Authority, *};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_pair_is_the_current_one_and_old_ones_go() {
        let directory = tempfile::tempdir().unwrap();
        let pki = directory.path().join("pki");
        let (store, authority) = (PairStore::client(&pki), Authority::new());
        assert!(store.current().is_none());
        for second in 0..8 {
            let pair = authority.pair("system:node:n1", HOUR);
            store.update(&pair, at(second)).unwrap();
            assert_eq!(store.current().unwrap().pem(), pair.pem());
        }
        let names = names(&pki);
        assert_eq!(names.len(), KEPT + 1, "{names:?}");
        assert_eq!(names[KEPT - 1], "kubelet-client-2027-01-15-08-00-07.pem");
        assert_eq!(fs::read_link(store.current_path()).unwrap().to_str().unwrap(), names[KEPT - 1]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&pki), mode(&store.current_path())), (0o700, 0o600));
    }

    #[test]
    fn two_purposes_share_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (client, serving) = (PairStore::client(directory.path()), PairStore::serving(directory.path()));
        client.update(&authority.pair("system:node:n1", HOUR), at(0)).unwrap();
        assert!(serving.current().is_none());
        serving.update(&authority.pair("system:node:n1", HOUR), at(0)).unwrap();
        assert_ne!(client.current().unwrap().pem(), serving.current().unwrap().pem());
        assert!(!client.is_dated("kubelet-server-2027-01-15-08-00-00.pem"));
        assert!(!client.is_dated("kubelet-client-current.pem"));
    }

    #[test]
    fn what_was_interrupted_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let (store, authority) = (PairStore::client(directory.path()), Authority::new());
        let pair = authority.pair("system:node:n1", HOUR);
        store.update(&pair, at(0)).unwrap();
        fs::rename(store.current_path(), store.path("updated")).unwrap();
        assert_eq!(store.current().unwrap().pem(), pair.pem());
        // And a link that was made ready for nothing is in nobody's way.
        std::os::unix::fs::symlink("nowhere", store.path("updated")).unwrap();
        let next = authority.pair("system:node:n1", HOUR);
        store.update(&next, at(1)).unwrap();
        assert_eq!(store.current().unwrap().pem(), next.pem());
    }

    #[test]
    fn a_damaged_pair_is_none_and_a_file_of_somebodys_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (store, authority) = (PairStore::client(directory.path()), Authority::new());
        fs::write(store.current_path(), "half of a certif").unwrap();
        assert!(store.current().is_none());
        let refused = store.update(&authority.pair("system:node:n1", HOUR), at(0)).unwrap_err();
        assert!(matches!(&refused, CredentialError::NoLink(path) if *path == store.current_path()), "{refused}");
        assert_eq!(fs::read_to_string(store.current_path()).unwrap(), "half of a certif");
        fs::write(store.current_path(), [0xff; 64]).unwrap();
        assert!(store.current().is_none());
    }

    #[test]
    fn a_key_waits_for_its_answer() {
        let directory = tempfile::tempdir().unwrap();
        let store = PairStore::client(directory.path());
        let key = store.pending_key().unwrap().serialize_pem();
        assert_eq!(store.pending_key().unwrap().serialize_pem(), key);
        assert_eq!(names(directory.path()), ["kubelet-client.key.tmp"]);
        let mode = fs::metadata(store.pending_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        store.forget_pending();
        store.forget_pending();
        assert_ne!(store.pending_key().unwrap().serialize_pem(), key);
    }
}
