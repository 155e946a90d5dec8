//! The loop around every change of an existing object: read, decide, commit with the revision that was read; when
//! somebody else was faster, again.

use std::sync::Arc;

use coracle_api::{ApiError, ApiResult, Resource, Subresource, meta};
use coracle_store::{Expect, Key, Record, Txn};
use serde_json::Value;

use super::commit::{commit, imagined, stored};
use super::document::{encode, load};
use crate::hub::Hub;

/// How often a change is decided again. Each time means that another write to the same object succeeded meanwhile.
const MAX_ATTEMPTS: usize = 100;

/// What a decision came to.
pub(crate) enum Next {
    /// Leave the object as it is.
    Keep,
    /// This is its next version. `pinned`: only as the successor of the version it was decided on.
    Write { object: Value, pinned: bool },
    /// It goes; this is its last state.
    Remove(Value),
}

/// What became of an object.
pub(crate) struct Edited {
    /// The version that is there now, or the last one.
    pub(crate) record: Arc<Record>,
    /// It is gone.
    pub(crate) removed: bool,
}

/// Changes the object at `key` as `decide` says. `decide` sees the stored version in the form `resource` serves, and
/// may be asked several times.
pub(crate) async fn edit(
    hub: &Hub,
    resource: &Resource,
    key: &Key,
    dry_run: bool,
    mut decide: impl FnMut(&Value) -> ApiResult<Next> + Send,
) -> ApiResult<Edited> {
    for _ in 0..MAX_ATTEMPTS {
        let record = hub.store.get(key).ok_or_else(|| ApiError::not_found(resource, &key.name))?;
        let old = load(resource, &record)?;
        let (next, pinned) = match decide(&old)? {
            Next::Keep => return Ok(Edited { record, removed: false }),
            Next::Write { object, .. } if object == old => return Ok(Edited { record, removed: false }),
            Next::Write { object, pinned } if may_go(resource, &object, &old) => (Change::Remove(object), pinned),
            Next::Write { object, pinned } => (Change::Write(object), pinned),
            Next::Remove(last) => (Change::Remove(last), false),
        };
        match apply(hub, resource, &record, &old, next, dry_run).await {
            Err(error) if is_race(&error) && !pinned => {}
            outcome => return outcome,
        }
    }
    Err(ApiError::modified(resource, &key.name))
}

enum Change {
    Write(Value),
    Remove(Value),
}

fn is_race(error: &ApiError) -> bool {
    error.reason == coracle_api::Reason::Conflict
}

async fn apply(
    hub: &Hub,
    resource: &Resource,
    record: &Arc<Record>,
    old: &Value,
    change: Change,
    dry_run: bool,
) -> ApiResult<Edited> {
    let (key, expect) = (record.key.clone(), Expect::Revision(record.revision));
    match change {
        Change::Write(mut object) => {
            let reservation = hub.allocators.reserve(resource, &mut object, Some(old))?;
            if dry_run {
                let record = imagined(resource, key, object, record.revision)?;
                return Ok(Edited { record, removed: false });
            }
            let txn = Txn::put(key, encode(resource, object.clone())?, expect);
            let record = stored(commit(hub, resource, meta::name(old), txn).await?)?;
            reservation.keep();
            hub.allocators.release(resource, old, Some(&object));
            Ok(Edited { record, removed: false })
        }
        Change::Remove(last) => {
            if dry_run {
                return Ok(Edited { record: imagined(resource, key, last, record.revision)?, removed: true });
            }
            let last = if last == *old { None } else { Some(encode(resource, last)?) };
            let record = stored(commit(hub, resource, meta::name(old), Txn::delete(key, expect, last)).await?)?;
            hub.allocators.release(resource, old, None);
            Ok(Edited { record, removed: true })
        }
    }
}

/// Whether this update takes away the last thing that kept a deleted object: its finalizers (a namespace has some in
/// `spec` too), once its grace period is over.
fn may_go(resource: &Resource, new: &Value, old: &Value) -> bool {
    let grace = old["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default();
    meta::is_deleting(old) && grace == 0 && !is_held(resource, new)
}

/// Whether finalizers keep the object.
pub(super) fn is_held(resource: &Resource, object: &Value) -> bool {
    let inside = resource.has(Subresource::Finalize)
        && object["spec"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
    inside || !meta::finalizers(object).is_empty()
}
