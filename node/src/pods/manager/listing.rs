//! The list that a watch begins with: who is gone, who keeps its address, whose directories nobody needs.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use coracle_api::pod::is_terminal;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{Manager, arrivals::is_here, pod_dir};
use crate::{static_pods::is_mirror, volumes};

impl Manager {
    /// Takes in a whole list: what it doesn't have is gone. Addresses are given back to those who had them before
    /// anybody gets a new one.
    pub(super) fn take_list(&mut self) {
        let (mirrors, listed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.listed).into_iter().partition(|pod| is_mirror(pod));
        self.shared.mirrors.see_all(mirrors.iter());
        let mut uids: HashSet<String> = listed.iter().filter_map(|pod| pod.uid()).collect();
        uids.extend(self.statics().cloned());
        let known = self.entries.keys().chain(&self.undecided);
        let gone: Vec<String> = known.filter(|uid| !uids.contains(*uid)).cloned().collect();
        gone.iter().for_each(|uid| self.gone(uid));
        if !self.synced {
            self.synced = true;
            self.shared.addresses.retain(|uid| uids.contains(uid));
            self.remove_strangers(&listed);
        }
        for pod in listed.iter().filter(|pod| !is_terminal(pod)) {
            let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()).and_then(|ip| ip.parse().ok());
            if let (Some(address), Some(uid)) = (address, pod.uid()) {
                self.shared.addresses.reserve(&uid, address);
            }
        }
        // Whoever wants more is judged beside all who were here, whichever worker asks first.
        for pod in listed.iter().filter(|pod| is_here(pod)) {
            self.shared.roster.put(&pod.uid().unwrap_or_default(), Arc::clone(pod));
        }
        listed.into_iter().for_each(|pod| self.apply(pod));
    }

    /// Removes the directories of pods that ended while the node was away.
    fn remove_strangers(&self, listed: &[Arc<Pod>]) {
        let here = listed.iter().map(|pod| pod_dir(&self.shared.pods_dir, pod));
        let live = self.shared.live.all();
        let known: HashSet<PathBuf> = here.chain(live.iter().map(|pod| pod.dir.clone())).collect();
        let all = self.shared.pods_dir.clone();
        tokio::task::spawn_blocking(move || {
            for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
                let path = entry.path();
                if !known.contains(&path)
                    && let Err(error) = volumes::remove(&path)
                {
                    tracing::warn!(dir = %path.display(), %error, "the directory of a former pod could not be removed");
                }
            }
        });
    }
}
