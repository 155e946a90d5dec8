//! Keeps the volumes of all pods as their objects are: one task and one clock for ten thousand pods.
//!
//! Whoever sees a change (a watch, the pod's own watch, the clock that replaces tokens) marks pods; the task writes
//! the volumes of those that are marked. What did not change is not written.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
    panic::AssertUnwindSafe,
    path::Path,
    sync::Arc,
    time::Duration,
};

use coracle_api::pod::ResourceList;
use coracle_client::EventRecorder;
use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    batch::Batch,
    kept::Kept,
    objects::Objects,
    watches::{Reference, Watches},
};
use crate::{link::Link, pods::PodAtHand};

/// Pods whose volumes are written at once.
const REFRESHES_AT_ONCE: usize = 8;
/// How long after a failure of the API server or the disk it is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How often objects are looked at for which there is no room among the watches (kubelet's sync period).
const SYNC_PERIOD: Duration = Duration::from_secs(60);

/// See the module.
pub struct VolumeKeeper {
    objects: Arc<dyn Objects>,
    watching: Client,
    link: Arc<Link>,
    host_ip: IpAddr,
    allocatable: ResourceList,
    events: Arc<EventRecorder>,
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Default)]
struct State {
    pods: HashMap<Arc<str>, Arc<Kept>>,
    watches: Watches,
    marked: HashSet<Arc<str>>,
    /// When to look at pods whatever happens; each has one time at most.
    due: BTreeSet<(Instant, Arc<str>)>,
}

impl VolumeKeeper {
    /// A keeper of nothing yet. [`VolumeKeeper::run`] is its work. It reads `objects`, and watches them with a
    /// client for that.
    pub fn new(
        objects: Arc<dyn Objects>,
        watching: Client,
        link: Arc<Link>,
        host_ip: IpAddr,
        allocatable: ResourceList,
        events: Arc<EventRecorder>,
    ) -> Arc<VolumeKeeper> {
        let (state, woken) = (Mutex::default(), Notify::new());
        Arc::new(VolumeKeeper { objects, watching, link, host_ip, allocatable, events, state, woken })
    }

    /// Takes a pod in, with its volumes at `dir`; it is let go with the registration. None: nothing of it can change.
    pub fn register(self: &Arc<Self>, pod: &Arc<Pod>, dir: &Path, pod_ip: IpAddr) -> Option<Registration> {
        let kept = Arc::new(Kept::of(pod, dir, pod_ip)?);
        let mut state = self.state.lock();
        for reference in kept.references() {
            state.watches.add(reference, &kept.uid, self);
        }
        if let Some(before) = state.pods.insert(Arc::clone(&kept.uid), Arc::clone(&kept)) {
            state.schedule(&before, None);
        }
        Some(Registration { keeper: Arc::clone(self), kept })
    }

    /// The pod's object has changed; its labels and annotations may be in its volumes.
    pub fn pod_changed(&self, uid: &str, pod: &PodAtHand) {
        let mut state = self.state.lock();
        let Some(kept) = state.pods.get(uid).cloned() else { return };
        if kept.take_pod(pod) {
            state.marked.insert(Arc::clone(&kept.uid));
            self.woken.notify_one();
        }
    }

    /// An object has changed.
    pub(super) fn changed(&self, reference: &Reference) {
        let mut state = self.state.lock();
        let users: Vec<Arc<str>> = state.watches.users(reference).cloned().collect();
        for user in users {
            if let Some(kept) = state.pods.get(&user) {
                kept.changed.notify_one();
            }
            state.marked.insert(user);
        }
        self.woken.notify_one();
    }

    pub(super) fn watching(&self) -> &Client {
        &self.watching
    }

    pub(super) fn host_ip(&self) -> IpAddr {
        self.host_ip
    }

    pub(super) fn allocatable(&self) -> &ResourceList {
        &self.allocatable
    }

    /// Keeps the volumes until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut sync_at = Instant::now() + SYNC_PERIOD;
        loop {
            let wake = self.state.lock().due.first().map_or(sync_at, |(at, _)| sync_at.min(*at));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.woken.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
            // What is there is the newest that there can be while nobody can be asked.
            if shutdown.run_until_cancelled(self.link.up()).await.is_none() {
                return;
            }
            let now = Instant::now();
            if now >= sync_at {
                sync_at = now + SYNC_PERIOD;
                let mut state = self.state.lock();
                let users = state.watches.unwatched(&self);
                state.marked.extend(users);
            }
            self.refresh_marked(now).await;
        }
    }

    async fn refresh_marked(&self, now: Instant) {
        let marked = self.state.lock().take_marked(now);
        if marked.is_empty() {
            return;
        }
        let batch = Batch::new(&*self.objects);
        let refresh = async |kept: Arc<Kept>| {
            // A fault in one pod's volumes must not end the keeping of all.
            let work = AssertUnwindSafe(kept.refresh(self, &batch, &self.events));
            let result = work.catch_unwind().await.unwrap_or(Err(super::kept::Again));
            let now = Instant::now();
            let next = result.map_or_else(|_| Some(now + RETRY), |()| kept.next_due(now));
            self.state.lock().schedule(&kept, next);
        };
        stream::iter(marked).for_each_concurrent(REFRESHES_AT_ONCE, refresh).await;
    }

    pub(super) fn schedule(&self, kept: &Kept) {
        self.state.lock().schedule(kept, kept.next_due(Instant::now()));
        // The clock may have to be set to an earlier time.
        self.woken.notify_one();
    }

    fn forget(&self, kept: &Arc<Kept>) {
        let mut state = self.state.lock();
        // A worker that took over has registered the pod anew; then the old one leaves everything as it is.
        if !state.pods.get(&kept.uid).is_some_and(|present| Arc::ptr_eq(present, kept)) {
            return;
        }
        state.pods.remove(&kept.uid);
        state.marked.remove(&kept.uid);
        state.schedule(kept, None);
        for reference in kept.references() {
            state.watches.remove(reference, &kept.uid);
        }
    }
}

impl State {
    fn take_marked(&mut self, now: Instant) -> Vec<Arc<Kept>> {
        while let Some((at, uid)) = self.due.pop_first() {
            if at > now {
                self.due.insert((at, uid));
                break;
            }
            self.marked.insert(uid);
        }
        let marked = std::mem::take(&mut self.marked);
        marked.iter().filter_map(|uid| self.pods.get(uid).cloned()).collect()
    }

    fn schedule(&mut self, kept: &Kept, at: Option<Instant>) {
        if let Some(before) = kept.due.lock().take() {
            self.due.remove(&(before, Arc::clone(&kept.uid)));
        }
        if let Some(at) = at.filter(|_| self.pods.contains_key(&kept.uid)) {
            *kept.due.lock() = Some(at);
            self.due.insert((at, Arc::clone(&kept.uid)));
        }
    }
}

/// A pod is kept while this lives.
pub struct Registration {
    keeper: Arc<VolumeKeeper>,
    pub(super) kept: Arc<Kept>,
}

impl Registration {
    /// The keeper sets its clock after the pod's first tokens.
    pub(super) fn schedule(&self) {
        self.keeper.schedule(&self.kept);
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Registration").field(&self.kept.uid).finish()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.keeper.forget(&self.kept);
    }
}
