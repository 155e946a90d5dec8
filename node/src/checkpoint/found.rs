//! What an earlier life of the node has left. All of it blocks on the disk.

use std::collections::HashMap;

use k8s_openapi::api::{
    core::v1::{Pod, PodStatus, Service},
    discovery::v1::EndpointSlice,
};
use serde::de::DeserializeOwned;

use super::{Checkpoint, Key, key};

impl Checkpoint {
    /// The pods, each with the status that its worker knew last.
    pub fn pods(&self) -> Vec<Pod> {
        let mut statuses: HashMap<Key, PodStatus> = self.all(key::STATUS).into_iter().collect();
        let with_status = |(key, mut pod): (Key, Pod)| {
            if let Some(told) = key.uid().and_then(|uid| statuses.remove(&Key::status(uid))) {
                pod.status = Some(newest(pod.status.unwrap_or_default(), told));
            }
            pod
        };
        self.all(key::POD).into_iter().map(with_status).collect()
    }

    /// The Services, and what is behind them.
    pub fn services(&self) -> (Vec<Service>, Vec<EndpointSlice>) {
        let services = self.all(key::SERVICE).into_iter().map(|(_, service)| service);
        let slices = self.all(key::SLICE).into_iter().map(|(_, slice)| slice);
        (services.collect(), slices.collect())
    }

    fn all<T: DeserializeOwned>(&self, kind: &str) -> Vec<(Key, T)> {
        let rows = self.file.as_ref().map(|file| file.all(kind)).unwrap_or_default();
        rows.into_iter()
            .filter_map(|(key, json)| match serde_json::from_slice(&json) {
                Ok(object) => Some((key, object)),
                Err(error) => {
                    tracing::warn!(%error, ?key, "an object in the node's checkpoint can't be read");
                    None
                }
            })
            .collect()
    }
}

/// The status that the worker told, with what others said beside it.
fn newest(stored: PodStatus, told: PodStatus) -> PodStatus {
    let mut conditions = told.conditions.unwrap_or_default();
    let of_others: Vec<_> = stored
        .conditions
        .into_iter()
        .flatten()
        .filter(|it| conditions.iter().all(|ours| ours.type_ != it.type_))
        .collect();
    conditions.extend(of_others);
    PodStatus { conditions: Some(conditions), ..told }
}
