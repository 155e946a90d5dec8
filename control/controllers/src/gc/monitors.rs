//! One metadata watch for each resource that can be watched and deleted.

use super::graph::{Graph, Identity};
use crate::discovery::{Served, discover};
use crate::framework::{Key, WorkQueue};
use coracle_client::changes;
use futures::StreamExt;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// After a change of the server's resources is noticed by failing discovery, it is asked again this soon.
const DISCOVERY_RETRY: Duration = Duration::from_secs(1);

/// Absent uids remembered; when there are more, the server is asked again.
const MAX_ABSENT: usize = 10_000;

/// Called with a namespace.
type GoneHandler = Box<dyn Fn(&str) + Send + Sync>;

/// What the watches know.
pub struct Monitors {
    /// Of all objects.
    pub graph: Mutex<Graph>,
    /// Uids to look at.
    pub queue: WorkQueue,
    /// Resources by `apiVersion` and `kind`.
    kinds: RwLock<HashMap<(String, String), Served>>,
    /// Uids of owners that are gone for good: a uid never comes back.
    absent: Mutex<HashSet<String>>,
    /// Who wants to hear of the namespaces of objects that are gone.
    gone: Mutex<Vec<GoneHandler>>,
    /// How many of the first watches have yet to show their whole list; None before discovery.
    unsynced: watch::Sender<Option<usize>>,
}

impl Monitors {
    /// Monitors that watch nothing yet.
    pub fn new() -> Monitors {
        let (unsynced, _) = watch::channel(None);
        Monitors {
            graph: Mutex::default(),
            queue: WorkQueue::new(),
            kinds: RwLock::default(),
            absent: Mutex::default(),
            gone: Mutex::default(),
            unsynced,
        }
    }

    /// The resource of a kind, if the server has it.
    pub fn resource(&self, api_version: &str, kind: &str) -> Option<Served> {
        self.kinds.read().get(&(api_version.to_owned(), kind.to_owned())).cloned()
    }

    /// The resources that the server has now.
    pub fn served(&self) -> Vec<Served> {
        self.kinds.read().values().cloned().collect()
    }

    /// Calls `handler` with the namespace of every object that is seen to be gone.
    pub fn on_gone(&self, handler: impl Fn(&str) + Send + Sync + 'static) {
        self.gone.lock().push(Box::new(handler));
    }

    /// Waits until the lists that were there in the beginning are in the graph.
    pub async fn wait_synced(&self) {
        // The sender is ours, so that waiting can't fail.
        drop(self.unsynced.subscribe().wait_for(|left| *left == Some(0)).await);
    }

    /// Watches for as long as it is polled; new resources are found every `period`.
    pub async fn run(self: &Arc<Self>, client: &Client, period: Duration) {
        let mut tasks = JoinSet::new();
        let mut running: HashMap<ApiResource, AbortHandle> = HashMap::new();
        loop {
            let wait = match discover(client).await {
                Ok(found) => {
                    self.take_in(client, found.resources, &mut running, &mut tasks);
                    if found.failed.is_empty() { period } else { DISCOVERY_RETRY }
                }
                Err(error) => {
                    tracing::warn!(%error, "discovery failed; the garbage collector tries again");
                    DISCOVERY_RETRY
                }
            };
            tokio::time::sleep(wait).await;
            // Watches only end by being stopped, or by a panic, after which they are started again.
            while tasks.try_join_next().is_some() {}
            running.retain(|_, handle| !handle.is_finished());
        }
    }

    fn take_in(
        self: &Arc<Self>,
        client: &Client,
        resources: Vec<Served>,
        running: &mut HashMap<ApiResource, AbortHandle>,
        tasks: &mut JoinSet<()>,
    ) {
        let id = |served: &Served| (served.resource.api_version.clone(), served.resource.kind.clone());
        *self.kinds.write() = resources.iter().map(|served| (id(served), served.clone())).collect();
        let watched: Vec<Served> = resources.into_iter().filter(is_watched).collect();
        running.retain(|resource, handle| {
            let stays = watched.iter().any(|served| served.resource == *resource);
            if !stays {
                handle.abort();
                self.drop_missing(resource, &HashSet::new());
            }
            stays
        });
        let new: Vec<Served> = watched.into_iter().filter(|served| !running.contains_key(&served.resource)).collect();
        let first = self.unsynced.borrow().is_none();
        if first {
            self.unsynced.send_replace(Some(new.len()));
        }
        for served in new {
            let (monitors, client, resource) = (self.clone(), client.clone(), served.resource.clone());
            let handle = tasks.spawn(async move { monitors.watch(client, served, first).await });
            running.insert(resource, handle);
        }
    }

    async fn watch(&self, client: Client, served: Served, mut first: bool) {
        let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client, &served.resource);
        let mut events = changes(api, watcher::Config::default()).boxed();
        let mut listing: Option<HashSet<String>> = None;
        while let Some(event) = events.next().await {
            match event {
                Event::Init => listing = Some(HashSet::new()),
                Event::InitApply(object) => {
                    if let (Some(present), Some(uid)) = (&mut listing, &object.metadata.uid) {
                        present.insert(uid.clone());
                    }
                    self.apply(&served, &object);
                }
                Event::InitDone => {
                    if let Some(present) = listing.take() {
                        self.drop_missing(&served.resource, &present);
                    }
                    if std::mem::take(&mut first) {
                        self.unsynced.send_modify(|left| *left = left.map(|n| n.saturating_sub(1)));
                    }
                }
                Event::Apply(object) => self.apply(&served, &object),
                Event::Delete(object) => {
                    self.remove(object.metadata.uid.as_deref().unwrap_or_default());
                    if let Some(namespace) = &object.metadata.namespace {
                        self.gone.lock().iter().for_each(|handler| handler(namespace));
                    }
                }
            }
        }
    }

    fn apply(&self, served: &Served, object: &PartialObjectMeta<DynamicObject>) {
        let identity = Identity {
            api_version: served.resource.api_version.clone(),
            kind: served.resource.kind.clone(),
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            name: object.metadata.name.clone().unwrap_or_default(),
        };
        let look = self.graph.lock().apply(identity, &object.metadata);
        self.enqueue(look);
    }

    /// An object is gone: so says the watch, or the server when it was asked.
    pub fn remove(&self, uid: &str) {
        self.set_absent(uid);
        let look = self.graph.lock().remove(uid);
        self.enqueue(look);
    }

    /// Whether the object with this uid is known to be gone.
    pub fn is_absent(&self, uid: &str) -> bool {
        self.absent.lock().contains(uid)
    }

    /// The object with this uid is gone: the server said so.
    pub fn set_absent(&self, uid: &str) {
        let mut absent = self.absent.lock();
        if absent.len() >= MAX_ABSENT {
            absent.clear();
        }
        absent.insert(uid.to_owned());
    }

    fn drop_missing(&self, resource: &ApiResource, present: &HashSet<String>) {
        let missing = self.graph.lock().missing(&resource.api_version, &resource.kind, present);
        missing.iter().for_each(|uid| self.remove(uid));
    }

    fn enqueue(&self, uids: Vec<String>) {
        uids.into_iter().for_each(|uid| self.queue.add(Key::new("", uid)));
    }
}

/// Events own nothing, are owned by nothing, and come in floods.
fn is_watched(served: &Served) -> bool {
    let is_event = served.resource.kind == "Event" && matches!(served.resource.group.as_str(), "" | "events.k8s.io");
    !is_event && served.can(&["list", "watch", "delete"])
}
