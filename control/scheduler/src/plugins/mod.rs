//! The plugins of the default profile, one module each, with the names and words of Kubernetes'.

mod least_allocated;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_fit;
mod node_unschedulable;
mod taint_toleration;

pub use least_allocated::LeastAllocated;
pub use node_affinity::NodeAffinity;
pub use node_name::NodeName;
pub use node_ports::NodePorts;
pub use node_resources_fit::NodeResourcesFit;
pub use node_unschedulable::NodeUnschedulable;
pub use taint_toleration::TaintToleration;

use crate::framework::MAX_SCORE;

/// Scales raw scores so that the highest becomes [`MAX_SCORE`]; `reverse` makes the lowest the best.
fn normalize(scores: &mut [i64], reverse: bool) {
    let highest = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        let scaled = if highest == 0 { 0 } else { *score * MAX_SCORE / highest };
        *score = if reverse { MAX_SCORE - scaled } else { scaled };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn normalized_scores() {
        let mut scores = [0, 5, 10];
        super::normalize(&mut scores, false);
        assert_eq!(scores, [0, 50, 100]);
        super::normalize(&mut scores, true);
        assert_eq!(scores, [100, 50, 0]);
        let mut none = [0, 0];
        super::normalize(&mut none, true);
        assert_eq!(none, [100, 100]);
    }
}
