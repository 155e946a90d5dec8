//! Brings the pods of this node to their workers: one watch for all, a mailbox for each. Static pods come from a
//! directory instead.

mod arrivals;
mod entries;
mod leftovers;
mod listing;
mod statics;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coracle_client::changes;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, runtime::watcher};
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use self::entries::{Entries, Entry};
use super::{
    kept_pod::{PodAtHand, slim},
    live::LivePod,
    record::Record,
    worker::{Desired, Worker, subject},
};
use crate::{
    admission::judge_growth,
    checkpoint::Key,
    shared::Shared,
    static_pods::{StaticPods, is_mirror, is_static},
    volumes::volume_images,
};

/// How long a worker that has failed rests before its pod gets another one.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// How long resizes rest that wait for room, if no pod's end gives them any (kubelet's `retryDelay`).
const RESIZE_RETRY: Duration = Duration::from_secs(180);
/// How long the workers have in all when the node stops.
const SHUTDOWN_WAIT: Duration = Duration::from_millis(1500);

/// Where pods come from.
pub struct Sources {
    /// A client for watches.
    pub client: Client,
    /// The node whose pods the API is asked for.
    pub node: String,
    /// How long the server has for the first list until pods start as the checkpoint remembers them, if it does.
    pub patience: Option<Duration>,
    /// When the node was started.
    pub begun: Instant,
    /// Pods of the manifest directory; nobody sends any if there is none.
    pub statics: watch::Receiver<StaticPods>,
}

struct Manager {
    shared: Arc<Shared>,
    node: String,
    entries: Entries,
    workers: JoinSet<()>,
    uids: HashMap<Id, String>,
    shutdown: CancellationToken,
    /// Pods of a list that is under way; they are taken in together, so that those who had an address keep it.
    listed: listing::Listing,
    /// The first list has been taken in.
    synced: bool,
    /// Pods of an earlier life have been started without it, or there are none.
    restored: bool,
    /// They are just being started.
    restoring: bool,
    /// Pods that were refused, or that the node has not decided on: they have no worker.
    undecided: HashSet<String>,
    considered: JoinSet<arrivals::Considered>,
    /// Writes that tell pods that they are refused.
    refusals: JoinSet<()>,
    /// Static pods that wait for the end of another one of their name.
    waiting: Vec<Arc<Pod>>,
    leftovers: leftovers::Leftovers,
}

/// Runs the pods of these sources, until `shutdown`.
pub async fn run_pods(shared: Arc<Shared>, sources: Sources, shutdown: CancellationToken) {
    let Sources { client, node, patience, begun, mut statics } = sources;
    let late = patience.map(|patience| Instant::now() + patience);
    let api: Api<Pod> = Api::all(client);
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let mut events = changes(api, config).boxed();
    let mut manager = Manager {
        shared: Arc::clone(&shared),
        node,
        entries: Entries::default(),
        workers: JoinSet::new(),
        uids: HashMap::new(),
        shutdown: shutdown.clone(),
        listed: listing::Listing::default(),
        synced: false,
        restored: late.is_none(),
        restoring: false,
        undecided: HashSet::new(),
        considered: JoinSet::new(),
        refusals: JoinSet::new(),
        waiting: Vec::new(),
        leftovers: leftovers::Leftovers::default(),
    };
    let mut more_statics = true;
    let mut retry = interval(RESIZE_RETRY);
    retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
            () = is_late(&shared, late), if !manager.synced && !manager.restored => manager.restore(begun).await,
            () = manager.shared.roster.freed() => manager.settle_resizes(),
            _ = retry.tick() => manager.settle_resizes(),
            changed = statics.changed(), if more_statics => match changed {
                Ok(()) => {
                    let pods = statics.borrow_and_update().clone();
                    manager.take_statics(pods.as_deref().unwrap_or_default());
                }
                Err(_) => {
                    more_statics = false;
                    manager.know_statics(&[]);
                }
            },
        }
    }
    manager.stop().await;
}

impl Manager {
    fn settle_resizes(&self) {
        self.shared.roster.settle(judge_growth(&self.shared));
    }

