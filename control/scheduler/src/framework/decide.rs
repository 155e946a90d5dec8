//! One decision: filter the nodes, score those that fit, take the best.

use super::fit_error::FitError;
use super::plugin::{Filter, Profile, Unfit};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;

/// Nodes that fit are looked for until this many are found; fewer would make small clusters badly balanced.
const MIN_FEASIBLE_NODES: usize = 100;
/// At least this percentage of a large cluster's nodes is looked at.
const MIN_PERCENTAGE: usize = 5;

/// Where the search for nodes goes on, so that equal nodes get their turn, and buffers that decisions reuse.
#[derive(Debug, Default)]
pub struct Cursor {
    next: usize,
    feasible: Vec<usize>,
    totals: Vec<i64>,
    scores: Vec<i64>,
}

/// The index in `nodes` of the best node for `pod`.
///
/// # Errors
/// [`FitError`] if no node fits, or there is none.
pub fn decide(profile: &Profile, nodes: &[NodeInfo], pod: &PodInfo, cursor: &mut Cursor) -> Result<usize, FitError> {
    if nodes.is_empty() {
        return Err(FitError::new(0));
    }
    let filters: Vec<&dyn Filter> = profile.filters.iter().map(AsRef::as_ref).filter(|f| f.concerns(pod)).collect();
    let looked_at = find_feasible(&filters, nodes, pod, cursor);
    if cursor.feasible.is_empty() {
        return Err(explain(&filters, nodes, pod));
    }
    // One further than was looked at: a cluster that is searched as a whole each time must not always begin at the
    // same node.
    cursor.next = (cursor.next + looked_at + 1) % nodes.len();
    Ok(best(profile, nodes, pod, cursor))
}

/// Fills `cursor.feasible`; how many nodes were looked at for it.
fn find_feasible(filters: &[&dyn Filter], nodes: &[NodeInfo], pod: &PodInfo, cursor: &mut Cursor) -> usize {
    let wanted = feasible_wanted(nodes.len());
    let begin = cursor.next % nodes.len();
    cursor.feasible.clear();
    let mut looked_at = 0;
    for at in (begin..nodes.len()).chain(0..begin) {
        looked_at += 1;
        if filters.iter().all(|f| f.filter(pod, &nodes[at]).is_ok()) {
            cursor.feasible.push(at);
            if cursor.feasible.len() == wanted {
                break;
            }
        }
    }
    looked_at
}

/// How many nodes that fit are enough, as Kubernetes has it: all of 100 and falling to 5 % of the largest clusters.
fn feasible_wanted(nodes: usize) -> usize {
    if nodes <= MIN_FEASIBLE_NODES {
        return nodes;
    }
    let percentage = 50_usize.saturating_sub(nodes / 125).max(MIN_PERCENTAGE);
    (nodes * percentage / 100).max(MIN_FEASIBLE_NODES)
}

/// Asks once more, keeping the answers: only a pod that fits nowhere pays for the words.
fn explain(filters: &[&dyn Filter], nodes: &[NodeInfo], pod: &PodInfo) -> FitError {
    let mut error = FitError::new(nodes.len());
    for node in nodes {
        let refusal: Option<(&'static str, Unfit)> =
            filters.iter().find_map(|f| f.filter(pod, node).err().map(|unfit| (f.name(), unfit)));
        if let Some((plugin, unfit)) = refusal {
            error.refused(plugin, unfit);
        }
    }
    error
}

/// The first of the nodes with the highest weighted score.
fn best(profile: &Profile, nodes: &[NodeInfo], pod: &PodInfo, cursor: &mut Cursor) -> usize {
    if let [only] = cursor.feasible[..] {
        return only;
    }
    cursor.totals.clear();
    cursor.totals.resize(cursor.feasible.len(), 0);
    for (plugin, weight) in profile.scores.iter().filter(|(plugin, _)| plugin.concerns(pod)) {
        cursor.scores.clear();
        cursor.scores.extend(cursor.feasible.iter().map(|&at| plugin.score(pod, &nodes[at])));
        plugin.normalize(&mut cursor.scores);
        for (total, score) in cursor.totals.iter_mut().zip(&cursor.scores) {
            *total += score * weight;
        }
    }
    let mut winner = 0;
    for (i, total) in cursor.totals.iter().enumerate().skip(1) {
        if *total > cursor.totals[winner] {
            winner = i;
        }
    }
    cursor.feasible[winner]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_info::Usage;
    use crate::testing::{nodes, pod};
    use k8s_openapi::api::core::v1::Taint;
    use std::collections::HashMap;

    #[test]
    fn equal_pods_spread_evenly() {
        let mut nodes = nodes(10, 10_000, 10 << 30);
        let (profile, mut cursor) = (Profile::default(), Cursor::default());
        let mut counts = HashMap::new();
        for i in 0..50 {
            let pod = pod(&format!("p{i}")).cpu(100).memory(64 << 20).build();
            let at = decide(&profile, &nodes, &pod, &mut cursor).unwrap();
            nodes[at].add(&Usage::of(&pod));
            *counts.entry(at).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|count| *count == 5), "{counts:?}");
    }

    #[test]
    fn the_emptier_node_wins() {
        let mut nodes = nodes(2, 1000, 1 << 30);
        nodes[0].add(&Usage::of(&pod("busy").cpu(500).build()));
        let at = decide(&Profile::default(), &nodes, &pod("p").cpu(100).build(), &mut Cursor::default()).unwrap();
        assert_eq!(at, 1);
    }

    #[test]
    fn a_pod_that_fits_nowhere_hears_why() {
        let mut nodes = nodes(3, 1000, 1 << 30);
        for node in &mut nodes[1..] {
            node.offer.taints = vec![Taint {
                key: "k".into(),
                value: Some("v".into()),
                effect: "NoSchedule".into(),
                ..Taint::default()
            }];
        }
        nodes[0].add(&Usage::of(&pod("busy").cpu(900).build()));
        let error =
            decide(&Profile::default(), &nodes, &pod("p").cpu(200).build(), &mut Cursor::default()).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. preemption:"
            ),
            "{error}"
        );
        assert!(decide(&Profile::default(), &[], &pod("p").build(), &mut Cursor::default()).is_err());
    }

    #[test]
    fn large_clusters_are_not_searched_whole() {
        assert_eq!(feasible_wanted(1), 1);
        assert_eq!(feasible_wanted(100), 100);
        assert_eq!(feasible_wanted(1000), 420);
        assert_eq!(feasible_wanted(10_000), 500);
    }
}
