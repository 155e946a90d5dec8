//! Why no node fits, in the words Kubernetes' users search for.

use super::plugin::Unfit;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// No node fits the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FitError {
    nodes: usize,
    unresolvable: usize,
    reasons: BTreeMap<Cow<'static, str>, usize>,
    /// The filters that refused at least one node.
    pub plugins: Vec<&'static str>,
}

impl FitError {
    /// Nothing refused yet, of `nodes` nodes.
    pub fn new(nodes: usize) -> FitError {
        FitError { nodes, ..FitError::default() }
    }

    /// Counts one node's refusal.
    pub fn refused(&mut self, plugin: &'static str, unfit: Unfit) {
        if !self.plugins.contains(&plugin) {
            self.plugins.push(plugin);
        }
        self.unresolvable += usize::from(!unfit.resolvable);
        for reason in unfit.reasons {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        let reasons: Vec<(usize, &str)> =
            self.reasons.iter().map(|(reason, count)| (*count, reason.as_ref())).collect();
        let resolvable = self.nodes.saturating_sub(self.unresolvable);
        let preemption = [
            (self.unresolvable, "Preemption is not helpful for scheduling"),
            (resolvable, "No preemption victims found for incoming pod"),
        ];
        let nodes = self.nodes;
        write!(f, "0/{nodes} nodes are available: {}. ", histogram(&reasons))?;
        write!(f, "preemption: 0/{nodes} nodes are available: {}.", histogram(&preemption))
    }
}

/// `2 Insufficient cpu, 3 Too many pods`: sorted as text, the way Kubernetes does.
fn histogram(counts: &[(usize, &str)]) -> String {
    let mut parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, reason)| format!("{count} {reason}")).collect();
    parts.sort();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_kubernetes_says() {
        let mut error = FitError::new(3);
        error.refused("NodeResourcesFit", Unfit::resolvable("Insufficient cpu"));
        error.refused("TaintToleration", Unfit::unresolvable("node(s) had untolerated taint {k: v}"));
        error.refused("TaintToleration", Unfit::unresolvable("node(s) had untolerated taint {k: v}"));
        assert_eq!(
            error.to_string(),
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. preemption: 0/3 \
             nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for \
             scheduling."
        );
        assert_eq!(error.plugins, ["NodeResourcesFit", "TaintToleration"]);
        assert_eq!(FitError::new(0).to_string(), "no nodes available to schedule pods");
    }
}
