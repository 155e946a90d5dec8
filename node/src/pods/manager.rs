//! Brings the pods of this node to their workers: one watch for all, a mailbox for each. Static pods come from a
//! directory instead.

mod arrivals;
mod statics;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coracle_api::pod::is_terminal;
use coracle_client::changes;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, Toleration};
use kube::{Api, ResourceExt, runtime::watcher};
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    live::LivePod,
    record::Record,
    worker::{Desired, Worker, subject},
};
use crate::{
    shared::Shared,
    static_pods::{FROM_API, SOURCE, StaticPods, is_mirror, is_static},
    volumes,
};

/// How long a worker that has failed rests before its pod gets another one.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// How long the workers have in all when the node stops.
const SHUTDOWN_WAIT: Duration = Duration::from_millis(1500);

struct Entry {
    namespace: String,
    name: String,
    mailbox: watch::Sender<Desired>,
    /// It is not the API's.
    is_static: bool,
}

/// Where pods come from.
pub struct Sources {
    /// The node whose pods the API is asked for.
    pub node: String,
    /// Pods of the manifest directory; nobody sends any if there is none.
    pub statics: watch::Receiver<StaticPods>,
}

struct Manager {
    shared: Arc<Shared>,
    node: String,
    entries: HashMap<String, Entry>,
    workers: JoinSet<()>,
    uids: HashMap<Id, String>,
    shutdown: CancellationToken,
    /// Pods of a list that is under way; they are taken in together, so that those who had an address keep it.
    listed: Vec<Arc<Pod>>,
    /// The first list has been taken in.
    synced: bool,
    /// Pods that were refused, or that the node has not decided on: they have no worker.
    undecided: HashSet<String>,
    considered: JoinSet<arrivals::Considered>,
    /// Writes that tell pods that they are refused.
    refusals: JoinSet<()>,
    /// Static pods that wait for the end of another one of their name.
    waiting: Vec<Arc<Pod>>,
}

/// Runs the pods of these sources, until `shutdown`.
pub async fn run_pods(shared: Arc<Shared>, sources: Sources, shutdown: CancellationToken) {
    let Sources { node, mut statics } = sources;
    let api: Api<Pod> = Api::all(shared.client.clone());
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let mut events = changes(api, config).boxed();
    let mut manager = Manager {
        shared,
        node,
        entries: HashMap::new(),
        workers: JoinSet::new(),
        uids: HashMap::new(),
        shutdown: shutdown.clone(),
        listed: Vec::new(),
        synced: false,
        undecided: HashSet::new(),
        considered: JoinSet::new(),
        refusals: JoinSet::new(),
        waiting: Vec::new(),
    };
    let mut more_statics = true;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            event = events.next() => match event {
                Some(event) => manager.take(event),
                None => break,
            },
            Some(ended) = manager.workers.join_next_with_id() => manager.take_end(ended),
            Some(Ok(considered)) = manager.considered.join_next() => manager.take_considered(considered),
            Some(_) = manager.refusals.join_next() => {}
            changed = statics.changed(), if more_statics => match changed {
                Ok(()) => {
                    let pods = statics.borrow_and_update().clone();
                    manager.take_statics(pods.as_deref().unwrap_or_default());
                }
                Err(_) => more_statics = false,
            },
        }
    }
    manager.stop().await;
}

