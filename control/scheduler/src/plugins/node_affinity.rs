//! NodeAffinity: `spec.nodeSelector` and required node affinity must name the node; preferred affinity likes it.

use super::normalize;
use crate::affinity::{any_term_matches, term_matches};
use crate::framework::{ClusterEvent, Filter, Score, Unfit};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;

/// See the module's documentation.
pub struct NodeAffinity;

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn concerns(&self, pod: &PodInfo) -> bool {
        !pod.node_selector.is_empty() || pod.required_terms.is_some()
    }

    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Unfit> {
        let labels = &node.offer.labels;
        let selected = pod.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value));
        let named = pod.required_terms.as_ref().is_none_or(|terms| any_term_matches(terms, &node.name, labels));
        if selected && named {
            Ok(())
        } else {
            Err(Unfit::unresolvable("node(s) didn't match Pod's node affinity/selector"))
        }
    }

    fn helped_by(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::NodeChanged
    }
}

impl Score for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn concerns(&self, pod: &PodInfo) -> bool {
        !pod.preferred_terms.is_empty()
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        pod.preferred_terms
            .iter()
            .filter(|term| term_matches(&term.preference, &node.name, &node.offer.labels))
            .map(|term| i64::from(term.weight))
            .sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize(scores, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{nodes, pod};

    #[test]
    fn node_selector() {
        let mut node = nodes(1, 1000, 1 << 30).remove(0);
        let picky = pod("p").select("disk", "ssd").build();
        assert!(Filter::concerns(&NodeAffinity, &picky));
        assert!(!Filter::concerns(&NodeAffinity, &pod("q").build()));
        assert_eq!(
            NodeAffinity.filter(&picky, &node).unwrap_err().reasons,
            ["node(s) didn't match Pod's node affinity/selector"]
        );
        node.offer.labels.insert("disk".into(), "ssd".into());
        assert!(NodeAffinity.filter(&picky, &node).is_ok());
    }

    #[test]
    fn required_terms_without_a_term_name_no_node() {
        let node = nodes(1, 1000, 1 << 30).remove(0);
        let mut pod = pod("p").build();
        pod.required_terms = Some(vec![]);
        assert!(NodeAffinity.filter(&pod, &node).is_err());
    }
}
