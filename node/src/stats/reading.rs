//! What there is to tell at one moment, gathered once for whatever form it is told in.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Volume};

use super::disk::PodDisk;
use crate::shared::Shared;

/// A container that runs.
pub struct ContainerReading {
    /// Its name.
    pub name: String,
    /// When it started, as the pod's status has it.
    pub started: Option<Timestamp>,
    /// CPU time used since.
    pub cpu: Duration,
    /// How much CPU it uses now, in billionths.
    pub nano_cores: Option<u64>,
    /// Memory its instances hold.
    pub memory_bytes: u64,
}

/// A pod that is here.
pub struct PodReading {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When the node first saw it, as its status has it.
    pub started: Option<Timestamp>,
    /// Volumes that are claims, and what those are called.
    pub claims: Vec<(String, String)>,
    /// Its containers that run.
    pub containers: Vec<ContainerReading>,
    /// What it has on the disk, once that was measured.
    pub disk: Option<Arc<PodDisk>>,
}

impl PodReading {
    /// CPU time of all containers.
    pub fn cpu(&self) -> Duration {
        self.containers.iter().map(|it| it.cpu).sum()
    }

    /// How much CPU all use now; None if one of them was not looked at twice.
    pub fn nano_cores(&self) -> Option<u64> {
        self.containers.iter().map(|it| it.nano_cores).sum()
    }

    /// Memory of all.
    pub fn memory_bytes(&self) -> u64 {
        self.containers.iter().map(|it| it.memory_bytes).sum()
    }
}

/// Reads all pods, in the order of their names.
pub fn read_pods(shared: &Shared) -> Vec<PodReading> {
    let mut pods: Vec<PodReading> = shared
        .live
        .all()
        .iter()
        .map(|live| {
            let pod = shared.roster.get(&live.uid).map(|pod| pod.open()).unwrap_or_default();
            let containers = live.running().into_iter().map(|(name, handle)| {
                let usage = handle.usage();
                ContainerReading {
                    started: started(&pod, &name),
                    cpu: usage.cpu_time,
                    nano_cores: shared.stats.container(&live.uid, &name),
                    memory_bytes: usage.memory_bytes,
                    name,
                }
            });
            PodReading {
                namespace: live.namespace.clone(),
                name: live.name.clone(),
                uid: live.uid.clone(),
                containers: containers.collect(),
                disk: shared.stats.disk(&live.uid),
                started: pod.status.as_ref().and_then(|status| Some(status.start_time.as_ref()?.0)),
                claims: claims(&pod),
            }
        })
        .collect();
    pods.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    pods
}

/// By volume: the claim that it is.
fn claims(pod: &Pod) -> Vec<(String, String)> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let claim = |volume: &Volume| {
        let claim = &volume.persistent_volume_claim.as_ref()?.claim_name;
        Some((volume.name.clone(), claim.clone()))
    };
    volumes.into_iter().filter_map(claim).collect()
}

fn started(pod: &Pod, container: &str) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let lists = [&status.container_statuses, &status.init_container_statuses, &status.ephemeral_container_statuses];
    let found = lists.into_iter().flatten().flatten().find(|status| status.name == container)?;
    Some(found.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0)
}
