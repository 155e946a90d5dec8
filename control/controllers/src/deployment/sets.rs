//! Telling a Deployment's ReplicaSets apart: the one of the current template, and the old ones.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use std::sync::Arc;

/// The label that tells the pods of different templates apart.
pub const TEMPLATE_HASH: &str = "pod-template-hash";

/// A Deployment's sets: `new` has its current template.
#[derive(Debug, Clone, Default)]
pub struct Sets {
    /// The set of the current template, if it exists.
    pub new: Option<Arc<ReplicaSet>>,
    /// All others, oldest first.
    pub old: Vec<Arc<ReplicaSet>>,
}

impl Sets {
    /// Sorts `sets` by age and finds the one of the current template (the oldest, should there be several).
    pub fn of(deployment: &Deployment, mut sets: Vec<Arc<ReplicaSet>>) -> Sets {
        sets.sort_by(|a, b| {
            let age = |set: &ReplicaSet| (set.metadata.creation_timestamp.clone(), set.metadata.name.clone());
            age(a).cmp(&age(b))
        });
        let template = deployment.spec.as_ref().map(|s| &s.template);
        let at = sets.iter().position(|set| template.is_some_and(|template| same_template(template, set)));
        let new = at.map(|at| sets.remove(at));
        Sets { new, old: sets }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.old.iter().chain(&self.new)
    }
}

/// Whether the set was made from `template`, apart from the hash label.
pub fn same_template(template: &PodTemplateSpec, set: &ReplicaSet) -> bool {
    let Some(of_set) = set.spec.as_ref().and_then(|s| s.template.as_ref()) else { return false };
    without_hash(of_set) == without_hash(template)
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    let mut meta = template.metadata.take().unwrap_or_default();
    if let Some(labels) = &mut meta.labels {
        labels.remove(TEMPLATE_HASH);
    }
    meta.creation_timestamp = None;
    template.metadata = Some(meta);
    template
}

/// `spec.replicas`.
pub fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
}

/// `status.replicas`.
pub fn actual(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |s| s.replicas)
}

/// `status.readyReplicas`.
pub fn ready(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0)
}

/// `status.availableReplicas`.
pub fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|s| s.available_replicas).unwrap_or(0)
}

/// The sum of a count over sets.
pub fn sum<'a>(sets: impl IntoIterator<Item = &'a Arc<ReplicaSet>>, count: fn(&ReplicaSet) -> i32) -> i32 {
    sets.into_iter().map(|set| count(set)).sum()
}

/// Old sets beyond the history limit that nothing depends on any more, lowest revision first.
pub fn to_clean_up(old: &[Arc<ReplicaSet>], limit: i32) -> Vec<Arc<ReplicaSet>> {
    let mut candidates: Vec<_> = old.iter().filter(|set| set.metadata.deletion_timestamp.is_none()).cloned().collect();
    let excess = candidates.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    candidates.sort_by_key(|set| super::annotations::revision(set));
    candidates.truncate(excess);
    candidates.retain(|set| {
        let observed = set.status.as_ref().and_then(|s| s.observed_generation);
        wanted(set) == 0 && actual(set) == 0 && set.metadata.generation.unwrap_or(0) <= observed.unwrap_or(0)
    });
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::rollout::testing::{deployment, set};
    use serde_json::json;

    #[test]
    fn the_current_template_is_found_whatever_its_hash() {
        let deployment = deployment(3, &json!({}));
        let mut old = (*set("old", 1, 1, 0)).clone();
        old.spec.as_mut().unwrap().template.as_mut().unwrap().spec.as_mut().unwrap().containers[0].image =
            Some("v0".into());
        let sets = Sets::of(&deployment, vec![set("new", 3, 3, 1), Arc::new(old)]);
        assert_eq!(sets.new.as_ref().unwrap().metadata.name.as_deref(), Some("new"));
        assert_eq!(sets.old.len(), 1);
        assert_eq!(sum(sets.all(), wanted), 4);
    }

    #[test]
    fn only_empty_sets_beyond_the_limit_are_cleaned_up() {
        let numbered = |name: &str, revision: i64, wanted: i32| {
            let mut numbered = (*set(name, wanted, wanted, 0)).clone();
            let annotation = (super::super::annotations::REVISION.to_owned(), revision.to_string());
            numbered.metadata.annotations = Some([annotation].into());
            Arc::new(numbered)
        };
        let old = [numbered("r3", 3, 0), numbered("r1", 1, 0), numbered("r2", 2, 1), numbered("r4", 4, 0)];
        let names: Vec<_> = to_clean_up(&old, 2).iter().map(|s| s.metadata.name.clone().unwrap()).collect();
        assert_eq!(names, ["r1"], "r2 is one too many as well, but has a pod");
        assert!(to_clean_up(&old, 10).is_empty());
    }
}
