//! The scheduler's whole state, and how a change from a watch alters it. No I/O: the driver does that.

use crate::cache::Cache;
use crate::config::SchedulerConfig;
use crate::framework::{ClusterEvent, Cursor, FitError, Profile, decide};
use crate::informer::Change;
use crate::node_info::NodeOffer;
use crate::pod_info::PodInfo;
use crate::queue::{Attempt, Queue};
use kube::runtime::watcher::Event;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::time::Instant;

/// See the module's documentation.
pub struct State {
    name: String,
    profile: Profile,
    cache: Cache,
    /// The pods that wait.
    pub queue: Queue,
    cursor: Cursor,
    pods: Listing,
    nodes: Listing,
}

/// How far a watch is: the list that is coming in, and whether there was a whole one already.
#[derive(Debug, Default)]
struct Listing {
    incoming: Option<HashSet<String>>,
    synced: bool,
}

/// What came of trying to schedule one pod.
pub enum Decision {
    /// It goes to this node, and is counted there already.
    Bind(Attempt, String),
    /// It fits nowhere, and waits again.
    NoFit(Arc<PodInfo>, FitError),
}

impl State {
    /// A scheduler that knows of nothing yet.
    pub fn new(config: &SchedulerConfig, profile: Profile) -> State {
        State {
            name: config.name.clone(),
            profile,
            cache: Cache::default(),
            queue: Queue::new(config),
            cursor: Cursor::default(),
            pods: Listing::default(),
            nodes: Listing::default(),
        }
    }

    /// Whether both lists came in whole: before that, nodes look emptier than they are.
    pub fn is_synced(&self) -> bool {
        self.pods.synced && self.nodes.synced
    }

    /// Takes in a change; a pod that is gated and does not say so yet is returned.
    pub fn apply(&mut self, change: Change, now: Instant) -> Option<Arc<PodInfo>> {
        match change {
            Change::Pod(event) => return self.apply_pod_event(event, now),
            Change::Node(Event::Init) => self.nodes.incoming = Some(HashSet::new()),
            Change::Node(Event::InitDone) => {
                self.nodes.synced = true;
                if let Some(present) = self.nodes.incoming.take() {
                    self.cache.retain_nodes(&present);
                }
            }
            Change::Node(Event::Apply(node) | Event::InitApply(node)) => {
                let name = node.metadata.name.clone().unwrap_or_default();
                if self.cache.set_node(&name, NodeOffer::of(&node)) {
                    self.queue.cluster_event(ClusterEvent::NodeChanged, &self.profile, now);
                }
                if let Some(incoming) = &mut self.nodes.incoming {
                    incoming.insert(name);
                }
            }
            Change::Node(Event::Delete(node)) => self.cache.remove_node(node.metadata.name.as_deref().unwrap_or("")),
        }
        None
    }

    fn apply_pod_event(&mut self, event: Event<Arc<PodInfo>>, now: Instant) -> Option<Arc<PodInfo>> {
        match event {
            Event::Init => self.pods.incoming = Some(HashSet::new()),
            Event::InitDone => {
                self.pods.synced = true;
                if let Some(present) = self.pods.incoming.take() {
                    self.queue.retain(&present);
                    if self.cache.retain_pods(&present) > 0 {
                        self.queue.cluster_event(ClusterEvent::PodRemoved, &self.profile, now);
                    }
                }
            }
            Event::Delete(pod) => self.pod_gone(&pod.uid, now),
            Event::Apply(pod) | Event::InitApply(pod) => {
                if let Some(incoming) = &mut self.pods.incoming {
                    incoming.insert(pod.uid.clone());
                }
                return self.pod_applied(pod);
            }
        }
        None
    }

    fn pod_applied(&mut self, pod: Arc<PodInfo>) -> Option<Arc<PodInfo>> {
        if let Some(node) = pod.node_name.clone() {
            self.queue.remove(&pod.uid);
            self.cache.observe(&pod, &node);
        } else if pod.deleting || pod.scheduler != self.name {
            self.queue.remove(&pod.uid);
        } else if !self.cache.is_assumed(&pod.uid) {
            let untold = !pod.gates.is_empty() && pod.condition.is_none();
            self.queue.upsert(pod.clone());
            return untold.then_some(pod);
        }
        None
    }

    fn pod_gone(&mut self, uid: &str, now: Instant) {
        self.queue.remove(uid);
        if self.cache.remove_pod(uid) {
            self.queue.cluster_event(ClusterEvent::PodRemoved, &self.profile, now);
        }
    }

    /// Decides about the next pod, if one is active.
    pub fn schedule_one(&mut self, now: Instant) -> Option<Decision> {
        let attempt = self.queue.pop(now)?;
        Some(match decide(&self.profile, self.cache.nodes(), &attempt.pod, &mut self.cursor) {
            Ok(at) => {
                let node = self.cache.nodes()[at].name.clone();
                self.cache.assume(&attempt.pod, &node);
                Decision::Bind(attempt, node)
            }
            Err(error) => {
                let pod = attempt.pod.clone();
                self.queue.unschedulable(attempt, error.plugins.clone(), now);
                Decision::NoFit(pod, error)
            }
        })
    }

