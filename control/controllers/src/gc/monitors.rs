//! One metadata watch for each resource that can be watched and deleted.

use super::graph::Graph;
use super::node::Identity;
use crate::discovery::{Discovered, Served, discover};
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

/// Absent owners remembered; when there are more, the server is asked again.
const MAX_ABSENT: usize = 10_000;

/// Called with a namespace.
type GoneHandler = Box<dyn Fn(&str) + Send + Sync>;

/// Called with a resource.
type SeenHandler = Box<dyn Fn(&Served) + Send + Sync>;

/// What the watches know.
pub struct Monitors {
    /// Of all objects.
    pub graph: Mutex<Graph>,
    /// Uids to look at.
    pub queue: WorkQueue,
    /// Resources by `apiVersion` and `kind`, in every version that is served.
    kinds: RwLock<HashMap<(String, String), Served>>,
    /// Every resource once.
    served: RwLock<Vec<Served>>,
    /// Where which owners are not: a uid never comes back.
    absent: Mutex<HashSet<(Identity, String)>>,
    /// Who wants to hear of the namespaces of objects that are gone.
    gone: Mutex<Vec<GoneHandler>>,
    /// Who wants to hear of resources that are watched from now on.
    seen: Mutex<Vec<SeenHandler>>,
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
            served: RwLock::default(),
            absent: Mutex::default(),
            gone: Mutex::default(),
            seen: Mutex::default(),
            unsynced,
        }
    }

    /// The resource of a kind, if the server has it.
    pub fn resource(&self, api_version: &str, kind: &str) -> Option<Served> {
        self.kinds.read().get(&(api_version.to_owned(), kind.to_owned())).cloned()
    }

    /// The resources that the server has now, each once.
    pub fn served(&self) -> Vec<Served> {
        self.served.read().clone()
    }

    /// Calls `handler` with the namespace of every object that is seen to be gone.
    pub fn on_gone(&self, handler: impl Fn(&str) + Send + Sync + 'static) {
        self.gone.lock().push(Box::new(handler));
    }

    /// Calls `handler` with every resource that came to be served later than this began, once it is watched.
    pub fn on_seen(&self, handler: impl Fn(&Served) + Send + Sync + 'static) {
        self.seen.lock().push(Box::new(handler));
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
                    let wait = if found.failed.is_empty() { period } else { DISCOVERY_RETRY };
                    self.take_in(client, found, &mut running, &mut tasks);
                    wait
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
        found: Discovered,
        running: &mut HashMap<ApiResource, AbortHandle>,
        tasks: &mut JoinSet<()>,
    ) {
        let id = |served: &Served| (served.resource.api_version.clone(), served.resource.kind.clone());
        // A server that does not say what it has still has it.
        let silent = |api_version: &str| found.failed.iter().any(|(failed, _)| failed == api_version);
        {
            let mut kinds = self.kinds.write();
            kinds.retain(|(api_version, _), _| silent(api_version));
            kinds.extend(found.resources.iter().chain(&found.others).map(|served| (id(served), served.clone())));
        }
        let watched: Vec<Served> = found.resources.iter().filter(|served| is_watched(served)).cloned().collect();
        *self.served.write() = found.resources;
        running.retain(|resource, handle| {
            let stays = silent(&resource.api_version) || watched.iter().any(|served| served.resource == *resource);
            if !stays {
                handle.abort();
                self.graph.lock().forget(&resource.api_version, &resource.kind);
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
        let mut new = !first;
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
                    if std::mem::take(&mut new) {
                        self.seen.lock().iter().for_each(|handler| handler(&served));
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
        let look = {
            let mut graph = self.graph.lock();
            if let Some(node) = graph.get(uid) {
                self.set_absent(&node.identity, uid);
            }
            graph.remove(uid)
        };
        self.enqueue(look);
    }

    /// An owner that was never seen is not where it was looked for: so says the server.
    pub fn not_found(&self, identity: &Identity, uid: &str) {
        self.set_absent(identity, uid);
        let look = self.graph.lock().not_found(uid, |place| self.is_absent(place, uid));
        self.enqueue(look);
    }

    /// Whether an object with this uid is known not to be there.
    pub fn is_absent(&self, identity: &Identity, uid: &str) -> bool {
        self.absent.lock().contains(&(identity.clone(), uid.to_owned()))
    }

    /// There is no object with this uid: the server said so.
    pub fn set_absent(&self, identity: &Identity, uid: &str) {
        let mut absent = self.absent.lock();
        if absent.len() >= MAX_ABSENT {
            absent.clear();
        }
        absent.insert((identity.clone(), uid.to_owned()));
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
