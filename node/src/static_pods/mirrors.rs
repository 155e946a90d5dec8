//! Which mirrors there are, and which there should be.

use std::{collections::HashMap, sync::Arc, time::Duration};

use coracle_api::pod::{MIRROR_ANNOTATION, is_terminal};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use super::HASH;

/// How long a status waits for its mirror to be made.
const MIRROR_WAIT: Duration = Duration::from_secs(10);

/// Namespace and name: a static pod and its mirror have the same.
pub type Name = (String, String);

/// Mirrors that are in the API, and static pods that are to have one.
#[derive(Default)]
pub struct Mirrors {
    state: Mutex<State>,
    /// The state has changed, for who makes mirrors.
    pub(super) changed: Notify,
    /// A mirror has come, for those who wait to report to it.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    /// None until the directory was read.
    wanted: Option<HashMap<Name, Arc<Pod>>>,
    seen: HashMap<Name, Seen>,
    /// The first list of the API's pods is in.
    listed: bool,
    /// What was last reported, for a mirror that is made anew.
    statuses: HashMap<Name, (String, PodStatus)>,
}

/// A mirror as the API has it.
#[derive(Debug, Clone)]
struct Seen {
    uid: String,
    hash: String,
    deleting: bool,
}

/// What is to be done for one name.
#[derive(Debug, Clone, PartialEq)]
pub enum Todo {
    /// Make a mirror of this pod; what it reported before is told again.
    Create(Arc<Pod>, Option<Box<PodStatus>>),
    /// Remove the mirror of this UID.
    Delete(Name, String),
}

/// Whose status a pod's worker writes.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// The pod's own.
    Own,
    /// That of the mirror of this UID.
    Mirror(String),
    /// There is no mirror.
    Missing,
}

/// Whether a pod is a mirror.
pub fn is_mirror(pod: &Pod) -> bool {
    annotation(pod, MIRROR_ANNOTATION).is_some()
}

fn annotation<'a>(pod: &'a Pod, name: &str) -> Option<&'a String> {
    pod.metadata.annotations.as_ref()?.get(name)
}

fn name(pod: &Pod) -> Name {
    (pod.metadata.namespace.clone().unwrap_or_default(), pod.metadata.name.clone().unwrap_or_default())
}

impl Mirrors {
    /// These are all static pods.
    pub fn want(&self, pods: &[Arc<Pod>]) {
        let wanted = pods.iter().map(|pod| (name(pod), Arc::clone(pod))).collect();
        self.state.lock().wanted = Some(wanted);
        self.changed.notify_one();
    }

    /// The API has this mirror.
    pub fn see(&self, pod: &Pod) {
        let seen = Seen {
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            hash: annotation(pod, MIRROR_ANNOTATION).cloned().unwrap_or_default(),
            deleting: pod.metadata.deletion_timestamp.is_some(),
        };
        let mut state = self.state.lock();
        state.remember(pod, &seen.hash);
        state.seen.insert(name(pod), seen);
        drop(state);
        self.arrived.notify_waiters();
        self.changed.notify_one();
    }

    /// The API has these and no other.
    pub fn see_all<'a>(&self, pods: impl Iterator<Item = &'a Arc<Pod>>) {
        let first = {
            let mut state = self.state.lock();
            state.seen.clear();
            !std::mem::replace(&mut state.listed, true)
        };
        for pod in pods {
            self.see(pod);
            // The pod runs anew in this life of the node: an end in an earlier one is not its own.
            if first && is_terminal(pod) {
                let mut state = self.state.lock();
                state.statuses.remove(&name(pod));
                state.seen.entry(name(pod)).and_modify(|seen| seen.deleting = true);
            }
        }
        self.changed.notify_one();
    }

    /// The API has this one no more.
    pub fn forget(&self, pod: &Pod) {
        let mut state = self.state.lock();
        let name = name(pod);
        if state.seen.get(&name).is_some_and(|seen| Some(&seen.uid) == pod.metadata.uid.as_ref()) {
            state.seen.remove(&name);
        }
        if let Some(hash) = annotation(pod, MIRROR_ANNOTATION) {
            state.remember(pod, hash);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.state.lock().seen.len()
    }

    /// What is to be done for the API to have the mirrors that it should have.
    pub fn todo(&self) -> Vec<Todo> {
        let state = self.state.lock();
        let (Some(wanted), true) = (&state.wanted, state.listed) else { return Vec::new() };
        let fits = |name: &Name, seen: &Seen| {
            let hash = wanted.get(name).and_then(|pod| annotation(pod, HASH));
            hash == Some(&seen.hash) && !seen.deleting
        };
        let unfit = state.seen.iter().filter(|(name, seen)| !fits(name, seen));
        let deletes = unfit.map(|(name, seen)| Todo::Delete(name.clone(), seen.uid.clone()));
        let missing = wanted.iter().filter(|(name, _)| !state.seen.contains_key(*name));
        let creates = missing.map(|(name, pod)| {
            let last = state.statuses.get(name).filter(|(hash, _)| annotation(pod, HASH) == Some(hash));
            Todo::Create(Arc::clone(pod), last.map(|(_, status)| Box::new(status.clone())))
        });
        deletes.chain(creates).collect()
    }

    /// Where the status of the pod of this UID and name goes, now.
    fn look(&self, uid: &str, name: &Name) -> Target {
        let state = self.state.lock();
        let wanted = state.wanted.as_ref().and_then(|wanted| wanted.get(name));
        if wanted.is_none_or(|pod| pod.metadata.uid.as_deref() != Some(uid)) {
            return Target::Own;
        }
        match state.seen.get(name).filter(|seen| seen.hash == uid && !seen.deleting) {
            Some(seen) => Target::Mirror(seen.uid.clone()),
            None => Target::Missing,
        }
    }

    /// Where the status of a pod goes; waits a while for a mirror that is being made.
    pub async fn target(&self, uid: &str, namespace: &str, pod: &str) -> Target {
        if self.state.lock().wanted.as_ref().is_none_or(HashMap::is_empty) {
            return Target::Own;
        }
        let name = (namespace.to_owned(), pod.to_owned());
        let there = async {
            loop {
                let arrival = self.arrived.notified();
                match self.look(uid, &name) {
                    Target::Missing => arrival.await,
                    target => return target,
                }
            }
        };
        timeout(MIRROR_WAIT, there).await.unwrap_or(Target::Missing)
    }
}

