//! Counting pods exactly once, whatever happens in between.
//!
//! First the uids of ended pods are written into the status; then their finalizers are removed; then they move from
//! the list into the counters. A crash at any point is continued by whoever looks next.

use super::TRACKING_FINALIZER;
use super::outcome::Outcome;
use super::template::is_indexed;
use crate::framework::MAX_PARALLEL_WRITES;
use coracle_client::is_code;
use futures::{StreamExt, stream};
use k8s_openapi::api::batch::v1::{Job, JobStatus, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// Uids in the status at most, as in Kubernetes: it must not grow with the Job.
const MAX_UNCOUNTED: usize = 500;

/// Whether the pod carries the finalizer.
pub fn has_finalizer(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == TRACKING_FINALIZER)
}

/// Uids of pods whose finalizer was removed, though the watch may still show it.
#[derive(Default)]
pub struct Removed(Mutex<HashSet<String>>);

impl Removed {
    /// Whether the pod still has its finalizer, as far as we know better than the watch.
    pub fn is_held(&self, pod: &Pod) -> bool {
        has_finalizer(pod) && !self.0.lock().contains(pod.metadata.uid.as_deref().unwrap_or_default())
    }

    /// The watch showed this pod; once that is without the finalizer, nothing has to be remembered.
    pub fn seen(&self, pod: &Pod, gone: bool) {
        if gone || !has_finalizer(pod) {
            self.0.lock().remove(pod.metadata.uid.as_deref().unwrap_or_default());
        }
    }

    fn insert(&self, pod: &Pod) {
        self.0.lock().insert(pod.metadata.uid.clone().unwrap_or_default());
    }
}

/// The status with the pods that ended since, up to the limit, noted as uncounted.
pub fn note(job: &Job, outcome: &Outcome) -> JobStatus {
    let mut status = job.status.clone().unwrap_or_default();
    let mut uncounted = status.uncounted_terminated_pods.take().unwrap_or_default();
    let indexed = is_indexed(job);
    if indexed {
        // Indexes are a set: writing them is counting them.
        status.completed_indexes = Some(outcome.completed.to_string()).filter(|text| !text.is_empty());
        status.succeeded = Some(outcome.completed.len());
    } else {
        append(&mut uncounted, |u| &mut u.succeeded, &outcome.new_succeeded);
    }
    if let Some(per_index) = &outcome.per_index {
        status.failed_indexes = Some(per_index.failed.to_string());
    }
    let failed: Vec<Arc<Pod>> = outcome.new_failed.iter().filter(|pod| !outcome.keeps(pod)).cloned().collect();
    append(&mut uncounted, |u| &mut u.failed, &failed);
    status.uncounted_terminated_pods = Some(uncounted).filter(|u| *u != UncountedTerminatedPods::default());
    status
}

fn append(
    uncounted: &mut UncountedTerminatedPods,
    list: fn(&mut UncountedTerminatedPods) -> &mut Option<Vec<String>>,
    pods: &[Arc<Pod>],
) {
    let full = uncounted.succeeded.iter().chain(&uncounted.failed).flatten().count();
    let uids = pods.iter().filter_map(|pod| pod.metadata.uid.clone());
    let new: Vec<String> = uids.take(MAX_UNCOUNTED.saturating_sub(full)).collect();
    if !new.is_empty() {
        list(uncounted).get_or_insert_default().extend(new);
    }
}

/// Takes the finalizers off; the first failure is returned after all were tried.
///
/// # Errors
/// The server's refusal. A pod that is gone, or has lost the finalizer already, is none.
pub async fn remove_finalizers(client: &Client, pods: Vec<Arc<Pod>>, removed: &Removed) -> kube::Result<()> {
    let results: Vec<kube::Result<()>> = stream::iter(pods)
        .map(|pod| async move {
            remove_finalizer(client, &pod).await?;
            removed.insert(&pod);
            Ok(())
        })
        .buffer_unordered(MAX_PARALLEL_WRITES)
        .collect()
        .await;
    results.into_iter().collect()
}

