//! The status of a definition, from its spec and the others of its group.

use std::sync::Arc;

use coracle_api::{ApiResult, meta};
use coracle_store::{Key, Record};
use serde_json::Value;

use super::names::{Taken, judge};
use super::{DEFINITIONS, approval, serverside};
use crate::hub::Hub;
use crate::write::{Next, edit, now};

/// Brings the status of a definition up to date in the store. Returns the version that is there then.
pub(super) async fn update(hub: &Hub, name: &str, taken: &Taken) -> ApiResult<Arc<Record>> {
    let resource = hub.row("apiextensions.k8s.io/v1", "customresourcedefinitions")?;
    let decide = |old: &Value| {
        let mut new = old.clone();
        complete(&mut new, taken, &now());
        if new == *old { Ok(Next::Keep) } else { serverside(&resource, new, old) }
    };
    let edited = edit(hub, &resource, &Key::new(DEFINITIONS, "", name), false, decide).await?;
    Ok(edited.record)
}

/// Writes into the definition what its status should be.
pub(super) fn complete(definition: &mut Value, taken: &Taken, now: &str) {
    // One that goes keeps its names to the end.
    if !meta::is_deleting(definition) {
        judge(definition, taken, now);
    }
    if let Some(condition) = approval::condition(definition) {
        condition.set(definition, now);
    }
}
