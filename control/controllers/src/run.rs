//! Starts the controllers, watches over them, stops them.

use crate::account_tokens::AccountTokensController;
use crate::certificates::{ApprovingController, CleaningController, SigningController};
use crate::cluster::Cluster;
use crate::config::{ControllersConfig, ControllersError};
use crate::deployment::DeploymentController;
use crate::endpoints::{EndpointsController, MirrorController};
use crate::event_ttl::EventTtlController;
use crate::framework::{Reconcile, drive};
use crate::gc::GarbageCollector;
use crate::job::{JobController, JobOrphanController};
use crate::namespace::NamespaceController;
use crate::node::{EvictionController, NodeController};
use crate::pod_gc::PodGcController;
use crate::policy_types::PolicyTypesController;
use crate::quota::QuotaController;
use crate::replica_set::ReplicaSetController;
use crate::role_aggregation::RoleAggregationController;
use crate::service_account::ServiceAccountController;
use coracle_client::EventRecorder;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{EventSource, ReplicationController};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Delay before everything is started again after a failure.
const RESTART_INITIAL: Duration = Duration::from_millis(200);
/// Longest such delay.
const RESTART_MAX: Duration = Duration::from_secs(30);
/// A run this long counts as healthy: the next failure is answered quickly again.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// Runs every controller until `shutdown` is cancelled.
///
/// # Errors
/// See [`ControllersError`]; losing the API server is not an error, it is waited out.
pub async fn run(
    client: kube::Client,
    config: ControllersConfig,
    shutdown: CancellationToken,
) -> Result<(), ControllersError> {
    if config.workers == 0 {
        return Err(ControllersError::Config("workers must be at least 1".to_owned()));
    }
    if config.resync.is_zero() {
        return Err(ControllersError::Config("resync must be longer than nothing".to_owned()));
    }
    let mut delay = RESTART_INITIAL;
    loop {
        let started = std::time::Instant::now();
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            reason = run_once(client.clone(), config.clone()) => tracing::error!(reason, "controllers failed; starting them again"),
        }
        if started.elapsed() > HEALTHY_AFTER {
            delay = RESTART_INITIAL;
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(delay) => {}
        }
        delay = (delay * 2).min(RESTART_MAX);
    }
}

fn controllers(cluster: &Arc<Cluster>) -> Vec<Arc<dyn Reconcile>> {
    vec![
        DeploymentController::new(cluster),
        ReplicaSetController::<ReplicaSet>::new(cluster),
        ReplicaSetController::<ReplicationController>::new(cluster),
        JobController::new(cluster),
        JobOrphanController::new(cluster),
        EndpointsController::new(cluster),
        MirrorController::new(cluster),
        NamespaceController::new(cluster),
        ServiceAccountController::new(cluster),
        AccountTokensController::new(cluster),
        NodeController::new(cluster),
        EvictionController::new(cluster),
        PodGcController::new(cluster),
        EventTtlController::new(cluster),
        PolicyTypesController::new(cluster),
        RoleAggregationController::new(cluster),
        ApprovingController::new(cluster),
        SigningController::new(cluster),
        CleaningController::new(cluster),
    ]
}

/// Runs everything until a part of it ends, which none should; says which.
///
/// Informers and controllers share state, so that they fail and start as one: a reconcile that panics does not come
/// this far.
async fn run_once(client: kube::Client, config: ControllersConfig) -> String {
    let source = EventSource { component: Some("controller-manager".to_owned()), host: None };
    let (recorder, writing) = EventRecorder::new(client.clone(), source);
    let workers = config.workers;
    let cluster = Arc::new(Cluster::new(client, config, recorder));
    let mut controllers = controllers(&cluster);
    let collector = GarbageCollector::new(&cluster);
    controllers.push(collector.clone());
    controllers.push(QuotaController::new(&cluster, &collector.monitors()));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        writing.await;
        "event writer"
    });
    let watched = cluster.clone();
    tasks.spawn(async move {
        watched.watch().await;
        "informers"
    });
    tasks.spawn(async move {
        collector.monitor().await;
        "garbage collector's watches"
    });
    for controller in controllers {
        let cluster = cluster.clone();
        tasks.spawn(async move {
            cluster.wait_synced().await;
            let name = controller.name();
            drive(controller, workers).await;
            name
        });
    }
    match tasks.join_next().await {
        Some(Ok(name)) => format!("{name} ended"),
        Some(Err(error)) => error.to_string(),
        None => "nothing to run".to_owned(),
    }
}
