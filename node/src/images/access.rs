//! Who may use an image that is here without asking its registry: those whose credentials have brought it here once, and
//! everybody where none were needed (kubelet's `KubeletEnsureSecretPulledImages`). Nobody may use one that nothing is known of:
//! nothing but pulls brings images here, so its record was lost, and asking again makes another.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::files::write_atomic_with_mode;

/// Secrets remembered of one image in one repository (kubelet's limit too); the oldest go.
const SECRETS_LIMIT: usize = 100;
/// Only for the node's user: the hashes are of passwords, which may be weak.
const MODE: u32 = 0o600;

/// Credentials that came from a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullSecret {
    /// UID, namespace and name.
    pub object: [String; 3],
    /// Hash of the credentials.
    pub hash: String,
}

/// Who may use an image as one of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Allowed {
    /// The registry gave it to somebody without credentials.
    everybody: bool,
    secrets: Vec<PullSecret>,
}

/// By the image's digest and the repository's name.
type Records = BTreeMap<String, BTreeMap<String, Allowed>>;

/// What the node remembers of its pulls.
pub struct Access {
    file: PathBuf,
    records: Mutex<Records>,
    /// Held while the file is written, so that the newest records are what stays.
    writing: Mutex<()>,
}

impl Allowed {
    /// Whether one of these gives access: the same credentials, or the same Secret, whose credentials may be newer.
    fn fits(&self, mut secrets: impl Iterator<Item = PullSecret>) -> bool {
        let fits = |secret: PullSecret| {
            self.secrets.iter().any(|known| known.hash == secret.hash || known.object == secret.object)
        };
        self.everybody || secrets.any(fits)
    }

    fn add(&mut self, secret: Option<PullSecret>) {
        let Some(secret) = secret else {
            *self = Allowed { everybody: true, secrets: Vec::new() };
            return;
        };
        if self.everybody || self.secrets.contains(&secret) {
            return;
        }
        self.secrets.retain(|known| known.object != secret.object);
        if self.secrets.len() == SECRETS_LIMIT {
            self.secrets.remove(0);
        }
        self.secrets.push(secret);
    }
}

impl Access {
    /// Reads the records; without them every image is asked for again.
    pub fn open(file: &Path) -> Access {
        let records = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(file = %file.display(), %error, "the records of image pulls can't be read; registries are asked again");
                Records::new()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %file.display(), %error, "the records of image pulls can't be read; registries are asked again");
                }
                Records::new()
            }
        };
        Access { file: file.to_owned(), records: Mutex::new(records), writing: Mutex::default() }
    }

    /// Whether a pod with these secrets may use the image of this digest, as one of `repository`.
    pub fn allows(&self, repository: &str, digest: &str, secrets: impl Iterator<Item = PullSecret>) -> bool {
        let records = self.records.lock();
        records.get(digest).and_then(|image| image.get(repository)).is_some_and(|allowed| allowed.fits(secrets))
    }

    /// The registry has given the image for these credentials; for none: to everybody. Returns whether that is new; then
    /// [`Access::save`] is due.
    pub fn add(&self, repository: &str, digest: &str, secret: Option<PullSecret>) -> bool {
        let mut records = self.records.lock();
        let image = records.entry(digest.to_owned()).or_default();
        let allowed = image.entry(repository.to_owned()).or_default();
        let before = allowed.clone();
        allowed.add(secret);
        *allowed != before
    }

    /// Forgets images that are no longer here. `here` is called when no record can come, so that one of an image that
    /// has just come stays. Returns whether there were any.
    pub fn retain(&self, here: impl FnOnce() -> HashSet<String>) -> bool {
        let mut records = self.records.lock();
        let (here, before) = (here(), records.len());
        records.retain(|digest, _| here.contains(digest));
        records.len() < before
    }

    /// Writes the records down. Blocks on the disk.
    pub fn save(&self) {
        let _turn = self.writing.lock();
        let text = serde_json::to_vec(&*self.records.lock());
        let written = text.map_err(io::Error::other).and_then(|text| write_atomic_with_mode(&self.file, &text, MODE));
        if let Err(error) = written {
            tracing::warn!(file = %self.file.display(), %error, "the records of image pulls can't be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, hash: &str) -> PullSecret {
        PullSecret { object: ["u".into(), "ns".into(), name.into()], hash: hash.into() }
    }

    fn empty() -> (tempfile::TempDir, Access) {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::open(&dir.path().join("pulls.json"));
        (dir, access)
    }

    #[test]
    fn an_image_is_for_those_whose_credentials_brought_it() {
        let (_dir, access) = empty();
        let allows = |repository: &str, secrets: &[PullSecret]| access.allows(repository, "d", secrets.iter().cloned());
        assert!(!allows("shop/a", &[]), "nothing is known of it");
        assert!(access.add("shop/a", "d", Some(secret("one", "h1"))));
        assert!(!access.add("shop/a", "d", Some(secret("one", "h1"))), "that is known");
        assert!(!allows("shop/a", &[]) && !allows("shop/a", &[secret("two", "h2")]));
        assert!(allows("shop/a", &[secret("two", "h2"), secret("two", "h1")]), "the same credentials");
        assert!(allows("shop/a", &[secret("one", "h2")]), "the same Secret");
        assert!(!allows("shop/b", &[secret("one", "h1")]), "another repository may be another's");
        assert!(access.add("shop/a", "d", None));
        assert!(allows("shop/a", &[]) && !access.add("shop/a", "d", Some(secret("two", "h2"))));
    }

    #[test]
    fn the_newest_secrets_are_kept_and_one_only_once() {
        let (_dir, access) = empty();
        for count in 0..=SECRETS_LIMIT {
            access.add("a", "d", Some(secret(&format!("s{count}"), &format!("h{count}"))));
        }
        access.add("a", "d", Some(secret("s100", "new")));
        let secrets = access.records.lock()["d"]["a"].secrets.clone();
        assert_eq!((secrets.len(), &*secrets[0].hash, &*secrets[SECRETS_LIMIT - 1].hash), (SECRETS_LIMIT, "h1", "new"));
    }

    #[test]
    fn records_outlive_the_node_but_not_their_images() {
        let (dir, access) = empty();
        access.add("a", "d", None);
        access.add("a", "gone", None);
        assert!(
            access.retain(|| HashSet::from(["d".to_owned()])) && !access.retain(|| HashSet::from(["d".to_owned()]))
        );
        access.save();
        let file = dir.path().join("pulls.json");
        let again = Access::open(&file);
        assert!(again.allows("a", "d", std::iter::empty()) && !again.allows("a", "gone", std::iter::empty()));
        fs::write(&file, "{").unwrap();
        assert!(!Access::open(&file).allows("a", "d", std::iter::empty()));
    }
}
