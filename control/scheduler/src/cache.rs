//! Nodes and the pods on them, kept up to date by watch events and by the scheduler's own decisions.
//!
//! A pod is *assumed* from the decision until the API server shows it bound, so that the next decision counts it.
//!
//! Invariant: every pod in `pods` is counted in exactly one node, known or remembered.

use crate::node_info::{NodeInfo, NodeOffer, Usage};
use crate::pod_info::PodInfo;
use std::collections::{HashMap, HashSet};

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Cache {
    nodes: Vec<NodeInfo>,
    index: HashMap<String, usize>,
    /// Usage on nodes that have no object (yet, or any more): pods may be seen before their node.
    remembered: HashMap<String, NodeInfo>,
    pods: HashMap<String, Placed>,
}

#[derive(Debug)]
struct Placed {
    usage: Usage,
    node: Box<str>,
    stage: Stage,
}

/// How sure it is that the pod is where we count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Decided; the binding is being written.
    Assumed,
    /// The binding was acknowledged; the watch has not shown it yet.
    Bound,
    /// The watch shows it.
    Observed,
}

impl Cache {
    /// The nodes that can be chosen, in no order.
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// Takes in a node as its object states it; true if its offer is new or changed.
    pub fn set_node(&mut self, name: &str, offer: NodeOffer) -> bool {
        if let Some(&at) = self.index.get(name) {
            let node = &mut self.nodes[at];
            let changed = node.offer != offer;
            node.offer = offer;
            return changed;
        }
        let mut node = self.remembered.remove(name).unwrap_or_else(|| NodeInfo::named(name));
        node.offer = offer;
        self.index.insert(name.to_owned(), self.nodes.len());
        self.nodes.push(node);
        true
    }

    /// Forgets a node; the usage of pods still bound to it is remembered, should it come back.
    pub fn remove_node(&mut self, name: &str) {
        let Some(at) = self.index.remove(name) else { return };
        let node = self.nodes.swap_remove(at);
        if let Some(moved) = self.nodes.get(at) {
            self.index.insert(moved.name.clone(), at);
        }
        if node.pod_count > 0 {
            self.remembered.insert(name.to_owned(), node);
        }
    }

    /// Forgets the nodes that are not in `present`, after a new list.
    pub fn retain_nodes(&mut self, present: &HashSet<String>) {
        let gone: Vec<String> = self.index.keys().filter(|name| !present.contains(*name)).cloned().collect();
        gone.iter().for_each(|name| self.remove_node(name));
    }

    /// Counts a pod on the node it was just given.
    pub fn assume(&mut self, pod: &PodInfo, node: &str) {
        self.place(pod, node, Stage::Assumed);
    }

    /// The binding of an assumed pod was acknowledged.
    pub fn bound(&mut self, uid: &str) {
        if let Some(placed) = self.pods.get_mut(uid).filter(|p| p.stage == Stage::Assumed) {
            placed.stage = Stage::Bound;
        }
    }

    /// Counts a pod where the API server says it is.
    pub fn observe(&mut self, pod: &PodInfo, node: &str) {
        if let Some(placed) = self.pods.get_mut(&pod.uid)
            && *placed.node == *node
            && placed.usage == Usage::of(pod)
        {
            placed.stage = Stage::Observed;
            return;
        }
        self.place(pod, node, Stage::Observed);
    }

    /// Whether the pod was given a node that the watch does not show yet.
    pub fn is_assumed(&self, uid: &str) -> bool {
        self.pods.get(uid).is_some_and(|p| p.stage != Stage::Observed)
    }

    /// Takes a pod out; whether it was counted.
    pub fn remove_pod(&mut self, uid: &str) -> bool {
        let Some(placed) = self.pods.remove(uid) else { return false };
        if let Some(&at) = self.index.get(&*placed.node) {
            self.nodes[at].subtract(&placed.usage);
        } else if let Some(node) = self.remembered.get_mut(&*placed.node) {
            node.subtract(&placed.usage);
            if node.pod_count == 0 {
                self.remembered.remove(&*placed.node);
            }
        }
        true
    }

