//! The list that a watch begins with: who is gone, who keeps its address, whose directories nobody needs.

use std::{collections::HashSet, net::IpAddr, path::PathBuf, sync::Arc};

use coracle_api::pod::is_terminal;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::time::Instant;

use super::{Manager, arrivals::is_here, pod_dir};
use crate::{
    pods::{KeptPod, PodAtHand},
    static_pods::is_mirror,
};

/// What has come of a list so far.
#[derive(Default)]
pub struct Listing {
    pods: Vec<Listed>,
    mirrors: Vec<Arc<Pod>>,
}

/// A pod of a list. Nobody holds them all open.
struct Listed {
    uid: String,
    pod: Arc<KeptPod>,
    dir: PathBuf,
    /// The address that it has, unless it needs none any more.
    address: Option<IpAddr>,
    is_here: bool,
}

impl Manager {
    /// One more pod of the list.
    pub(super) fn list(&mut self, pod: Pod) {
        let pod = self.slimmed(pod);
        if is_mirror(&pod) {
            self.listed.mirrors.push(Arc::clone(&pod));
        } else {
            self.listed.pods.push(self.listed(&pod));
        }
    }

    fn listed(&self, pod: &PodAtHand) -> Listed {
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()).and_then(|ip| ip.parse().ok());
        Listed {
            uid: pod.uid().unwrap_or_default(),
            dir: pod_dir(&self.shared.pods_dir, pod),
            address: address.filter(|_| !is_terminal(pod)),
            is_here: is_here(pod),
            pod: Arc::clone(pod.kept()),
        }
    }

    /// Takes in a whole list: what it doesn't have is gone.
    pub(super) fn take_list(&mut self) {
        let Listing { pods, mirrors } = std::mem::take(&mut self.listed);
        self.shared.mirrors.see_all(mirrors.iter());
        let mut uids: HashSet<String> = pods.iter().map(|pod| pod.uid.clone()).collect();
        uids.extend(self.statics().cloned());
        let known = self.entries.uids().chain(&self.undecided);
        let gone: Vec<String> = known.filter(|uid| !uids.contains(*uid)).cloned().collect();
        gone.iter().for_each(|uid| self.gone(uid));
        if !self.synced {
            self.synced = true;
            self.shared.addresses.retain(|uid| uids.contains(uid) || self.entries.contains(uid));
            self.shared.checkpoint.forget_former_pods(|uid| uids.contains(uid));
            self.know_listed(pods.iter().map(|pod| pod.dir.clone()).collect());
        }
        self.take_all(pods);
        self.shared.live.set_complete();
    }

    /// The server is away: pods start as an earlier life of the node knew them. Its list will say which of them there are.
    pub(super) async fn restore(&mut self, begun: Instant) {
        self.restored = true;
        let checkpoint = Arc::clone(&self.shared.checkpoint);
        let pods = tokio::task::spawn_blocking(move || checkpoint.pods()).await.unwrap_or_default();
        let pods: Vec<Listed> = pods.into_iter().map(|pod| self.listed(&self.slimmed(pod))).collect();
        let count = pods.len();
        self.restoring = true;
        self.take_all(pods);
        self.restoring = false;
        tracing::info!(pods = count, after = ?begun.elapsed(), "pods start again without the API server");
    }

    /// Addresses are given back to those who had them before anybody gets a new one.
    fn take_all(&mut self, pods: Vec<Listed>) {
        for (uid, address) in pods.iter().filter_map(|pod| Some((&pod.uid, pod.address?))) {
            self.shared.addresses.reserve(uid, address);
        }
        // Whoever wants more is judged beside all who were here, whichever worker asks first.
        for pod in pods.iter().filter(|pod| pod.is_here) {
            self.shared.roster.put(&pod.uid, &PodAtHand::from(Arc::clone(&pod.pod)));
        }
        pods.into_iter().for_each(|pod| self.apply(pod.uid, PodAtHand::from(pod.pod)));
    }
}
