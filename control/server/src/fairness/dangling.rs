//! The task that says of each FlowSchema whether its level exists: the condition `Dangling`.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use coracle_api::{ApiResult, Reason, meta};
use coracle_store::{Key, Scope, Watch};
use serde_json::{Value, json};

use super::config::{LEVELS, SCHEMAS, objects};
use super::spec::{LevelSpec, level_of};
use crate::hub::Hub;
use crate::write::{Author, Next, Part, edit, now, revise};

const VERSION: &str = "flowcontrol.apiserver.k8s.io/v1";

/// Changes that are looked at together.
const BATCH: usize = 64;

/// Follows schemas and levels for as long as the server lives.
pub(crate) fn start(hub: &Arc<Hub>) {
    // A server may be given a catalogue without them.
    if hub.row(VERSION, "flowschemas").is_ok() {
        tokio::spawn(follow(Arc::downgrade(hub)));
    }
}

async fn follow(hub: Weak<Hub>) {
    loop {
        let Some(strong) = hub.upgrade() else { return };
        let from = strong.store.revision();
        let watch = |resource: &str| strong.store.watch(Scope::all(resource).into(), from);
        let (Ok(mut schemas), Ok(mut levels)) = (watch(SCHEMAS), watch(LEVELS)) else { return };
        drop(strong);
        loop {
            let Some(strong) = hub.upgrade() else { return };
            review(&strong).await;
            drop(strong);
            match changed(&mut schemas, &mut levels).await {
                Some(true) => {}
                // Behind the history: both are read again.
                Some(false) => break,
                None => return,
            }
        }
    }
}

/// Waits for a change. `None`: the store is closed; `false`: what has changed is not known any more.
async fn changed(schemas: &mut Watch, levels: &mut Watch) -> Option<bool> {
    let batch = tokio::select! {
        batch = schemas.next_batch(BATCH) => batch,
        batch = levels.next_batch(BATCH) => batch,
    };
    batch.map(|events| events.is_ok())
}

async fn review(hub: &Arc<Hub>) {
    if let Some(fairness) = &hub.fairness {
        fairness.follow();
    }
    let levels = hub.store.list(&Scope::all(LEVELS));
    let levels: HashSet<String> =
        objects(&levels).filter_map(|level| LevelSpec::read(&level)).map(|level| level.name.to_string()).collect();
    let schemas = hub.store.list(&Scope::all(SCHEMAS));
    for schema in objects(&schemas) {
        let condition = condition(level_of(&schema), &levels);
        if says(&schema, &condition) {
            continue;
        }
        match write(hub, meta::name(&schema), &levels).await {
            Ok(()) => {}
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => tracing::warn!(schema = meta::name(&schema), %error, "its condition could not be written"),
        }
    }
}

async fn write(hub: &Arc<Hub>, name: &str, levels: &HashSet<String>) -> ApiResult<()> {
    let resource = hub.row(VERSION, "flowschemas")?;
    let author = Author::server();
    let decide = |old: &Value| {
        let mut condition = condition(level_of(old), levels);
        if says(old, &condition) {
            return Ok(Next::Keep);
        }
        condition["lastTransitionTime"] = json!(now());
        let mut new = old.clone();
        let others = old["status"]["conditions"].as_array().into_iter().flatten();
        let others = others.filter(|other| other["type"] != "Dangling").cloned();
        new["status"]["conditions"] = others.chain([condition]).collect();
        Ok(Next::Write { object: revise(&resource, Part::Status, new, old, &author)?, pinned: false })
    };
    let key = Key::new(resource.storage_key(), "", name);
    edit(hub, &resource, &key, false, decide).await.map(|_| ())
}

/// What is to be said of a schema that leads to `level`.
fn condition(level: &str, levels: &HashSet<String>) -> Value {
    let exists = levels.contains(level);
    let (status, reason, then) = match exists {
        true => ("False", "Found", "and it exists"),
        false => ("True", "NotFound", "but there is no such object"),
    };
    let message = format!("This FlowSchema references the PriorityLevelConfiguration object named {level:?} {then}");
    json!({ "type": "Dangling", "status": status, "reason": reason, "message": message })
}

/// Whether a schema says so already.
fn says(schema: &Value, condition: &Value) -> bool {
    let stored = schema["status"]["conditions"].as_array().into_iter().flatten();
    let mut stored = stored.filter(|stored| stored["type"] == condition["type"]);
    stored
        .next()
        .is_some_and(|stored| ["status", "reason", "message"].iter().all(|field| stored[*field] == condition[*field]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_written_when_they_are_others() {
        let levels = HashSet::from(["a".to_string()]);
        let found = condition("a", &levels);
        let text = "This FlowSchema references the PriorityLevelConfiguration object named \"a\" and it exists";
        assert_eq!((&found["status"], found["message"].as_str().unwrap()), (&json!("False"), text));
        let schema = json!({ "status": { "conditions": [found] } });
        assert!(says(&schema, &condition("a", &levels)) && !says(&schema, &condition("b", &levels)));
        assert_eq!(condition("b", &levels)["reason"], "NotFound");
    }
}
