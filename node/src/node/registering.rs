//! Becoming a node of the cluster, and staying one.

use std::{sync::Arc, time::Duration};

use coracle_client::is_unreachable;
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::FIRST_ANSWER;
use crate::{
    config::NodeConfig,
    lease::run_lease,
    node_error::NodeError,
    registration::{Registration, run_status},
    shared::Shared,
};

/// How soon a registration that failed is tried again.
const REGISTER_RETRY: Duration = Duration::from_secs(2);

/// Registers the node. None: the server can't be reached, and there are pods that run without it.
pub async fn first_registration(
    client: &Client,
    config: &NodeConfig,
    registration: &Registration,
    shared: &Shared,
) -> Result<Option<Node>, NodeError> {
    let registering = shared.link.probe(Box::pin(registration.register(client, shared)));
    let answer = match shared.checkpoint.has_pods() {
        true => timeout(FIRST_ANSWER, registering).await,
        false => Ok(registering.await),
    };
    let can_wait = shared.checkpoint.has_pods() || config.pod_manifest_path.is_some();
    match answer {
        Ok(Ok(node)) => Ok(Some(node)),
        Ok(Err(error)) if can_wait && is_unreachable(&error) => Ok(None),
        Ok(Err(source)) => Err(NodeError::Register { name: config.name.clone(), source: Box::new(source) }),
        Err(_) => {
            tracing::warn!("the API server has not answered in {FIRST_ANSWER:?}; pods start without it");
            shared.link.give_up();
            Ok(None)
        }
    }
}

/// Registers, if that is still to be done, and then gives signs of life. `client` is the server's own.
pub async fn be_a_node(
    client: Client,
    registration: Registration,
    mut registered: Option<Node>,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) {
    let node = loop {
        if let Some(node) = registered {
            break node;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(REGISTER_RETRY)).await.is_none() {
            return;
        }
        registered = shared
            .link
            .probe(Box::pin(registration.register(&client, &shared)))
            .await
            .inspect_err(|error| tracing::debug!(%error, "the node could not be registered; trying again"))
            .ok();
    };
    let lease = run_lease(client, Arc::clone(&shared.link), node.clone(), shutdown.clone());
    tokio::join!(lease, run_status(registration, node, Arc::clone(&shared), shutdown));
}
