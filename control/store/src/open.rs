//! From a directory to a store that works: lock, check, read, start raft, become leader, catch up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openraft::SnapshotPolicy;
use redb::{Builder, Database, DatabaseError};

use crate::committer::{Committer, QUEUE_TXNS};
use crate::config::StoreConfig;
use crate::dir::DataDir;
use crate::disk::{self, DiskError, Loaded};
use crate::encryption::EncryptionError;
use crate::health::Health;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::raft::{LogCache, LogStore, Machine, NoPeers, Node, NodeId, Raft};
use crate::rebuild::{rebuild, replace, replacement};
use crate::record::Lift;
use crate::ring::{Limits, Ring};
use crate::store::{Parts, Store};
use crate::sweep::sweep;
use crate::vault::Vault;
use crate::writer::Writer;

/// Pages of the database kept in memory. Objects are read from it once, at start; after that it is the
/// upper part of the trees that is worth keeping, and what one transaction changes.
const DATABASE_CACHE_BYTES: usize = 2 << 20;

/// How long the only voter may take to elect itself and catch up with its log.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Entries that stay in the log behind a snapshot, for followers that are a little behind.
const ENTRIES_BEHIND_SNAPSHOT: u64 = 64;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it open.
    #[error("the data directory {} is in use by {holder}; stop it, or choose another directory", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Who uses it.
        holder: String,
    },
    /// A newer Coracle wrote it.
    #[error(
        "the data directory has format {found}, this version of Coracle reads formats up to {supported}; use the version that wrote it or a newer one"
    )]
    NewerVersion {
        /// What is there.
        found: u32,
        /// What can be read.
        supported: u32,
    },
    /// It belongs to another voter.
    #[error("the data directory belongs to node {found}, not to node {given}")]
    OtherNode {
        /// Whose it is.
        found: u64,
        /// Who tried to open it.
        given: u64,
    },
    /// What is there is not what a store writes.
    #[error("{} is damaged: {reason}; restore it from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something in it is encrypted, and no key that is there opens it.
    #[error("the store in {} is not opened: {object} cannot be decrypted: {reason}", path.display())]
    Unreadable {
        /// The data directory.
        path: PathBuf,
        /// The first object that can't be read.
        object: String,
        /// Which key it wants, and what to do.
        reason: String,
    },
    /// The file of keys can't be made.
    #[error("the store's keys: {0}")]
    Keys(#[from] EncryptionError),
    /// The file system refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it says.
        error: std::io::Error,
    },
    /// Raft did not start.
    #[error("the store did not become ready: {0}")]
    NotReady(String),
}

/// How the database file is opened: by its path, or in tests on top of a disk that fails.
pub(crate) type OpenFile = Box<dyn Fn(&Builder, &Path) -> Result<Database, DatabaseError> + Send>;

/// The ordinary way to open the database file. One that is not there is made under another name, and takes its place when it
/// is whole: redb writes the mark of its files last, and who is killed before that would leave what nobody can open.
pub(crate) fn by_path() -> OpenFile {
    Box::new(|builder, path| {
        if !path.try_exists()? {
            let new = replacement(path)?;
            drop(builder.create(&new)?);
            replace(&new, path)?;
        }
        builder.create(path)
    })
}

/// Opens the store of `config`.
pub(crate) async fn open(config: StoreConfig, lift: Arc<dyn Lift>, open_file: OpenFile) -> Result<Store, OpenError> {
    let vault = Arc::new(Vault::new(config.encryption.clone()));
    let (dir, db, loaded) = {
        let path = config.dir.clone();
        let (config, lift, vault) = (config.clone(), lift.clone(), vault.clone());
        let read = tokio::task::spawn_blocking(move || read(&config, &lift, &vault, open_file));
        read.await.unwrap_or_else(|panic| {
            // The database asserts what it believes about its own file.
            Err(OpenError::Corrupt { path: path.clone(), reason: panic.to_string() })
        })?
    };
    let health = Arc::new(Health::new(&config.dir, config.min_free_bytes));
    let metrics = Metrics::default();
    let (writer, thread) = Writer::start(db.clone(), vault.clone(), health.clone(), metrics.clone())
        .map_err(|error| OpenError::Io { path: config.dir.clone(), error })?;

    let cache = Arc::new(LogCache::default());
    let log = LogStore::new(db, writer.clone(), cache.clone(), &loaded);
    let Loaded { applied, state, .. } = loaded;
    let state = Arc::new(state);
    let memory = Arc::new(Memory::new(state.clone()));
    let limits = Limits { events: config.history_events, bytes: config.history_bytes, age: config.history_age };
    let ring = Arc::new(Ring::new(limits, state));
    let shared = (memory.clone(), ring.clone());
    let machine = Machine::new(lift, applied, shared, cache, writer.clone(), metrics.clone());
    let raft = start_raft(&config, log, machine).await.map_err(OpenError::NotReady)?;

    let (queue, waiting) = tokio::sync::mpsc::channel(QUEUE_TXNS);
    let committer = Committer::new(raft.clone(), waiting, config.max_batch, health.clone(), metrics.clone());
    let committer = tokio::spawn(committer.run());
    let herald = {
        let ring = ring.clone();
        tokio::spawn(async move { ring.herald().await })
    };
    let sweep = tokio::spawn(sweep(vault.clone(), writer.clone(), raft.clone()));
    Ok(Store::new(Parts {
        config,
        dir,
        memory,
        ring,
        raft,
        queue,
        health,
        metrics,
        vault,
        writer,
        thread,
        committer,
        herald,
        sweep,
    }))
}