    /// Takes out the pods that a new list no longer has; those whose binding is being written stay. How many went.
    pub fn retain_pods(&mut self, present: &HashSet<String>) -> usize {
        let gone: Vec<String> = self
            .pods
            .iter()
            .filter(|(uid, placed)| placed.stage != Stage::Assumed && !present.contains(*uid))
            .map(|(uid, _)| uid.clone())
            .collect();
        gone.iter().for_each(|uid| _ = self.remove_pod(uid));
        gone.len()
    }

    fn place(&mut self, pod: &PodInfo, node: &str, stage: Stage) {
        self.remove_pod(&pod.uid);
        let usage = Usage::of(pod);
        match self.index.get(node) {
            Some(&at) => self.nodes[at].add(&usage),
            None => self.remembered.entry(node.to_owned()).or_insert_with(|| NodeInfo::named(node)).add(&usage),
        }
        self.pods.insert(pod.uid.clone(), Placed { usage, node: node.into(), stage });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node_offer, pod};

    fn usage(cache: &Cache, node: &str) -> i64 {
        cache.nodes().iter().find(|n| n.name == node).map_or(-1, |n| n.requested.milli_cpu)
    }

    #[test]
    fn an_assumed_pod_is_counted_once_when_it_is_observed() {
        let mut cache = Cache::default();
        cache.set_node("n1", node_offer(4000, 1 << 30));
        let pod = pod("p").cpu(500).build();
        cache.assume(&pod, "n1");
        assert!(cache.is_assumed(&pod.uid));
        cache.bound(&pod.uid);
        cache.observe(&pod, "n1");
        assert!(!cache.is_assumed(&pod.uid));
        assert_eq!(usage(&cache, "n1"), 500);
        cache.remove_pod(&pod.uid);
        assert_eq!(usage(&cache, "n1"), 0);
    }

    #[test]
    fn a_node_that_comes_back_has_its_pods_counted() {
        let mut cache = Cache::default();
        let pod = pod("p").cpu(500).build();
        cache.observe(&pod, "n1");
        assert!(cache.nodes().is_empty());
        cache.set_node("n1", node_offer(4000, 1 << 30));
        assert_eq!(usage(&cache, "n1"), 500);
        cache.remove_node("n1");
        cache.set_node("n1", node_offer(4000, 1 << 30));
        assert_eq!(usage(&cache, "n1"), 500);
    }

    #[test]
    fn removing_a_node_keeps_the_index_right() {
        let mut cache = Cache::default();
        for name in ["a", "b", "c"] {
            cache.set_node(name, node_offer(1000, 1 << 30));
        }
        cache.remove_node("a");
        cache.observe(&pod("p").cpu(100).build(), "c");
        cache.observe(&pod("q").cpu(200).build(), "b");
        assert_eq!((usage(&cache, "b"), usage(&cache, "c"), usage(&cache, "a")), (200, 100, -1));
    }

    #[test]
    fn a_new_list_keeps_what_is_being_bound() {
        let mut cache = Cache::default();
        cache.set_node("n1", node_offer(4000, 1 << 30));
        let (binding, lost) = (pod("p").cpu(1).build(), pod("q").cpu(2).build());
        cache.assume(&binding, "n1");
        cache.observe(&lost, "n1");
        assert_eq!(cache.retain_pods(&HashSet::new()), 1);
        assert_eq!(usage(&cache, "n1"), 1);
        cache.bound(&binding.uid);
        cache.retain_pods(&HashSet::new());
        assert_eq!(usage(&cache, "n1"), 0, "a bound pod that a later list lacks was deleted meanwhile");
    }

    #[test]
    fn only_a_changed_offer_counts_as_a_change() {
        let mut cache = Cache::default();
        assert!(cache.set_node("n1", node_offer(1000, 1)));
        assert!(!cache.set_node("n1", node_offer(1000, 1)));
        assert!(cache.set_node("n1", node_offer(2000, 1)));
    }
}
