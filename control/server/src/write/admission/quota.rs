//! `ResourceQuota`: what a namespace may use in all.
//!
//! What a write takes is added to `status.used` of the quotas in the very transaction that stores the object, on the
//! condition that they are still as they were read: concurrent writes can't take the same room twice, and a write that
//! fails has taken nothing. What becomes free is counted by the controller.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use coracle_api::ApiResult;
use coracle_api::pod::ResourceList;
use coracle_api::quota::{Costing, QuotaError, Wish, charge, is_terminating, list, usage};
use coracle_store::{Expect, Op, Record, Scope};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Action, Admitted};
use crate::hub::Hub;
use crate::write::document::{encode, load};
use crate::write::strategy::{Author, Part, revise};

/// Namespaces are spread over so many turns. Those that share one wait for each other, which costs time only.
const TURNS: usize = 64;

/// Where quotas are stored.
pub(crate) const STORED_AS: &str = "resourcequotas";

/// Takes turns: writes that are counted go one after the other in a namespace, instead of failing each other's
/// transactions.
pub(crate) struct Quotas {
    turns: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { turns: (0..TURNS).map(|_| Arc::default()).collect(), hasher: RandomState::new() }
    }
}

/// What a write takes: to be committed together with it. The turn ends when this is dropped.
#[derive(Default)]
pub(crate) struct Charge {
    pub(crate) ops: Vec<Op>,
    /// Held until the transaction has happened.
    pub(crate) turn: Option<OwnedMutexGuard<()>>,
}

impl Quotas {
    /// Finds room for a new version of an object. 403 when a quota has none.
    pub(crate) async fn charge(&self, hub: &Hub, write: &Admitted<'_>, new: &Value) -> ApiResult<Charge> {
        if !is_counted(write, new) || of_namespace(hub, write.namespace).is_empty() {
            return Ok(Charge::default());
        }
        let index = usize::try_from(self.hasher.hash_one(write.namespace)).unwrap_or_default() % TURNS;
        let turn = self.turns[index].clone().lock_owned().await;
        let (now, resource) = (Timestamp::now(), write.resource.storage_key());
        let cost = usage(&resource, new, now);
        let before = write.old.map(|old| (old, usage(&resource, old, now)));
        let wish = Wish {
            resource: &resource,
            new: Costing { object: new, cost: &cost },
            old: before.as_ref().map(|(object, cost)| Costing { object, cost }),
            is_fact: write.subresource == "status",
        };
        let mut ops = Vec::new();
        for record in of_namespace(hub, write.namespace) {
            ops.extend(take(hub, write, &record, &wish)?);
        }
        // Nothing is written to a quota: nobody has to wait.
        Ok(if ops.is_empty() { Charge::default() } else { Charge { ops, turn: Some(turn) } })
    }
}

/// Whether quotas are about the write: everything that is created, and what may ask for more afterwards.
fn is_counted(write: &Admitted<'_>, new: &Value) -> bool {
    !write.namespace.is_empty()
        && match write.action {
            Action::Create => write.subresource.is_empty(),
            Action::Update => may_grow(write, new),
            Action::Delete | Action::Connect => false,
        }
}

fn may_grow(write: &Admitted<'_>, new: &Value) -> bool {
    let claims = write.concerns("", "persistentvolumeclaims");
    match write.subresource {
        "" if write.concerns("", "pods") => {
            // All that can take a pod from the scope of one quota to that of another.
            write.old.is_some_and(|old| is_terminating(old) != is_terminating(new))
        }
        "" => claims || write.concerns("", "services") || write.concerns("resource.k8s.io", "resourceclaims"),
        "resize" => write.concerns("", "pods"),
        // What a claim has been given, and of which class it is.
        "status" => claims,
        _ => false,
    }
}

fn of_namespace(hub: &Hub, namespace: &str) -> Vec<Arc<Record>> {
    hub.store.list(&Scope::namespaced(STORED_AS, namespace)).iter().cloned().collect()
}

/// The quota with what the write takes, if it takes anything from it.
fn take(hub: &Hub, write: &Admitted<'_>, record: &Record, wish: &Wish<'_>) -> ApiResult<Option<Op>> {
    let quotas = hub.row("v1", STORED_AS)?;
    let quota = load(&quotas, record)?;
    let refused = |why: QuotaError| write.forbidden(&why.to_string());
    let Some(used) = charge(&quota, wish).map_err(refused)? else { return Ok(None) };
    let mut next = quota.clone();
    next["status"]["used"] = merged(&quota["status"]["used"], &used);
    let author = Author { manager: "kube-apiserver".into(), subresource: "status", applied: false };
    let next = revise(&quotas, Part::Status, next, &quota, &author)?;
    let object = encode(&quotas, next)?;
    Ok(Some(Op::Put { key: record.key.clone(), object, expect: Expect::Revision(record.revision) }))
}

fn merged(old: &Value, used: &ResourceList) -> Value {
    let mut merged = if old.is_object() { old.clone() } else { json!({}) };
    for (name, amount) in list(used).as_object().into_iter().flatten() {
        merged[name] = amount.clone();
    }
    merged
}
