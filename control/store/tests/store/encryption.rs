//! Encryption at rest, looked at from outside: by what is in the files, and by which keys open them.

mod hiding;
mod refusing;
mod rotating;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coracle_store::{Encryption, Expect, Key, Object, OpenError, Scope, Store, StoreConfig, Txn};

use super::NoLift;

/// What is looked for in the files. Nothing else of the store contains it.
const PLAIN: &str = "correct-horse-battery-staple";
/// The same in base64, as Secrets have it.
const BASE64: &str = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ";

/// How long background work may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory as `coracle up` has it: the store, and beside it the keys.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a directory") }
    }

    fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn keys(&self) -> PathBuf {
        self.root.path().join("keys/encryption.yaml")
    }

    async fn try_open(&self, encryption: Encryption) -> Result<Store, OpenError> {
        // Small, so that there are snapshots and purges.
        let config =
            StoreConfig { encryption: Arc::new(encryption), snapshot_entries: 20, ..StoreConfig::new(self.store()) };
        Store::open(config, Arc::new(NoLift)).await
    }

    async fn open(&self, encryption: Encryption) -> Store {
        self.try_open(encryption).await.expect("the store opens")
    }

    /// With keys of its own, which are made if need be.
    async fn open_usual(&self) -> Store {
        self.open(Encryption::kept_in(&self.keys()).expect("keys")).await
    }

    async fn refused(&self, encryption: Encryption) -> String {
        let error = self.try_open(encryption).await.map(drop).expect_err("it is refused");
        assert!(matches!(error, OpenError::Unreadable { .. }), "{error:?}");
        error.to_string()
    }

    /// What a crash would leave at this moment.
    fn copy(&self) -> Self {
        let copy = Self::new();
        fs::create_dir(copy.store()).expect("a directory");
        for name in ["format", "store.redb"] {
            fs::copy(self.store().join(name), copy.store().join(name)).expect("copies");
        }
        copy
    }

    /// Whether a file of the store contains `text`.
    fn shows(&self, text: &str) -> bool {
        let files = fs::read_dir(self.store()).expect("a directory");
        let mut files = files.map(|entry| fs::read(entry.expect("an entry").path()).expect("reads"));
        files.any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    }

    fn assert_hidden(&self, when: &str) {
        assert!(!self.shows(PLAIN) && !self.shows(BASE64), "a Secret can be read {when}");
    }
}

fn keys(providers: &[(&str, &str, char)]) -> Encryption {
    let provider = |(cipher, name, letter): &(&str, &str, char)| {
        // 32 bytes in base64, whatever the letter is.
        let secret = letter.to_string().repeat(42) + "A=";
        format!("  - {cipher}: {{keys: [{{name: {name}, secret: {secret}}}]}}\n")
    };
    let providers: String = providers.iter().map(provider).collect();
    let text = format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  \
         providers:\n{providers}  - identity: {{}}\n"
    );
    Encryption::from_yaml(&text, Path::new("given.yaml")).expect("a configuration")
}

const FIRST: (&str, &str, char) = ("aesgcm", "key1", 'a');
const SECOND: (&str, &str, char) = ("secretbox", "key2", 'b');
const THIRD: (&str, &str, char) = ("aescbc", "key3", 'c');

fn key(resource: &str, name: &str) -> Key {
    Key::new(resource, "default", name)
}

fn object(name: &str, mark: &str) -> Object {
    let json = format!(
        r#"{{"metadata":{{"name":"{name}","annotations":{{"last":"{PLAIN}"}}}},"data":{{"password":"{BASE64}=="}},"mark":"{mark}"}}"#
    );
    Object::from_json(json.into_bytes()).expect("an object")
}

async fn put(store: &Store, name: &str, mark: &str) {
    store.commit(Txn::put(key("secrets", name), object(name, mark), Expect::Any)).await.expect("commits");
}

fn contents(store: &Store) -> Vec<(String, u64, Vec<u8>)> {
    let list = store.list(&Scope::all("secrets"));
    list.iter().map(|record| (record.key.to_string(), record.revision, record.json.to_vec())).collect()
}

async fn renewed(store: &Store) {
    let deadline = Instant::now() + PATIENCE;
    while store.needs_old_keys() {
        assert!(Instant::now() < deadline, "old keys are still needed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
