//! The task that follows APIServices: keeps the local ones, looks at the others.

use std::sync::{Arc, Weak};
use std::time::Duration;

use coracle_api::{ApiResult, meta};
use coracle_store::{Scope, Watch};
use futures::future::join_all;
use serde_json::Value;

use super::{API_SERVICES, Remote, State, availability, local, priorities};
use crate::hub::Hub;
use crate::outbound::{Outbound, ServiceRef, Trust};

/// How often remotes are looked at: all of them while one does not work, so that it comes back soon, seldom otherwise.
const LOOK_FAILING: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(10);

/// A pause after a change, so that a burst of them is looked at once.
const BATCH: usize = 256;

/// Remotes at most. Each costs a connection and a document; a cluster has a handful.
const MAX_REMOTES: usize = 256;

/// Makes the local APIServices, then follows all of them for as long as the server lives.
pub(crate) async fn start(hub: &Arc<Hub>) -> ApiResult<()> {
    local::reconcile(hub, true).await?;
    read(hub);
    let from = hub.store.revision();
    match hub.store.watch(Scope::all(API_SERVICES).into(), from) {
        Ok(services) => drop(tokio::spawn(follow(Arc::downgrade(hub), services))),
        Err(error) => tracing::error!(%error, "APIServices are not followed"),
    }
    Ok(())
}

async fn follow(hub: Weak<Hub>, mut services: Watch) {
    // Once now: remotes of an earlier run are waiting.
    let mut pause = Duration::ZERO;
    loop {
        let Some(aggregator) = hub.upgrade().map(|hub| hub.aggregator.clone()) else { return };
        let has_remotes = !aggregator.remotes.lock().is_empty();
        let tick = async { if has_remotes { tokio::time::sleep(pause).await } else { std::future::pending().await } };
        let changed = tokio::select! {
            batch = services.next_batch(BATCH) => batch.map(|_| true),
            () = aggregator.published.notified() => Some(true),
            () = tick => Some(false),
        };
        let (Some(changed), Some(hub)) = (changed, hub.upgrade()) else { return };
        if changed {
            if let Err(error) = local::reconcile(&hub, false).await {
                tracing::debug!(%error, "the local APIServices could not be written");
            }
            read(&hub);
        }
        pause = if look(&hub).await { LOOK } else { LOOK_FAILING };
    }
}

/// Reads the APIServices with a Service behind them.
fn read(hub: &Hub) {
    let known = hub.aggregator.remotes();
    let mut remotes = Vec::new();
    for record in hub.store.list(&Scope::all(API_SERVICES)).iter().take(MAX_REMOTES) {
        let Ok(object) = serde_json::from_slice::<Value>(&record.json) else { continue };
        if !object["spec"]["service"].is_object() || is_served_here(hub, &object) {
            continue;
        }
        let same = known.iter().find(|remote| *remote.name == *record.key.name && remote.spec == object["spec"]);
        remotes.push(same.cloned().unwrap_or_else(|| Arc::new(Remote::of(hub, &object))));
    }
    let before = std::mem::replace(&mut *hub.aggregator.remotes.lock(), remotes.clone());
    let same = before.len() == remotes.len() && before.iter().zip(&remotes).all(|(a, b)| Arc::ptr_eq(a, b));
    if !same {
        hub.publish();
    }
}

fn is_served_here(hub: &Hub, object: &Value) -> bool {
    let text = |field: &str| object["spec"][field].as_str().unwrap_or_default();
    let (group, version) = (text("group"), text("version"));
    hub.config.catalog.rows().iter().any(|row| row.group == group && row.version == version)
        || hub.custom.rows().iter().any(|row| row.group == group && row.version == version)
}

/// Looks at every remote. Returns whether all of them work.
async fn look(hub: &Hub) -> bool {
    let remotes = hub.aggregator.remotes();
    let states = join_all(remotes.iter().map(|remote| availability::check(hub, remote))).await;
    let all = states.iter().all(|state| state.available);
    let mut changed = false;
    for (remote, state) in remotes.iter().zip(states).filter(|(remote, state)| remote.state != *state) {
        let mut present = hub.aggregator.remotes.lock();
        if let Some(place) = present.iter_mut().find(|place| Arc::ptr_eq(place, remote)) {
            *place = Arc::new(remote.with(state));
            changed = true;
        }
    }
    if changed {
        hub.publish();
    }
    all
}

impl Remote {
    fn of(hub: &Hub, object: &Value) -> Self {
        let spec = &object["spec"];
        let text = |field: &str| spec[field].as_str().unwrap_or_default().to_string();
        let trust = if spec["insecureSkipTLSVerify"] == true {
            Ok(Trust::anybody())
        } else {
            Trust::bundle(spec["caBundle"].as_str())
        };
        let outbound =
            trust.and_then(|trust| Outbound::new(hub.store.clone(), &trust.showing(&hub.front_proxy.client)));
        let (group_priority, version_priority) = priorities::of_spec(spec);
        Self {
            name: meta::name(object).to_string(),
            group: text("group"),
            version: text("version"),
            group_priority,
            version_priority,
            service: ServiceRef::of(&spec["service"]),
            spec: spec.clone(),
            outbound: outbound.ok(),
            state: State::default(),
        }
    }

    fn with(&self, state: State) -> Self {
        Self {
            name: self.name.clone(),
            group: self.group.clone(),
            version: self.version.clone(),
            group_priority: self.group_priority,
            version_priority: self.version_priority,
            service: self.service.clone(),
            spec: self.spec.clone(),
            outbound: self.outbound.clone(),
            state,
        }
    }
}
