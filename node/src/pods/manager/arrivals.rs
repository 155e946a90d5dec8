//! Pods that come: those that the node takes get a worker, others are told that they are refused.

use std::{sync::Arc, time::Duration};

use coracle_api::pod::{is_deleting, is_terminal};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;

use super::Manager;
use crate::{
    admission::{Refusal, Room, Shortage, Verdict, asks_for_labels, fits, free_ports, judge, preempt, refuse, victims},
    pods::PodAtHand,
    shared::Shared,
};

/// A pod that took longer: its labels were compared with the Node as the API has it, or others have made room for it.
pub type Considered = (String, Verdict);

impl Manager {
    /// A pod that has no worker: judges it, unless it runs here already or has ended.
    pub(super) fn arrive(&mut self, uid: String, pod: PodAtHand) {
        let known = self.shared.roster.get(&uid).is_some();
        let verdict = (!known && !is_here(&pod)).then(|| self.judge(&uid, &pod));
        if verdict.is_none() {
            self.shared.roster.put(&uid, &pod);
        }
        if self.undecided.contains(&uid) {
            // Its end has come through, or somebody deletes it: a worker does the rest.
            if is_terminal(&pod) || is_deleting(&pod) {
                self.undecided.remove(&uid);
                self.hire(uid, pod, Duration::ZERO);
            }
            return;
        }
        match verdict {
            Some(verdict) => self.admit(uid, pod, verdict),
            None => self.hire(uid, pod, Duration::ZERO),
        }
    }

    /// Goes on with what is no matter of room: labels and ports. The pod is in the roster, so that those who come
    /// meanwhile see what it wants.
    pub(super) fn admit(&mut self, uid: String, pod: PodAtHand, verdict: Verdict) {
        if verdict.is_err() {
            return self.decide(uid, pod, verdict);
        }
        let ports = free_ports(&pod, || self.shared.roster.beside(&uid));
        let verdict = ports.and(verdict);
        if self.labels_fit(&pod) {
            return self.decide(uid, pod, verdict);
        }
        self.undecided.insert(uid.clone());
        let pod = Arc::clone(&pod);
        self.considered.spawn(compare(Arc::clone(&self.shared), uid, pod, self.node.clone(), verdict));
    }

    /// Takes the pod, refuses it, or makes room for it first.
    fn decide(&mut self, uid: String, pod: PodAtHand, verdict: Verdict) {
        match verdict {
            Err(refusal) => self.refuse(uid, pod, refusal),
            Ok(lacks) => match lacks.first().map(Shortage::resource) {
                None => self.hire(uid, pod, Duration::ZERO),
                Some(resource) => self.make_room(uid, pod, &lacks, resource),
            },
        }
    }

    /// Ends others for a critical pod.
    fn make_room(&mut self, uid: String, pod: PodAtHand, lacks: &[Shortage], resource: &'static str) {
        let mut others = self.shared.roster.beside(&uid);
        // Those that are not decided on have nothing that could be ended.
        others.retain(|other| self.entries.contains(&other.uid));
        match victims(&pod, others, lacks) {
            Ok(victims) => {
                self.undecided.insert(uid.clone());
                let shared = Arc::clone(&self.shared);
                self.considered.spawn(async move {
                    preempt(&shared, &victims, resource).await;
                    (uid, Ok(Vec::new()))
                });
            }
            Err(error) => {
                let what = "Unexpected error while attempting to recover from admission failure";
                self.refuse(uid, pod, Refusal::unexpected(format!("{what}: {error}")));
            }
        }
    }

    /// Judges a new pod by what the node has left. It counts from now on, unless it is refused.
    pub(super) fn judge(&self, uid: &str, pod: &PodAtHand) -> Verdict {
        let judge = |pods, asked| judge(pod, &Room::of(&self.shared, pods, asked));
        self.shared.roster.admit(uid, pod, judge)
    }

    /// Whether the labels that the node is known to have are those the pod wants.
    fn labels_fit(&self, pod: &Pod) -> bool {
        !asks_for_labels(pod) || fits(pod, &self.node, &self.shared.labels.read()).is_ok()
    }

    /// A pod that took longer has its verdict.
    pub(super) fn take_considered(&mut self, (uid, verdict): Considered) {
        // Its object may have changed meanwhile, or be gone.
        if let Some(pod) = self.shared.roster.get(&uid).filter(|_| self.undecided.remove(&uid)) {
            self.decide(uid, PodAtHand::from(pod), verdict);
        }
    }

    fn refuse(&mut self, uid: String, pod: PodAtHand, refusal: Refusal) {
        self.shared.roster.refuse(&uid);
        self.undecided.insert(uid);
        self.refusals.spawn(refuse(Arc::clone(&self.shared), Arc::clone(&pod), refusal));
    }
}

/// Whether the pod needs no judgement: it has one, or is on its way out.
pub(super) fn is_here(pod: &Pod) -> bool {
    let started = pod.status.as_ref().is_some_and(|status| status.start_time.is_some());
    started || is_terminal(pod) || is_deleting(pod)
}

/// Compares with the Node as the API has it: its labels may be newer than what is known here.
async fn compare(shared: Arc<Shared>, uid: String, pod: Arc<Pod>, name: String, verdict: Verdict) -> Considered {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let labels = match nodes.get_metadata(&name).await {
        Ok(node) => node.metadata.labels.unwrap_or_default(),
        Err(error) => {
            tracing::debug!(%error, "the node's labels could not be read; those known are taken");
            shared.labels.read().clone()
        }
    };
    // A node that has never reached the API server has no labels to be judged by.
    let fit = if labels.is_empty() { Ok(()) } else { fits(&pod, &name, &labels) };
    *shared.labels.write() = labels;
    (uid, fit.and(verdict))
}
