use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::*;
use crate::testing::{lift, pod, put};
use crate::{CommitError, Expect, Scope, Txn};

/// A file that fails all writes when told to, as a full or dying disk does.
#[derive(Debug)]
struct FailingFile {
    file: FileBackend,
    fails: Arc<AtomicBool>,
}

impl FailingFile {
    fn check(&self) -> io::Result<()> {
        if self.fails.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: std::ops::Bound<u64>, end: std::ops::Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }
}

async fn open_failing(dir: &Path, fails: &Arc<AtomicBool>) -> Store {
    let fails = fails.clone();
    let open_file: OpenFile = Box::new(move |builder, path| {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        builder.create_with_backend(FailingFile { file: FileBackend::new(file)?, fails: fails.clone() })
    });
    open(StoreConfig::new(dir), lift(), open_file).await.expect("the store opens")
}

#[tokio::test]
async fn a_file_that_was_not_finished_is_made_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let new = dir.path().join("store.new");
    std::fs::write(&new, vec![0; 4096]).expect("half a file");
    let store = open(StoreConfig::new(dir.path()), lift(), by_path()).await.expect("opens");
    store.commit(put("a", "x", "n1")).await.expect("commits");
    store.shutdown().await.expect("in order");
    drop(store);
    assert!(!new.exists() && dir.path().join("store.redb").exists());
    let store = crate::testing::open(dir.path()).await;
    assert!(store.get(&pod("a", "x")).is_some());
    store.shutdown().await.expect("in order");
}

#[tokio::test]
async fn a_failing_disk_stops_writes_and_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let fails = Arc::new(AtomicBool::new(false));
    let store = open_failing(dir.path(), &fails).await;
    for number in 0..20 {
        store.commit(put("a", &format!("p{number}"), "n1")).await.expect("commits");
    }
    fails.store(true, Ordering::SeqCst);
    for attempt in 0..3 {
        match store.commit(put("a", "lost", "n1")).await {
            Err(CommitError::Unavailable(reason)) => assert!(reason.contains("data directory"), "{attempt}: {reason}"),
            other => panic!("{attempt}: {other:?}"),
        }
    }
    assert!(store.healthy().is_err());
    assert_eq!(store.list(&Scope::all("pods")).len(), 20, "reads go on");
    assert!(store.get(&pod("a", "p3")).is_some());
    store.shutdown().await.expect_err("the last write fails too");
    drop(store);

    fails.store(false, Ordering::SeqCst);
    let store = crate::testing::open(dir.path()).await;
    let found = store.list(&Scope::all("pods"));
    assert!((0..20).all(|number| store.get(&pod("a", &format!("p{number}"))).is_some()));
    assert!(found.len() <= 21, "an unacknowledged write may be there, nothing else");
    store.commit(put("a", "again", "n1")).await.expect("commits");
    store.shutdown().await.expect("in order");
}

#[tokio::test]
async fn writes_wait_for_space_and_go_on_when_there_is_some() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = StoreConfig { min_free_bytes: u64::MAX, ..StoreConfig::new(dir.path()) };
    let store = open(config, lift(), by_path()).await.expect("opens");
    match store.commit(put("a", "x", "n1")).await {
        Err(CommitError::Unavailable(reason)) => assert!(reason.starts_with("no space left on device"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(store.healthy().is_err());
    store.shutdown().await.expect("in order");
    let store = crate::testing::open(dir.path()).await;
    store.commit(put("a", "x", "n1")).await.expect("commits");
    assert!(store.healthy().is_ok());
    store.shutdown().await.expect("in order");
}

#[tokio::test]
async fn the_log_is_purged_and_the_file_stays_small() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = StoreConfig { snapshot_entries: 100, ..StoreConfig::new(dir.path()) };
    let store = open(config, lift(), by_path()).await.expect("opens");
    for round in 0..1_000 {
        store.commit(put("a", &format!("p{}", round % 10), &"n".repeat(2_000))).await.expect("commits");
    }
    store.shutdown().await.expect("in order");
    drop(store);
    let path = dir.path().join("store.redb");
    let length = std::fs::metadata(&path).expect("the file").len();
    assert!(length < 8 << 20, "{length} bytes for ten objects");
    let db = Builder::new().open(&path).expect("the database");
    let entries = disk::read_log(&db, &Vault::default(), 0, u64::MAX).expect("the log").len() as u64;
    assert!(entries <= 100 + 2 * ENTRIES_BEHIND_SNAPSHOT, "{entries} entries left");
    drop(db);
    let store = crate::testing::open(dir.path()).await;
    assert_eq!((store.list(&Scope::all("pods")).len(), store.revision()), (10, 1_001));
    store.commit(Txn::delete(pod("a", "p1"), Expect::Any, None)).await.expect("commits");
    store.shutdown().await.expect("in order");
}
