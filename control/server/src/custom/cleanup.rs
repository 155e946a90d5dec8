//! What a deleted definition leaves behind: its objects go first, through their finalizers, then the definition.

use std::sync::{Arc, Weak};
use std::time::Duration;

use coracle_api::{ApiError, ApiResult, Reason, Resource, meta};
use coracle_store::{Expect, Key, Record, Scope, Txn};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::conditions::{Condition, is_true};
use super::names::{ESTABLISHED, TERMINATING};
use super::{CLEANUP, DEFINITIONS, serverside};
use crate::hub::Hub;
use crate::options::DeleteOptions;
use crate::write::{Next, commit, delete_object, edit, now};

/// Deletions in progress at a time.
const AT_ONCE: usize = 64;

/// How long finalizers may take before the condition says that they do; how often is looked meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// Has the definition cleaned up behind, unless somebody does already.
pub(super) fn begin(hub: &Arc<Hub>, definition: &Value) {
    if !meta::finalizers(definition).contains(&CLEANUP) {
        return;
    }
    let (uid, name) = (meta::uid(definition).to_string(), meta::name(definition).to_string());
    if !hub.custom.cleaning.lock().insert(uid.clone()) {
        return;
    }
    let established = is_true(definition, ESTABLISHED);
    let hub = Arc::downgrade(hub);
    tokio::spawn(async move {
        if let Err(error) = clean(&hub, &name, established).await {
            tracing::warn!(name, %error, "a CustomResourceDefinition could not be cleaned up");
        }
        if let Some(hub) = hub.upgrade() {
            hub.custom.cleaning.lock().remove(&uid);
        }
    });
}

async fn clean(hub: &Weak<Hub>, name: &str, established: bool) -> ApiResult<()> {
    let alive = || hub.upgrade().ok_or_else(|| ApiError::unavailable("the server is shutting down"));
    if !established {
        let text = "resource was never established";
        return finish(&*alive()?, name, Condition::new(TERMINATING, false, "NeverEstablished", text)).await;
    }
    let text = "CustomResource deletion is in progress";
    say(&*alive()?, name, &Condition::new(TERMINATING, true, "InstanceDeletionInProgress", text)).await?;
    loop {
        let failed = delete_all(&*alive()?, name).await;
        if let Some(error) = failed {
            let text = format!("could not issue all deletes: {error}");
            say(&*alive()?, name, &Condition::new(TERMINATING, true, "InstanceDeletionFailed", text)).await?;
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if alive()?.store.list(&Scope::all(name)).iter().next().is_none() {
                let done = Condition::new(TERMINATING, false, "InstanceDeletionCompleted", "removed all instances");
                return finish(&*alive()?, name, done).await;
            }
            tokio::time::sleep(LOOK).await;
        }
        let text = "could not confirm zero CustomResources remaining: timed out waiting for the condition";
        say(&*alive()?, name, &Condition::new(TERMINATING, true, "InstanceDeletionCheck", text)).await?;
    }
}

/// Asks for the deletion of every object. Returns the first error.
async fn delete_all(hub: &Hub, name: &str) -> Option<ApiError> {
    let row = hub.custom.installed(name).and_then(|installed| installed.rows.first().cloned());
    let records: Vec<Arc<Record>> = hub.store.list(&Scope::all(name)).iter().cloned().collect();
    let deletions: Vec<_> = records.iter().map(|record| delete_one(hub, row.as_ref(), record)).collect();
    let outcomes: Vec<ApiResult<()>> = stream::iter(deletions).buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().find_map(Result::err)
}

async fn delete_one(hub: &Hub, row: Option<&Arc<Resource>>, record: &Record) -> ApiResult<()> {
    let outcome = match row {
        Some(row) => delete_object(hub, row, &record.key, &DeleteOptions::default()).await.map(|_| ()),
        // No version is served: nobody could ever take a finalizer away.
        None => {
            let resource = hub.row("apiextensions.k8s.io/v1", "customresourcedefinitions")?;
            let txn = Txn::delete(record.key.clone(), Expect::Any, None);
            commit(hub, &resource, &record.key.name, txn).await.map(|_| ())
        }
    };
    match outcome {
        Err(error) if error.reason != Reason::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a condition into the definition.
async fn say(hub: &Hub, name: &str, condition: &Condition) -> ApiResult<()> {
    change(hub, name, |new| condition.set(new, &now())).await
}

/// Writes the last condition and lets the definition go.
async fn finish(hub: &Hub, name: &str, condition: Condition) -> ApiResult<()> {
    let last = |new: &mut Value| {
        condition.set(new, &now());
        let rest = meta::finalizers(new).into_iter().filter(|finalizer| *finalizer != CLEANUP);
        let rest: Vec<String> = rest.map(str::to_string).collect();
        let metadata = meta::metadata_mut(new);
        if rest.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".into(), json!(rest));
        }
    };
    change(hub, name, last).await
}

async fn change(hub: &Hub, name: &str, change: impl Fn(&mut Value) + Send + Sync) -> ApiResult<()> {
    let resource = hub.row("apiextensions.k8s.io/v1", "customresourcedefinitions")?;
    let decide = |old: &Value| {
        let mut new = old.clone();
        change(&mut new);
        if new == *old { Ok(Next::Keep) } else { serverside(&resource, new, old) }
    };
    match edit(hub, &resource, &Key::new(DEFINITIONS, "", name), false, decide).await {
        Err(error) if error.reason != Reason::NotFound => Err(error),
        _ => Ok(()),
    }
}
