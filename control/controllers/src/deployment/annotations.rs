//! The annotations by which a Deployment numbers its ReplicaSets and remembers what it scaled them for.

use super::strategy::Limits;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use std::collections::BTreeMap;

/// Which rollout a ReplicaSet belongs to; `kubectl rollout history` reads it.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Revisions the ReplicaSet had before it was rolled back to.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// What the deployment wanted when it scaled the set last.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// That and the surge.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
/// Longest history kept, in bytes, as in Kubernetes.
const MAX_HISTORY_BYTES: usize = 2000;

/// Annotations that a ReplicaSet has of its own and does not take from its Deployment.
const OWN: [&str; 6] = [LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, ROLLBACK_TO];

/// The revision of a set; 0 without one.
pub fn revision(set: &ReplicaSet) -> i64 {
    set.metadata.annotations.as_ref().and_then(|a| a.get(REVISION)).and_then(|r| r.parse().ok()).unwrap_or(0)
}

/// The highest revision of these sets.
pub fn max_revision<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i64 {
    sets.into_iter().map(revision).max().unwrap_or(0)
}

/// A number in one of the set's annotations.
pub fn number(set: &ReplicaSet, annotation: &str) -> Option<i32> {
    set.metadata.annotations.as_ref()?.get(annotation)?.parse().ok()
}

/// What the annotations of the newest set must be at `revision`.
pub fn for_new_set(
    deployment: &Deployment,
    current: &BTreeMap<String, String>,
    new_revision: i64,
) -> BTreeMap<String, String> {
    let mut wanted = current.clone();
    for (key, value) in deployment.metadata.annotations.iter().flatten() {
        if !OWN.contains(&key.as_str()) {
            wanted.insert(key.clone(), value.clone());
        }
    }
    let old = current.get(REVISION);
    if old.and_then(|r| r.parse::<i64>().ok()).unwrap_or(0) < new_revision {
        wanted.insert(REVISION.to_owned(), new_revision.to_string());
        if let Some(old) = old.filter(|old| !old.is_empty()) {
            let history = remember(current.get(REVISION_HISTORY).map_or("", String::as_str), old);
            wanted.insert(REVISION_HISTORY.to_owned(), history);
        }
    }
    wanted
}

/// Appends a revision, and drops the oldest ones that no longer fit.
fn remember(history: &str, revision: &str) -> String {
    let mut all = if history.is_empty() { revision.to_owned() } else { format!("{history},{revision}") };
    while all.len() > MAX_HISTORY_BYTES {
        match all.split_once(',') {
            Some((_, rest)) => all = rest.to_owned(),
            None => break,
        }
    }
    all
}

/// The two annotations that tell what a set is scaled for.
pub fn for_scale(limits: Limits) -> [(&'static str, String); 2] {
    [(DESIRED_REPLICAS, limits.replicas.to_string()), (MAX_REPLICAS, limits.max_pods().to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_rolled_back_to_remembers_its_revisions() {
        let mut deployment = Deployment::default();
        deployment.metadata.annotations = Some(BTreeMap::from([
            ("kubernetes.io/change-cause".to_owned(), "v2".to_owned()),
            (LAST_APPLIED.to_owned(), "{}".to_owned()),
        ]));
        let first = for_new_set(&deployment, &BTreeMap::new(), 1);
        assert_eq!(first[REVISION], "1");
        assert_eq!(first["kubernetes.io/change-cause"], "v2");
        assert!(!first.contains_key(LAST_APPLIED) && !first.contains_key(REVISION_HISTORY));
        let third = for_new_set(&deployment, &first, 3);
        assert_eq!((third[REVISION].as_str(), third[REVISION_HISTORY].as_str()), ("3", "1"));
        let fifth = for_new_set(&deployment, &third, 5);
        assert_eq!(fifth[REVISION_HISTORY], "1,3");
        assert_eq!(for_new_set(&deployment, &fifth, 5), fifth, "nothing to change");
    }

    #[test]
    fn history_is_bounded() {
        let long = (0..1000).fold(String::new(), |history, i| remember(&history, &i.to_string()));
        assert!(long.len() <= MAX_HISTORY_BYTES && long.ends_with(",999"));
    }
}