impl Manager {
    fn take(&mut self, event: watcher::Event<Pod>) {
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(pod) => self.listed.push(Arc::new(slim(pod))),
            watcher::Event::InitDone => self.take_list(),
            watcher::Event::Apply(pod) if is_mirror(&pod) => self.shared.mirrors.see(&pod),
            watcher::Event::Apply(pod) => self.apply(Arc::new(slim(pod))),
            watcher::Event::Delete(pod) if is_mirror(&pod) => self.shared.mirrors.forget(&pod),
            watcher::Event::Delete(pod) => self.gone(&pod.uid().unwrap_or_default()),
        }
    }

    /// Takes in a whole list: what it doesn't have is gone. Addresses are given back to those who had them before
    /// anybody gets a new one.
    fn take_list(&mut self) {
        let (mirrors, listed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.listed).into_iter().partition(|pod| is_mirror(pod));
        self.shared.mirrors.see_all(mirrors.iter());
        let mut uids: HashSet<String> = listed.iter().filter_map(|pod| pod.uid()).collect();
        uids.extend(self.statics().cloned());
        let known = self.entries.keys().chain(&self.undecided);
        let gone: Vec<String> = known.filter(|uid| !uids.contains(*uid)).cloned().collect();
        gone.iter().for_each(|uid| self.gone(uid));
        if !self.synced {
            self.synced = true;
            self.shared.addresses.retain(|uid| uids.contains(uid));
            self.remove_strangers(&listed);
        }
        for pod in listed.iter().filter(|pod| !is_terminal(pod)) {
            let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()).and_then(|ip| ip.parse().ok());
            if let (Some(address), Some(uid)) = (address, pod.uid()) {
                self.shared.addresses.reserve(&uid, address);
            }
        }
        listed.into_iter().for_each(|pod| self.apply(pod));
    }

    /// Removes the directories of pods that ended while the node was away.
    fn remove_strangers(&self, listed: &[Arc<Pod>]) {
        let here = listed.iter().map(|pod| pod_dir(&self.shared.pods_dir, pod));
        let live = self.shared.live.all();
        let known: HashSet<PathBuf> = here.chain(live.iter().map(|pod| pod.dir.clone())).collect();
        let all = self.shared.pods_dir.clone();
        tokio::task::spawn_blocking(move || {
            for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
                let path = entry.path();
                if !known.contains(&path)
                    && let Err(error) = volumes::remove(&path)
                {
                    tracing::warn!(dir = %path.display(), %error, "the directory of a former pod could not be removed");
                }
            }
        });
    }

    fn apply(&mut self, pod: Arc<Pod>) {
        let Some(uid) = pod.uid() else { return };
        if let Some(entry) = self.entries.get(&uid) {
            self.shared.roster.put(&uid, Arc::clone(&pod));
            self.shared.volumes.pod_changed(&uid, &pod);
            entry.mailbox.send_replace(Desired::Exist(pod));
            return;
        }
        self.forget_namesake(&pod);
        self.arrive(uid, pod);
    }

    /// A pod of the same name with another UID can be no more: its end was missed.
    fn forget_namesake(&self, pod: &Pod) {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let named = |entry: &&Entry| entry.name == name && entry.namespace == namespace;
        let namesakes = self.entries.values().filter(|entry| !entry.is_static).filter(named);
        namesakes.for_each(|entry| drop(entry.mailbox.send_replace(Desired::Gone)));
    }

    /// Starts a worker for the pod.
    fn hire(&mut self, uid: String, pod: Arc<Pod>, pause: Duration) {
        let is_static = is_static(&pod);
        let names = [pod.namespace().unwrap_or_default(), pod.name_any(), uid.clone()];
        let [namespace, name, _] = names.clone();
        let containers = pod.spec.as_ref().map(Record::all).unwrap_or_default();
        let containers = containers.into_iter().map(|record| (record.name, record.image)).collect();
        let live = LivePod::new(names, pod_dir(&self.shared.pods_dir, &pod), containers);
        self.shared.live.insert(Arc::clone(&live));
        self.shared.metrics.pods.inc();
        let (mailbox, desired) = watch::channel(Desired::Exist(Arc::clone(&pod)));
        let (shared, shutdown) = (Arc::clone(&self.shared), self.shutdown.clone());
        let work = async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            // The worker is made in its own task: a fault in reading the pod ends there too.
            Worker::new(shared, pod, live).run(desired, shutdown).await;
        };
        let handle = self.workers.spawn(work);
        self.uids.insert(handle.id(), uid.clone());
        self.entries.insert(uid, Entry { namespace, name, mailbox, is_static });
    }

    fn gone(&mut self, uid: &str) {
        if let Some(entry) = self.entries.get(uid) {
            entry.mailbox.send_replace(Desired::Gone);
        }
        self.undecided.remove(uid);
        // What it asked for is free, for the scheduler and so for us: the next pod may count on it.
        self.shared.roster.remove(uid);
    }

    /// A worker has ended: its pod is gone, or a fault ended it; then the pod gets another one.
    fn take_end(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(uid) = self.uids.remove(&id) else { return };
        let Some(entry) = self.entries.remove(&uid) else { return };
        let live = self.shared.live.remove(&uid);
        self.shared.metrics.pods.dec();
        let Err(error) = ended else {
            self.shared.roster.remove(&uid);
            self.start_waiting();
            return;
        };
        let desired = entry.mailbox.borrow().clone();
        self.shared.metrics.worker_faults.inc();
        tracing::error!(namespace = entry.namespace, pod = entry.name, %error, "a pod's worker failed; its containers are started again");
        // What it had running is nobody's now.
        for (_, handle) in live.iter().flat_map(|live| live.running()) {
            tokio::spawn(async move { handle.stop(Duration::ZERO).await });
        }
        match desired {
            Desired::Exist(pod) => {
                let message = "the worker of this pod failed; its containers are started again";
                self.shared.events.warning(&subject(&pod, None), "HostFault", message);
                self.hire(uid, pod, FAULT_PAUSE);
            }
            Desired::Gone => {
                self.shared.addresses.release(&uid);
                self.shared.roster.remove(&uid);
                self.start_waiting();
            }
        }
    }

    /// Waits for the workers, who have heard of the end by themselves.
    async fn stop(mut self) {
        let _ = timeout(SHUTDOWN_WAIT, async { while self.workers.join_next().await.is_some() {} }).await;
        self.workers.abort_all();
    }
}

/// The pod without what no node asks for: ten thousand of these are kept.
///
/// What is left is cloned, because a clone's lists are as long as what is in them; those that the decoder filled have
/// room for four elements at least, and a container's status takes 700 bytes.
fn slim(mut pod: Pod) -> Pod {
    pod.metadata.managed_fields = None;
    pod.metadata.owner_references = None;
    // Whoever writes this says nothing about where it comes from.
    if let Some(source) = pod.metadata.annotations.as_mut().and_then(|all| all.get_mut(SOURCE)) {
        FROM_API.clone_into(source);
    }
    if let Some(spec) = &mut pod.spec {
        // Of these, one matters: whether the pod comes even when memory is short.
        let memory = |it: &Toleration| it.key.as_deref().is_none_or(|key| key == "node.kubernetes.io/memory-pressure");
        let tolerations: Vec<_> = spec.tolerations.take().into_iter().flatten().filter(memory).collect();
        spec.tolerations = (!tolerations.is_empty()).then_some(tolerations);
    }
    pod.clone()
}

/// The directory of a pod: `namespace_name_uid`, as in kubelet's log directories.
fn pod_dir(pods: &Path, pod: &Pod) -> PathBuf {
    pods.join(format!("{}_{}_{}", pod.namespace().unwrap_or_default(), pod.name_any(), pod.uid().unwrap_or_default()))
}