/// Takes the finalizer off one pod, and touches no other.
///
/// # Errors
/// As [`remove_finalizers`].
pub async fn remove_finalizer(client: &Client, pod: &Pod) -> kube::Result<()> {
    let api: Api<Pod> = Api::namespaced(client.clone(), pod.metadata.namespace.as_deref().unwrap_or_default());
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    match patch_finalizers(&api, pod).await {
        // The pod changed meanwhile: once more, on what is live.
        Err(error) if is_code(&error, 409) => match api.get_opt(name).await? {
            Some(live) if live.metadata.uid == pod.metadata.uid && has_finalizer(&live) => {
                patch_finalizers(&api, &live).await
            }
            _ => Ok(()),
        },
        result => result,
    }
}

/// With the version, so that a finalizer which somebody adds meanwhile is not lost.
async fn patch_finalizers(api: &Api<Pod>, pod: &Pod) -> kube::Result<()> {
    let rest: Vec<&String> =
        pod.metadata.finalizers.iter().flatten().filter(|finalizer| *finalizer != TRACKING_FINALIZER).collect();
    let patch = json!({"metadata": {
        "uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version, "finalizers": rest}});
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Err(error) if !is_code(&error, 404) => Err(error),
        _ => Ok(()),
    }
}

/// Moves the uncounted pods that no longer hold a finalizer into the counters.
pub fn count(status: &mut JobStatus, held: &HashSet<String>) {
    let Some(mut uncounted) = status.uncounted_terminated_pods.take() else { return };
    status.succeeded = add(status.succeeded, take_released(&mut uncounted.succeeded, held));
    status.failed = add(status.failed, take_released(&mut uncounted.failed, held));
    status.uncounted_terminated_pods = Some(uncounted).filter(|u| *u != UncountedTerminatedPods::default());
}

fn take_released(uids: &mut Option<Vec<String>>, held: &HashSet<String>) -> i32 {
    let Some(list) = uids else { return 0 };
    let before = list.len();
    list.retain(|uid| held.contains(uid));
    let released = before - list.len();
    if list.is_empty() {
        *uids = None;
    }
    i32::try_from(released).unwrap_or(i32::MAX)
}

fn add(count: Option<i32>, more: i32) -> Option<i32> {
    Some(count.unwrap_or(0).saturating_add(more)).filter(|count| *count != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.metadata.uid = Some(uid.to_owned());
        pod.metadata.finalizers = Some(vec![TRACKING_FINALIZER.to_owned()]);
        Arc::new(pod)
    }

    #[test]
    fn noted_then_counted() {
        let outcome =
            Outcome { new_succeeded: vec![pod("a"), pod("b")], new_failed: vec![pod("c")], ..Outcome::default() };
        let mut status = note(&Job::default(), &outcome);
        assert_eq!(status.succeeded, None);
        count(&mut status, &HashSet::from(["b".to_owned()]));
        assert_eq!((status.succeeded, status.failed), (Some(1), Some(1)));
        assert_eq!(status.uncounted_terminated_pods.as_ref().unwrap().succeeded, Some(vec!["b".to_owned()]));
        count(&mut status, &HashSet::new());
        assert_eq!((status.succeeded, status.uncounted_terminated_pods), (Some(2), None));
    }

    #[test]
    fn the_list_is_bounded() {
        let many: Vec<_> = (0..700).map(|i| pod(&i.to_string())).collect();
        let status = note(&Job::default(), &Outcome { new_failed: many, ..Outcome::default() });
        assert_eq!(status.uncounted_terminated_pods.unwrap().failed.unwrap().len(), MAX_UNCOUNTED);
    }

    #[test]
    fn what_was_removed_is_remembered_until_the_watch_shows_it() {
        let (removed, held) = (Removed::default(), pod("a"));
        assert!(removed.is_held(&held));
        removed.insert(&held);
        assert!(!removed.is_held(&held));
        removed.seen(&held, false);
        assert!(!removed.is_held(&held), "an old version of the pod proves nothing");
        removed.seen(&held, true);
        assert!(removed.0.lock().is_empty());
    }
}
