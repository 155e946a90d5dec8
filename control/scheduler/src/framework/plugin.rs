//! What plugins implement, and the profile that lists them.

use crate::node_info::NodeInfo;
use crate::plugins;
use crate::pod_info::PodInfo;
use std::borrow::Cow;

/// The best a node can score.
pub const MAX_SCORE: i64 = 100;

/// A change in the cluster that may let a pod fit which did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterEvent {
    /// A node came, or its labels, taints, allocatable or schedulability changed.
    NodeChanged,
    /// A pod left its node and gave its requests and ports back.
    PodRemoved,
}

/// Why a node does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The reasons, in Kubernetes' words; each is counted over all nodes.
    pub reasons: Vec<Cow<'static, str>>,
    /// Whether removing pods from the node could change the answer.
    pub resolvable: bool,
}

impl Unfit {
    /// A refusal that removing pods from the node can't lift.
    pub fn unresolvable(reason: impl Into<Cow<'static, str>>) -> Unfit {
        Unfit { reasons: vec![reason.into()], resolvable: false }
    }

    /// A refusal because of what other pods on the node take.
    pub fn resolvable(reason: impl Into<Cow<'static, str>>) -> Unfit {
        Unfit { reasons: vec![reason.into()], resolvable: true }
    }
}

/// Says whether a pod can run on a node.
pub trait Filter: Send + Sync {
    /// The plugin's name, as in Kubernetes' scheduler configuration.
    fn name(&self) -> &'static str;

    /// Whether this pod has anything that the filter looks at; a filter that says no is not asked about any node.
    fn concerns(&self, _pod: &PodInfo) -> bool {
        true
    }

    /// Whether `pod` can run on `node`.
    ///
    /// # Errors
    /// The reasons why it can't.
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Unfit>;

    /// Whether `event` could change an earlier refusal.
    fn helped_by(&self, event: ClusterEvent) -> bool;
}

/// Says how well a pod that can run on a node would run there.
pub trait Score: Send + Sync {
    /// The plugin's name, as in Kubernetes' scheduler configuration.
    fn name(&self) -> &'static str;

    /// Whether this pod has anything that the plugin looks at; otherwise all nodes are the same to it.
    fn concerns(&self, _pod: &PodInfo) -> bool {
        true
    }

    /// The node's raw score.
    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64;

    /// Brings the raw scores of all nodes that fit into 0..=[`MAX_SCORE`]; by default they are there already.
    fn normalize(&self, _scores: &mut [i64]) {}
}

/// The plugins that one scheduler asks, in order, with the weight of each score.
pub struct Profile {
    /// Asked in this order; the first that refuses a node decides what is said about it.
    pub filters: Vec<Box<dyn Filter>>,
    /// Each normalized score is multiplied by its weight.
    pub scores: Vec<(Box<dyn Score>, i64)>,
}

impl Default for Profile {
    /// Kubernetes' default plugins and weights, as far as they are built.
    fn default() -> Self {
        Profile {
            filters: vec![
                Box::new(plugins::NodeUnschedulable),
                Box::new(plugins::NodeName),
                Box::new(plugins::TaintToleration),
                Box::new(plugins::NodeAffinity),
                Box::new(plugins::NodePorts),
                Box::new(plugins::NodeResourcesFit),
            ],
            scores: vec![
                (Box::new(plugins::TaintToleration), 3),
                (Box::new(plugins::NodeAffinity), 2),
                (Box::new(plugins::LeastAllocated), 1),
            ],
        }
    }
}

impl Profile {
    /// Whether `event` could help a pod that the filters called `refused` turned away.
    pub fn could_help(&self, refused: &[&'static str], event: ClusterEvent) -> bool {
        self.filters.iter().any(|f| refused.contains(&f.name()) && f.helped_by(event))
    }
}
