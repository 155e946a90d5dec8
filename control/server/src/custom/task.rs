//! The task that follows the definitions.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use coracle_api::meta;
use coracle_store::{Event, EventKind, Record, Scope, Watch};
use serde_json::Value;

use super::names::{NAMES_ACCEPTED, Taken};
use super::{DEFINITIONS, cleanup, conditions, judge};
use crate::hub::Hub;

/// Changes that are looked at together: a chart brings dozens of definitions at once.
const BATCH: usize = 64;

/// Reads every definition there is and has it served, then follows them for as long as the server lives.
pub(crate) async fn start(hub: &Arc<Hub>) {
    let snapshot = hub.store.list(&Scope::all(DEFINITIONS));
    let records: Vec<Arc<Record>> = snapshot.iter().cloned().collect();
    for record in &records {
        take(hub, record);
    }
    let names: Vec<String> = records.iter().map(|record| record.key.name.to_string()).collect();
    for name in &names {
        review(hub, name).await;
    }
    hub.publish();
    settled(hub, snapshot.revision);
    match hub.store.watch(Scope::all(DEFINITIONS).into(), snapshot.revision) {
        Ok(watch) => drop(tokio::spawn(follow(Arc::downgrade(hub), watch))),
        Err(error) => tracing::error!(%error, "CustomResourceDefinitions are not followed"),
    }
}

fn settled(hub: &Hub, revision: u64) {
    hub.custom.settled.send_modify(|seen| *seen = revision.max(*seen));
}

async fn follow(hub: Weak<Hub>, mut watch: Watch) {
    loop {
        match watch.next_batch(BATCH).await {
            Some(Ok(events)) => {
                let Some(hub) = hub.upgrade() else { return };
                let last = events.last().map_or(0, |event| event.revision);
                handle(&hub, &events).await;
                settled(&hub, last);
            }
            // Behind the history: everything is read again, once.
            Some(Err(error)) => {
                let Some(hub) = hub.upgrade() else { return };
                tracing::debug!(%error, "CustomResourceDefinitions are read again");
                let snapshot = hub.store.list(&Scope::all(DEFINITIONS));
                let records: Vec<Arc<Record>> = snapshot.iter().cloned().collect();
                let mut changed = false;
                for record in &records {
                    changed |= take(&hub, record);
                }
                if changed {
                    hub.publish();
                }
                settled(&hub, snapshot.revision);
                match hub.store.watch(Scope::all(DEFINITIONS).into(), snapshot.revision) {
                    Ok(again) => watch = again,
                    Err(_) => return,
                }
            }
            None => return,
        }
    }
}

/// Looks at what has changed, and at what that means for others.
async fn handle(hub: &Arc<Hub>, events: &[Arc<Event>]) {
    let mut changed = false;
    let mut names: BTreeSet<String> = BTreeSet::new();
    for event in events {
        let name = event.record.key.name.to_string();
        if event.kind == EventKind::Deleted {
            let group = hub.custom.definitions.lock().object(&name).map(|o| group_of(&o)).unwrap_or_default();
            changed |= hub.custom.definitions.lock().remove(&name);
            names.remove(&name);
            names.extend(waiting(hub, &group, &name));
        } else if event.revision > hub.custom.definitions.lock().revision(&name) {
            changed |= take(hub, &event.record);
            names.insert(name);
        }
    }
    for name in &names {
        changed |= review(hub, name).await;
    }
    if changed {
        hub.publish();
    }
}

/// The definitions of a group that have not got their names.
fn waiting(hub: &Hub, group: &str, name: &str) -> Vec<String> {
    let others = hub.custom.definitions.lock().others(group, name);
    let refused = others.into_iter().filter(|(_, other)| !conditions::is_true(other, NAMES_ACCEPTED));
    refused.map(|(name, _)| name).collect()
}

fn group_of(definition: &Value) -> String {
    definition["spec"]["group"].as_str().unwrap_or_default().to_string()
}

/// Takes a version of a definition. Returns whether what is served changes.
fn take(hub: &Hub, record: &Record) -> bool {
    match serde_json::from_slice::<Value>(&record.json) {
        Ok(object) => hub.custom.definitions.lock().put(&hub.store, Arc::new(object), record.revision),
        Err(error) => {
            tracing::error!(key = %record.key, %error, "a stored object does not parse");
            false
        }
    }
}

/// Brings a definition's status up to date, and begins to clean up behind one that goes. Returns whether what is
/// served changes.
async fn review(hub: &Arc<Hub>, name: &str) -> bool {
    let Some(object) = hub.custom.definitions.lock().object(name) else { return false };
    if meta::is_deleting(&object) {
        cleanup::begin(hub, &object);
        return false;
    }
    let others = hub.custom.definitions.lock().others(&group_of(&object), name);
    let taken = Taken::by(others.iter().map(|(_, other)| &**other));
    let mut judged = (*object).clone();
    judge::complete(&mut judged, &taken, "");
    if judged == *object {
        return false;
    }
    match judge::update(hub, name, &taken).await {
        Ok(record) => take(hub, &record),
        Err(error) => {
            tracing::warn!(name, %error, "the status of a CustomResourceDefinition could not be written");
            false
        }
    }
}