    /// The binding was acknowledged.
    pub fn bound(&mut self, attempt: &Attempt) {
        self.cache.bound(&attempt.pod.uid);
    }

    /// The binding was refused: the pod's room is free again. It is tried again unless it is gone for good.
    pub fn bind_failed(&mut self, attempt: Attempt, gone: bool, now: Instant) {
        if !self.cache.is_assumed(&attempt.pod.uid) {
            return;
        }
        self.cache.remove_pod(&attempt.pod.uid);
        if !gone {
            self.queue.failed(attempt, now);
        }
        self.queue.cluster_event(ClusterEvent::PodRemoved, &self.profile, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{seen_node, seen_pod};

    fn synced() -> State {
        let mut state = State::new(&SchedulerConfig::default(), Profile::default());
        for change in [
            Change::Node(Event::Init),
            Change::Node(Event::InitApply(seen_node("n1", "1", "1Gi"))),
            Change::Node(Event::InitDone),
            Change::Pod(Event::Init),
            Change::Pod(Event::InitDone),
        ] {
            assert!(state.apply(change, Instant::now()).is_none());
        }
        state
    }

    fn bind(state: &mut State) -> (Attempt, String) {
        match state.schedule_one(Instant::now()) {
            Some(Decision::Bind(attempt, node)) => (attempt, node),
            Some(Decision::NoFit(_, error)) => panic!("{error}"),
            None => panic!("nothing to schedule"),
        }
    }

    #[test]
    fn waits_for_both_lists() {
        let state = State::new(&SchedulerConfig::default(), Profile::default());
        assert!(!state.is_synced());
        assert!(synced().is_synced());
    }

    #[test]
    fn a_pod_is_bound_once_and_its_room_comes_back() {
        let (mut state, now) = (synced(), Instant::now());
        state.apply(Change::Pod(Event::Apply(seen_pod("a", "800m", None))), now);
        state.apply(Change::Pod(Event::Apply(seen_pod("b", "800m", None))), now);
        let (attempt, node) = bind(&mut state);
        assert_eq!((attempt.pod.name.as_str(), node.as_str()), ("a", "n1"));
        let Some(Decision::NoFit(_, error)) = state.schedule_one(now) else { panic!("b can't fit beside a") };
        assert!(error.to_string().contains("1 Insufficient cpu"));
        state.bound(&attempt);
        state.apply(Change::Pod(Event::Apply(seen_pod("a", "800m", None))), now);
        assert!(state.schedule_one(now).is_none(), "an update during binding does not schedule twice");
        state.apply(Change::Pod(Event::Apply(seen_pod("a", "800m", Some("n1")))), now);
        let later = now + std::time::Duration::from_secs(2);
        state.apply(Change::Pod(Event::Delete(seen_pod("a", "800m", Some("n1")))), later);
        assert!(matches!(state.schedule_one(later), Some(Decision::Bind(next, _)) if next.pod.name == "b"));
    }

    #[test]
    fn a_refused_binding_is_tried_again_later() {
        let (mut state, now) = (synced(), Instant::now());
        state.apply(Change::Pod(Event::Apply(seen_pod("a", "800m", None))), now);
        let (attempt, _) = bind(&mut state);
        state.bind_failed(attempt, false, now);
        assert!(state.schedule_one(now).is_none());
        assert!(state.schedule_one(now + std::time::Duration::from_secs(1)).is_some());
    }

    #[test]
    fn other_schedulers_pods_and_deleted_ones_are_left_alone() {
        let (mut state, now) = (synced(), Instant::now());
        let foreign = PodInfo { scheduler: "other".into(), ..(*seen_pod("a", "1m", None)).clone() };
        state.apply(Change::Pod(Event::Apply(Arc::new(foreign))), now);
        let deleting = PodInfo { deleting: true, ..(*seen_pod("b", "1m", None)).clone() };
        state.apply(Change::Pod(Event::Apply(Arc::new(deleting))), now);
        assert!(state.schedule_one(now).is_none());
    }

    #[test]
    fn a_new_node_helps_at_once() {
        let (mut state, now) = (synced(), Instant::now());
        state.apply(Change::Pod(Event::Apply(seen_pod("a", "4", None))), now);
        assert!(matches!(state.schedule_one(now), Some(Decision::NoFit(..))));
        let later = now + std::time::Duration::from_secs(5);
        state.apply(Change::Node(Event::Apply(seen_node("n2", "8", "1Gi"))), later);
        assert!(matches!(state.schedule_one(later), Some(Decision::Bind(_, node)) if node == "n2"));
    }
}
