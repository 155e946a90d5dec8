//! Keeps the Node's status true.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Node, NodeStatus};
use kube::Api;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Registration;
use crate::{conditions::tell_changes, events::of_node, shared::Shared};

/// How often the node looks whether its status has changed (kubelet `nodeStatusUpdateFrequency`).
const CHECK_PERIOD: Duration = Duration::from_secs(10);
/// How often it is written even if it has not (kubelet `nodeStatusReportFrequency`); the Lease says that it lives.
const REPORT_PERIOD: Duration = Duration::from_secs(300);

/// Keeps the Node's status true until `shutdown`.
pub async fn run_status(registration: Registration, node: Node, shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut before = node.status.unwrap_or_default();
    let mut written = Instant::now();
    let mut returns = shared.link.returns();
    // While the node was silent others have said what they think of it.
    let mut is_doubtful = false;
    let subject = of_node(&registration.name);
    tell_changes(&shared.events, &subject, &NodeStatus::default(), &before);
    loop {
        let next = async {
            tokio::select! {
                // What others must know at once is told at once.
                () = shared.health.changed() => {}
                () = shared.link.returned(returns) => {}
                () = tokio::time::sleep(CHECK_PERIOD) => {}
            }
        };
        if shutdown.run_until_cancelled(next).await.is_none() {
            return;
        }
        let now = shared.link.returns();
        is_doubtful |= now != returns;
        returns = now;
        if !shared.link.is_up() {
            continue;
        }
        if is_doubtful && let Ok(node) = Api::<Node>::all(shared.client.clone()).get(&registration.name).await {
            before = node.status.unwrap_or_default();
        }
        let images = shared.images.list();
        let after = registration.status(&before, &images, &shared.health);
        if !is_doubtful && written.elapsed() < REPORT_PERIOD && same(&before, &after) {
            continue;
        }
        match registration.write(&shared.client, after).await {
            Ok(node) => {
                let now = node.status.unwrap_or_default();
                tell_changes(&shared.events, &subject, &before, &now);
                before = now;
                *shared.labels.write() = node.metadata.labels.unwrap_or_default();
                (written, is_doubtful) = (Instant::now(), false);
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                // Somebody deleted the Node; a node that runs registers again.
                match registration.register(&shared.client, &shared).await {
                    Ok(node) => before = node.status.unwrap_or_default(),
                    Err(error) => tracing::warn!(%error, "the node could not be registered again"),
                }
            }
            Err(error) => tracing::warn!(%error, "the node's status could not be written; trying again in 10 s"),
        }
    }
}

/// Whether nothing but heartbeats has changed.
fn same(before: &NodeStatus, after: &NodeStatus) -> bool {
    let conditions = |status: &NodeStatus| -> BTreeMap<String, String> {
        status
            .conditions
            .iter()
            .flatten()
            .map(|condition| (condition.type_.clone(), condition.status.clone()))
            .collect()
    };
    let (had, have) = (conditions(before), conditions(after));
    have.iter().all(|(kind, status)| had.get(kind) == Some(status))
        && before.images.clone().unwrap_or_default() == after.images.clone().unwrap_or_default()
        && before.addresses == after.addresses
        && before.capacity == after.capacity
        && before.allocatable == after.allocatable
}
