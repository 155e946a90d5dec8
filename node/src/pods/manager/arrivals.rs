//! Pods that come: those that the node takes get a worker, others are told that they are refused.

use std::{sync::Arc, time::Duration};

use coracle_api::pod::{is_deleting, is_terminal};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;

use super::Manager;
use crate::{
    admission::{Refusal, Room, asks_for_labels, fits, judge, refuse},
    shared::Shared,
};

/// A pod whose labels were compared with the Node as the API has it.
pub type Compared = (String, Result<(), Refusal>);

impl Manager {
    /// A pod that has no worker: judges it, unless it runs here already or has ended.
    pub(super) fn arrive(&mut self, uid: String, pod: Arc<Pod>) {
        let known = self.shared.roster.get(&uid).is_some();
        let judged = known || is_here(&pod);
        let verdict = if judged {
            self.shared.roster.put(&uid, Arc::clone(&pod));
            Ok(())
        } else {
            self.admit(&uid, &pod)
        };
        if self.undecided.contains(&uid) {
            // Its end has come through, or somebody deletes it: a worker does the rest.
            if is_terminal(&pod) || is_deleting(&pod) {
                self.undecided.remove(&uid);
                self.hire(uid, pod, Duration::ZERO);
            }
            return;
        }
        match verdict {
            Err(refusal) => self.refuse(uid, pod, refusal),
            Ok(()) if !judged && !self.labels_fit(&pod) => {
                self.undecided.insert(uid.clone());
                self.compared.spawn(compare(Arc::clone(&self.shared), uid, pod, self.node.clone()));
            }
            Ok(()) => self.hire(uid, pod, Duration::ZERO),
        }
    }

    fn admit(&self, uid: &str, pod: &Arc<Pod>) -> Result<(), Refusal> {
        let judge = |pods, asked| judge(pod, &Room::of(&self.shared, pods, asked));
        self.shared.roster.admit(uid, Arc::clone(pod), judge)
    }

    /// Whether the labels that the node is known to have are those the pod wants.
    fn labels_fit(&self, pod: &Pod) -> bool {
        !asks_for_labels(pod) || fits(pod, &self.node, &self.shared.labels.read()).is_ok()
    }

    /// The labels have been compared with the Node as it is.
    pub(super) fn take_compared(&mut self, (uid, verdict): Compared) {
        // Its object may have changed meanwhile, or be gone.
        let Some(pod) = self.shared.roster.get(&uid).filter(|_| self.undecided.remove(&uid)) else { return };
        match verdict {
            Ok(()) => self.hire(uid, pod, Duration::ZERO),
            Err(refusal) => self.refuse(uid, pod, refusal),
        }
    }

    fn refuse(&mut self, uid: String, pod: Arc<Pod>, refusal: Refusal) {
        self.undecided.insert(uid);
        self.refusals.spawn(refuse(Arc::clone(&self.shared), pod, refusal));
    }
}

/// Whether the pod needs no judgement: it has one, or is on its way out.
pub(super) fn is_here(pod: &Pod) -> bool {
    let started = pod.status.as_ref().is_some_and(|status| status.start_time.is_some());
    started || is_terminal(pod) || is_deleting(pod)
}

/// Compares with the Node as the API has it: its labels may be newer than what is known here.
async fn compare(shared: Arc<Shared>, uid: String, pod: Arc<Pod>, name: String) -> Compared {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let labels = match nodes.get_metadata(&name).await {
        Ok(node) => node.metadata.labels.unwrap_or_default(),
        Err(error) => {
            tracing::debug!(%error, "the node's labels could not be read; those known are taken");
            shared.labels.read().clone()
        }
    };
    let verdict = fits(&pod, &name, &labels);
    *shared.labels.write() = labels;
    (uid, verdict)
}
