//! Transactions, and what their failures are to a client.

use std::sync::Arc;

use coracle_api::{ApiError, ApiResult, Reason, Resource, meta};
use coracle_store::{CommitError, Committed, Key, Lifted, Op, Record, Txn};
use serde_json::Value;

use super::address_objects;
use super::admission::{Admitted, Charge};
use super::document::encode;
use crate::hub::Hub;

/// Commits, with errors in the API's words.
pub(crate) async fn commit(hub: &Hub, resource: &Resource, name: &str, txn: Txn) -> ApiResult<Committed> {
    hub.store.commit(txn).await.map_err(|error| explain(resource, name, error))
}

/// How often a write asks the quotas again. Writes take turns there, so that only controllers come in between.
const MAX_CHARGES: usize = 32;

/// Commits one change together with what belongs to it (what it takes from quotas, the addresses of a Service) and
/// returns what is stored now. `new` is `None` when the object goes.
pub(crate) async fn commit_charged(
    hub: &Hub,
    write: &Admitted<'_>,
    new: Option<&Value>,
    op: Op,
) -> ApiResult<Arc<Record>> {
    for _ in 0..MAX_CHARGES {
        let Charge { ops, turn } = match new {
            Some(new) => hub.admission.quotas.charge(hub, write, new).await?,
            None => Charge::default(),
        };
        let mut all = vec![op.clone()];
        all.extend(ops);
        all.extend(address_objects::changes(hub, write.resource, write.old, new)?);
        let outcome = hub.store.commit(Txn::new(all)).await;
        drop(turn);
        match outcome {
            // A quota is not what it was: there may be more room now, or less. Or an address has come or gone.
            Err(
                CommitError::Conflict { key, .. } | CommitError::AlreadyExists { key } | CommitError::NotFound { key },
            ) if key != *op.key() => {}
            outcome => return stored(outcome.map_err(|error| explain(write.resource, write.name, error))?),
        }
    }
    let why = "the quotas of the namespace or the addresses of the Service changed all the time; please try again";
    Err(ApiError::conflict(write.resource, write.name, why))
}

fn explain(resource: &Resource, name: &str, error: CommitError) -> ApiError {
    match error {
        CommitError::AlreadyExists { .. } => ApiError::already_exists(resource, name),
        CommitError::NotFound { .. } | CommitError::Conflict { current: None, .. } => {
            ApiError::not_found(resource, name)
        }
        CommitError::Conflict { .. } => ApiError::modified(resource, name),
        CommitError::TooLarge { .. } => ApiError::new(Reason::RequestEntityTooLarge, error.to_string()),
        CommitError::Unavailable(_) => ApiError::unavailable(error.to_string()),
        CommitError::Invalid(why) => ApiError::bad_request(why),
    }
}

/// The first record of a transaction that has one per operation.
pub(crate) fn stored(committed: Committed) -> ApiResult<Arc<Record>> {
    committed.records.into_iter().next().ok_or_else(|| ApiError::internal("a transaction left no record"))
}

/// What a dry run shows: the object as it would be written, at `revision` (0: it does not exist yet).
pub(super) fn imagined(resource: &Resource, key: Key, object: Value, revision: u64) -> ApiResult<Arc<Record>> {
    let lifted = Lifted { uid: meta::uid(&object).into(), ..Lifted::default() };
    let encoded = encode(resource, object)?;
    let json = if revision == 0 {
        encoded.json().clone()
    } else {
        let mut object = crate::read::parse(encoded.json())?;
        object["metadata"]["resourceVersion"] = Value::from(revision.to_string());
        object.to_string().into()
    };
    Ok(Arc::new(Record { key, revision, create_revision: revision, json, lifted }))
}