    fn take(&mut self, event: watcher::Event<Pod>) {
        match event {
            watcher::Event::Init => self.listed = listing::Listing::default(),
            watcher::Event::InitApply(pod) => self.list(pod),
            watcher::Event::InitDone => self.take_list(),
            watcher::Event::Apply(pod) if is_mirror(&pod) => self.shared.mirrors.see(&pod),
            watcher::Event::Apply(pod) => {
                let uid = pod.uid().unwrap_or_default();
                self.apply(uid, self.slimmed(pod));
            }
            watcher::Event::Delete(pod) if is_mirror(&pod) => self.shared.mirrors.forget(&pod),
            watcher::Event::Delete(pod) => self.gone(&pod.uid().unwrap_or_default()),
        }
    }

    fn slimmed(&self, pod: Pod) -> PodAtHand {
        let known = pod.metadata.uid.as_ref().is_some_and(|uid| self.entries.contains(uid));
        PodAtHand::opened(Arc::new(slim(pod, known)))
    }

    fn apply(&mut self, uid: String, pod: PodAtHand) {
        if !self.restoring {
            self.shared.checkpoint.keep(Key::pod(&uid), &**pod.kept(), None);
        }
        if let Some(entry) = self.entries.get(&uid) {
            self.shared.roster.put(&uid, &pod);
            self.shared.volumes.pod_changed(&uid, &pod);
            entry.mailbox.send_replace(Desired::Exist(Arc::clone(pod.kept())));
            return;
        }
        self.forget_namesake(&pod);
        self.arrive(uid, pod);
    }

    /// A pod of the same name with another UID can be no more: its end was missed.
    fn forget_namesake(&self, pod: &Pod) {
        let namesakes = self.entries.named(pod.namespace().unwrap_or_default(), pod.name_any());
        let others = namesakes.filter(|entry| !entry.is_static);
        others.for_each(|entry| drop(entry.mailbox.send_replace(Desired::Gone)));
    }

    /// Starts a worker for the pod.
    fn hire(&mut self, uid: String, pod: PodAtHand, pause: Duration) {
        let is_static = is_static(&pod);
        let names = [pod.namespace().unwrap_or_default(), pod.name_any(), uid.clone()];
        let [namespace, name, _] = names.clone();
        let containers = pod.spec.as_ref().map(Record::all).unwrap_or_default();
        let containers = containers.into_iter().map(|record| (record.name, record.image)).collect();
        let live = LivePod::new(names, pod_dir(&self.shared.pods_dir, &pod), containers, volume_images(&pod));
        self.shared.live.insert(Arc::clone(&live));
        self.shared.metrics.pods.inc();
        let (mailbox, desired) = watch::channel(Desired::Exist(Arc::clone(pod.kept())));
        let (shared, shutdown, is_kept) = (Arc::clone(&self.shared), self.shutdown.clone(), self.restoring);
        let work = async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            // The worker is made in its own task: a fault in reading the pod ends there too.
            Worker::new(shared, pod, live, is_kept).run(desired, shutdown).await;
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
        self.shared.checkpoint.forget_pod(uid);
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
            self.shared.checkpoint.forget_pod(&uid);
            self.start_waiting();
            return;
        };
        let desired = entry.mailbox.borrow().clone();
        self.shared.metrics.worker_faults.inc();
        tracing::error!(namespace = entry.namespace, pod = entry.name, %error, "a pod's worker failed; its containers are started again");
        // What it had running is nobody's now.
        live.iter().for_each(|live| live.set_all_over());
        for (_, handle) in live.iter().flat_map(|live| live.running()) {
            tokio::spawn(async move { handle.stop(Duration::ZERO).await });
        }
        match desired {
            Desired::Exist(kept) => {
                let pod = PodAtHand::from(kept);
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

/// Returns when the server has had its time for the first list, or can't be reached.
async fn is_late(shared: &Shared, late: Option<Instant>) {
    let Some(late) = late else { return std::future::pending().await };
    tokio::select! {
        () = sleep_until(late) => {}
        () = shared.link.lost() => {}
    }
}

/// The directory of a pod: `namespace_name_uid`, as in kubelet's log directories.
fn pod_dir(pods: &Path, pod: &Pod) -> PathBuf {
    pods.join(format!("{}_{}_{}", pod.namespace().unwrap_or_default(), pod.name_any(), pod.uid().unwrap_or_default()))
}
