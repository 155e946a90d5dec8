//! TaintToleration: taints that the pod does not tolerate keep it away (NoSchedule, NoExecute) or make the node
//! less liked (PreferNoSchedule).

use super::normalize;
use crate::framework::{ClusterEvent, Filter, Score, Unfit};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;

/// See the module's documentation.
pub struct TaintToleration;

impl Filter for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Unfit> {
        let untolerated = node
            .offer
            .taints
            .iter()
            .filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
            .find(|taint| !pod.tolerates(taint));
        match untolerated {
            None => Ok(()),
            Some(taint) => Err(Unfit::unresolvable(format!(
                "node(s) had untolerated taint {{{}: {}}}",
                taint.key,
                taint.value.as_deref().unwrap_or_default()
            ))),
        }
    }

    fn helped_by(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::NodeChanged
    }
}

impl Score for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let disliked = node.offer.taints.iter().filter(|t| t.effect == "PreferNoSchedule" && !pod.tolerates(t)).count();
        i64::try_from(disliked).unwrap_or(i64::MAX / 100)
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize(scores, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{nodes, pod, taint, toleration};

    #[test]
    fn filter_and_score() {
        let mut node = nodes(1, 1000, 1 << 30).remove(0);
        node.offer.taints = vec![taint("soft", "1", "PreferNoSchedule")];
        let plain = pod("p").build();
        assert!(TaintToleration.filter(&plain, &node).is_ok());
        assert_eq!(TaintToleration.score(&plain, &node), 1);
        node.offer.taints.push(taint("hard", "x", "NoExecute"));
        let unfit = TaintToleration.filter(&plain, &node).unwrap_err();
        assert_eq!(unfit.reasons, ["node(s) had untolerated taint {hard: x}"]);
        let tolerant = pod("p").tolerate(toleration("hard", "Equal", "x", "NoExecute")).build();
        assert!(TaintToleration.filter(&tolerant, &node).is_ok());
        let other = pod("p").tolerate(toleration("hard", "Equal", "y", "NoExecute")).build();
        assert!(TaintToleration.filter(&other, &node).is_err());
    }
}
