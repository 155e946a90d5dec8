//! Which active pods a Job has too many of.

use super::template::{index_of, is_indexed};
use crate::ranking::sort_for_deletion;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeMap;
use std::sync::Arc;

/// At least `least` of the `active` pods, the least useful first. Of an indexed Job all those, too, whose index is not
/// (or no longer) one of the Job's, or has another pod.
pub fn surplus(job: &Job, active: &[Arc<Pod>], least: usize, now: Timestamp) -> Vec<Arc<Pod>> {
    let (mut surplus, mut rest) =
        if is_indexed(job) { duplicates(job, active, now) } else { (vec![], active.to_vec()) };
    if surplus.len() < least {
        sort_for_deletion(&mut rest, &[], now);
        rest.truncate(least - surplus.len());
        surplus.append(&mut rest);
    }
    surplus
}

/// The pods that are superfluous whatever the parallelism, and the others, one for each index.
fn duplicates(job: &Job, active: &[Arc<Pod>], now: Timestamp) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
    let completions = job.spec.as_ref().and_then(|spec| spec.completions).unwrap_or(0);
    let (mut surplus, mut rest) = (Vec::new(), Vec::new());
    let mut by_index: BTreeMap<i32, Vec<Arc<Pod>>> = BTreeMap::new();
    for pod in active {
        match index_of(pod, completions) {
            Some(index) => by_index.entry(index).or_default().push(pod.clone()),
            None => surplus.push(pod.clone()),
        }
    }
    for mut pods in by_index.into_values() {
        sort_for_deletion(&mut pods, &[], now);
        rest.extend(pods.pop());
        surplus.append(&mut pods);
    }
    (surplus, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, index: Option<i32>, phase: &str) -> Arc<Pod> {
        let annotations = index.map(|index| json!({(super::super::INDEX_KEY): index.to_string()}));
        let value = json!({
            "metadata": {"name": name, "uid": name, "annotations": annotations},
            "spec": {"nodeName": "n", "containers": []}, "status": {"phase": phase},
        });
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn names(job: serde_json::Value, active: &[Arc<Pod>], least: usize) -> Vec<String> {
        let job: Job = serde_json::from_value(json!({"spec": job})).unwrap();
        let found = surplus(&job, active, least, Timestamp::UNIX_EPOCH);
        found.iter().map(|pod| pod.metadata.name.clone().unwrap()).collect()
    }

    #[test]
    fn the_least_useful_are_too_many() {
        let active = [pod("a", None, "Running"), pod("b", None, "Pending")];
        let spec = json!({"template": {}});
        assert_eq!(names(spec.clone(), &active, 1), ["b"]);
        assert!(names(spec, &active, 0).is_empty());
    }

    #[test]
    fn each_index_has_one_pod_below_the_completions() {
        let spec = json!({"template": {}, "completionMode": "Indexed", "completions": 2});
        let active = [
            pod("first", Some(0), "Running"),
            pod("twin", Some(0), "Pending"),
            pod("second", Some(1), "Pending"),
            pod("beyond", Some(2), "Running"),
            pod("stranger", None, "Running"),
        ];
        assert_eq!(names(spec.clone(), &active, 0), ["beyond", "stranger", "twin"]);
        assert_eq!(names(spec, &active, 4), ["beyond", "stranger", "twin", "second"]);
    }
}
