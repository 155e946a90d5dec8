//! After a start with another first key: everything that is of an older form is encrypted anew, in the background, until
//! nothing on disk needs the old keys.
//!
//! Rows of objects are rewritten where they are, a few per transaction between those of writers: what they say stays the
//! same, so no revision is used and no watcher hears of it. Entries of the log are not touched; a snapshot makes them
//! superfluous, and all that it covers are purged, also those that are otherwise kept behind one.

use std::sync::Arc;
use std::time::Duration;

use openraft::metrics::Metric;

use crate::disk::DiskError;
use crate::raft::{LogId, Raft};
use crate::vault::Vault;
use crate::writer::{Job, Writer};

/// Rows in one transaction: what a writer may have to wait for.
const ROWS: usize = 32;

/// How long one snapshot or purge is waited for.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a snapshot is asked for: a request is lost while another one is being made.
const ATTEMPTS: usize = 6;

/// Encrypts anew what has to be. What fails is said in the log, and tried again at the next start.
pub(crate) async fn sweep(vault: Arc<Vault>, writer: Writer, raft: Raft) {
    if !vault.has_stale() {
        return;
    }
    tracing::info!(objects = vault.stale_rows(), "encrypting the store anew with the first keys of its configuration");
    let result = async {
        rows(&vault, &writer).await.map_err(|error| error.to_string())?;
        log(&vault, &writer, &raft).await
    };
    match (result.await, vault.stale_rows()) {
        (Ok(()), 0) => {
            tracing::info!("everything in the store is encrypted as configured; only the first keys are still needed");
        }
        (Ok(()), left) => {
            tracing::error!(objects = left, "some objects could not be encrypted anew; keep the old keys")
        }
        (Err(error), _) => tracing::warn!(error, "the store is not encrypted anew yet; keep the old keys"),
    }
}

async fn rows(vault: &Vault, writer: &Writer) -> Result<(), DiskError> {
    let mut last = None;
    loop {
        let keys = vault.stale_after(last.as_ref(), ROWS);
        let Some(next) = keys.last().cloned() else { return Ok(()) };
        writer.done(|reply| Job::Reseal { keys, reply }).await?;
        last = Some(next);
    }
}

/// Everything that was logged before the store opened has been applied since.
async fn log(vault: &Vault, writer: &Writer, raft: &Raft) -> Result<(), String> {
    let Some(target) = raft.metrics().borrow().last_applied else { return Ok(()) };
    snapshot(raft, target).await?;
    raft.trigger().purge_log(target.index).await.map_err(|error| error.to_string())?;
    let purged = raft.wait(Some(STEP_TIMEOUT)).ge(Metric::Purged(Some(target)), "old entries are purged").await;
    purged.map_err(|error| error.to_string())?;
    // A purge need not be durable; here it is what must not be undone by a crash.
    writer.done(Job::Sync).await.map_err(|error| error.to_string())?;
    vault.log_renewed();
    Ok(())
}

async fn snapshot(raft: &Raft, target: LogId) -> Result<(), String> {
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        raft.trigger().snapshot().await.map_err(|error| error.to_string())?;
        match raft.wait(Some(STEP_TIMEOUT)).ge(Metric::Snapshot(Some(target)), "old entries have a snapshot").await {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}