/// The blocking part: everything that is read from disk.
fn read(
    config: &StoreConfig,
    lift: &Arc<dyn Lift>,
    vault: &Vault,
    open_file: OpenFile,
) -> Result<(DataDir, Arc<Database>, Loaded), OpenError> {
    let mut dir = DataDir::open(&config.dir)?;
    let path = dir.database();
    let disk_error = |error: DiskError| {
        if error.is_corruption() {
            return OpenError::Corrupt { path: path.clone(), reason: error.to_string() };
        }
        let error = match error {
            DiskError::Redb(redb::Error::Io(error)) => error,
            DiskError::Unreadable { object, why } => {
                return OpenError::Unreadable { path: config.dir.clone(), object, reason: why.to_string() };
            }
            error => std::io::Error::other(error),
        };
        OpenError::Io { path: path.clone(), error }
    };
    let mut builder = Builder::new();
    builder.set_cache_size(DATABASE_CACHE_BYTES);
    let open_database = || {
        open_file(&builder, &path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                OpenError::InUse { path: config.dir.clone(), holder: "another process".into() }
            }
            error => disk_error(error.into()),
        })
    };
    let mut db = open_database()?;
    let owner = disk::prepare(&db, config.node_id).map_err(disk_error)?;
    if owner != config.node_id {
        return Err(OpenError::OtherNode { found: owner, given: config.node_id });
    }
    let loaded = disk::load(&db, lift, vault).map_err(disk_error)?;
    // All that is encrypted can be read, so new keys, if these are new, lock nobody out of anything.
    config.encryption.persist()?;
    if config.encryption.encrypts() && (dir.is_plain() || loaded.plain) {
        if loaded.last.is_some() {
            tracing::info!("the store was not encrypted: writing it anew");
            rebuild(db, &builder, &path, vault).map_err(disk_error)?;
            db = open_database()?;
        }
        dir.may_be_encrypted()?;
    }
    Ok((dir, Arc::new(db), loaded))
}

/// Starts raft, forms the cluster of one if there is none yet, and waits until every entry of the log that
/// was there is applied.
async fn start_raft(config: &StoreConfig, log: LogStore, machine: Machine) -> Result<Raft, String> {
    let settings = openraft::Config {
        cluster_name: "coracle".into(),
        // One voter has nobody to hear from and nobody to tell: it elects itself when told to, once.
        enable_heartbeat: false,
        enable_elect: false,
        enable_tick: false,
        heartbeat_interval: 500,
        election_timeout_min: 1_000,
        election_timeout_max: 2_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_entries.max(1)),
        max_in_snapshot_log_to_keep: ENTRIES_BEHIND_SNAPSHOT,
        ..openraft::Config::default()
    };
    let settings = Arc::new(settings.validate().map_err(|error| error.to_string())?);
    let id = config.node_id;
    let raft = Raft::new(id, settings, NoPeers, log, machine).await.map_err(|error| error.to_string())?;
    if !raft.is_initialized().await.map_err(|error| error.to_string())? {
        let members = std::collections::BTreeMap::<NodeId, Node>::from([(id, Node::default())]);
        raft.initialize(members).await.map_err(|error| error.to_string())?;
    } else if raft.current_leader().await != Some(id) {
        raft.trigger().elect().await.map_err(|error| error.to_string())?;
    }
    let leads = raft.wait(Some(READY_TIMEOUT)).current_leader(id, "the only voter leads").await;
    leads.map_err(|error| error.to_string())?;
    raft.ensure_linearizable().await.map_err(|error| error.to_string())?;
    Ok(raft)
}

#[cfg(test)]
mod tests;