impl State {
    /// Remembers what a mirror says, as long as it belongs to a pod that is here.
    fn remember(&mut self, pod: &Pod, hash: &str) {
        let Some(status) = pod.status.clone().filter(|status| status.start_time.is_some()) else { return };
        let name = name(pod);
        self.statuses.insert(name, (hash.to_owned(), status));
        if let Some(wanted) = &self.wanted {
            self.statuses.retain(|name, _| wanted.contains_key(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn static_pod(uid: &str) -> Arc<Pod> {
        let pod = json!({"metadata": {"name": "web-n", "namespace": "ns", "uid": uid, "annotations": {HASH: uid}}});
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn mirror(uid: &str, hash: &str, status: bool) -> Arc<Pod> {
        let mut pod = json!({"metadata": {"name": "web-n", "namespace": "ns", "uid": uid, "annotations": {MIRROR_ANNOTATION: hash}}});
        if status {
            pod["status"] = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z"});
        }
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_mirror_is_made_made_anew_and_removed() {
        let mirrors = Mirrors::default();
        mirrors.see_all([mirror("m0", "old", false)].iter());
        assert!(mirrors.todo().is_empty(), "the directory may just not be read yet");
        mirrors.want(&[static_pod("new")]);
        let name = ("ns".to_owned(), "web-n".to_owned());
        assert_eq!(mirrors.todo(), [Todo::Delete(name.clone(), "m0".into())]);
        mirrors.forget(&mirror("m0", "old", true));
        assert_eq!(mirrors.todo(), [Todo::Create(static_pod("new"), None)]);
        assert_eq!(mirrors.look("new", &name), Target::Missing);
        mirrors.see(&mirror("m1", "new", true));
        assert!(mirrors.todo().is_empty() && mirrors.count() == 1);
        assert_eq!(mirrors.look("new", &name), Target::Mirror("m1".into()));
        assert_eq!(mirrors.look("another", &name), Target::Own);
        // Somebody deletes it: the new one says what the old one said.
        mirrors.forget(&mirror("m1", "new", true));
        let [Todo::Create(_, Some(status))] = &mirrors.todo()[..] else { panic!("{:?}", mirrors.todo()) };
        assert_eq!(status.phase.as_deref(), Some("Running"));
        mirrors.see(&mirror("m2", "new", false));
        mirrors.want(&[]);
        assert_eq!(mirrors.todo(), [Todo::Delete(name, "m2".into())]);
    }

    #[test]
    fn the_end_of_an_earlier_life_is_not_the_pods_own() {
        let mirrors = Mirrors::default();
        mirrors.want(&[static_pod("h")]);
        let mut ended = Pod::clone(&mirror("m0", "h", true));
        ended.status.get_or_insert_default().phase = Some("Failed".into());
        mirrors.see_all([Arc::new(ended.clone())].iter());
        assert_eq!(mirrors.todo(), [Todo::Delete(("ns".into(), "web-n".into()), "m0".into())]);
        mirrors.see_all([].iter());
        assert_eq!(mirrors.todo(), [Todo::Create(static_pod("h"), None)]);
        mirrors.see_all([Arc::new(ended)].iter());
        assert!(mirrors.todo().is_empty(), "this end is of this life");
    }

    #[tokio::test]
    async fn a_status_waits_for_its_mirror() {
        let mirrors = Arc::new(Mirrors::default());
        mirrors.want(&[static_pod("new")]);
        let waiting = {
            let mirrors = Arc::clone(&mirrors);
            tokio::spawn(async move { mirrors.target("new", "ns", "web-n").await })
        };
        tokio::task::yield_now().await;
        mirrors.see(&mirror("m1", "new", false));
        assert_eq!(waiting.await.unwrap(), Target::Mirror("m1".into()));
    }
}
