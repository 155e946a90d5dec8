//! The second source of pods: those of the manifest directory, which no API server can take away.

use std::{collections::HashSet, sync::Arc};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{Desired, Manager};
use crate::{pods::PodAtHand, static_pods::is_static};

impl Manager {
    /// Takes in all static pods: new ones start, those whose file is gone or has changed end.
    pub(super) fn take_statics(&mut self, pods: &[Arc<Pod>]) {
        self.know_statics(pods);
        let wanted: HashSet<String> = pods.iter().filter_map(|pod| pod.uid()).collect();
        let gone: Vec<String> = self.statics().filter(|uid| !wanted.contains(*uid)).cloned().collect();
        gone.iter().for_each(|uid| self.gone(uid));
        self.waiting.clear();
        for pod in pods {
            let uid = pod.uid().unwrap_or_default();
            if self.entries.contains(&uid) {
                // Its file was changed and changed back while the pod was ending: it comes again when it has.
                if gone.contains(&uid) || !self.is_wanted(&uid) {
                    self.waiting.push(Arc::clone(pod));
                }
            } else if self.undecided.contains(&uid) {
                // It is being considered, or was refused; only another file would change that.
            } else if self.has_namesake(pod) {
                self.waiting.push(Arc::clone(pod));
            } else {
                self.start_static(uid, Arc::clone(pod));
            }
        }
    }

    /// Starts those static pods whose predecessors have ended.
    pub(super) fn start_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for pod in waiting {
            let uid = pod.uid().unwrap_or_default();
            if self.entries.contains(&uid) || self.has_namesake(&pod) {
                self.waiting.push(pod);
            } else {
                self.start_static(uid, pod);
            }
        }
    }

    fn is_wanted(&self, uid: &str) -> bool {
        self.entries.get(uid).is_some_and(|entry| matches!(*entry.mailbox.borrow(), Desired::Exist(_)))
    }

    fn has_namesake(&self, pod: &Pod) -> bool {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        self.entries.named(namespace, name).any(|entry| entry.is_static)
    }

    fn start_static(&mut self, uid: String, pod: Arc<Pod>) {
        if self.shared.health.is_shutting_down() {
            return;
        }
        let pod = PodAtHand::opened(pod);
        let verdict = self.judge(&uid, &pod);
        self.admit(uid, pod, verdict);
    }

    /// The static pods that have a worker, or none because they are not decided on or were refused.
    pub(super) fn statics(&self) -> impl Iterator<Item = &String> {
        let here = self.entries.iter().filter(|(_, entry)| entry.is_static).map(|(uid, _)| uid);
        let is_static = |uid: &&String| self.shared.roster.get(uid).is_some_and(|pod| is_static(&pod.open()));
        here.chain(self.undecided.iter().filter(is_static))
    }
}
