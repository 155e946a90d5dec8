//! One watch of one resource, shared by all controllers that look at it.
//!
//! Handlers are called in the order of the changes, after the store shows them; they only put keys into queues.

use super::controller::Reconcile;
use super::key::Key;
use super::store::{IndexFn, Store};
use coracle_client::changes;
use futures::StreamExt;
use kube::Api;
use kube::runtime::watcher::{self, Event};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What became of an object.
pub enum Delta<'a, K> {
    /// It is new.
    Added(&'a Arc<K>),
    /// It changed from the first to the second; in a periodic resync both are the same.
    Updated(&'a Arc<K>, &'a Arc<K>),
    /// It is gone; this is the last version seen.
    Deleted(&'a Arc<K>),
}

impl<'a, K> Delta<'a, K> {
    /// The newest version known.
    pub fn object(&self) -> &'a Arc<K> {
        match self {
            Delta::Added(object) | Delta::Updated(_, object) | Delta::Deleted(object) => object,
        }
    }
}

type Handler<K> = Box<dyn Fn(&Delta<'_, K>) + Send + Sync>;

/// See the module's documentation.
pub struct Informer<K> {
    api: Api<K>,
    config: watcher::Config,
    store: Arc<Store<K>>,
    handlers: Mutex<Vec<Handler<K>>>,
    synced: watch::Sender<bool>,
    resync: Duration,
    slim: fn(&mut K),
}

impl<K> Informer<K>
where
    K: kube::Resource + Clone + Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    /// An informer that watches nothing before [`Informer::run`].
    pub fn new(api: Api<K>, config: watcher::Config, extra: Option<IndexFn<K>>, resync: Duration) -> Informer<K> {
        let (synced, _) = watch::channel(false);
        let (store, handlers) = (Arc::new(Store::new(extra)), Mutex::default());
        Informer { api, config, store, handlers, synced, resync, slim: |_| {} }
    }

    /// The same informer, but before an object is kept, `slim` takes out what nobody here reads.
    pub fn slimmed(self, slim: fn(&mut K)) -> Informer<K> {
        Informer { slim, ..self }
    }

    /// The objects as last seen.
    pub fn store(&self) -> &Arc<Store<K>> {
        &self.store
    }

    fn on_change(&self, handler: impl Fn(&Delta<'_, K>) + Send + Sync + 'static) {
        self.handlers.lock().push(Box::new(handler));
    }

    /// Calls a listener's method with every change, as long as the listener lives. To be called before [`Informer::run`].
    pub fn tell<C>(&self, listener: &Arc<C>, hear: impl Fn(&C, &Delta<'_, K>) + Send + Sync + 'static)
    where
        C: Send + Sync + 'static,
    {
        // Weak, because listeners own the informers.
        let listener = Arc::downgrade(listener);
        self.on_change(move |delta| {
            if let Some(listener) = listener.upgrade() {
                hear(&listener, delta);
            }
        });
    }

    /// Has a controller look at every object that changes. To be called before [`Informer::run`].
    pub fn enqueue_for<C: Reconcile>(&self, controller: &Arc<C>) {
        self.tell(controller, |controller, delta| controller.queue().add(Key::of(delta.object().meta())));
    }

    /// Waits until the first list is in the store.
    pub async fn wait_synced(&self) {
        // The sender is ours, so that waiting can't fail.
        drop(self.synced.subscribe().wait_for(|synced| *synced).await);
    }

    /// Watches for as long as it is polled; failures are retried with back-off.
    pub async fn run(&self) {
        let handlers = std::mem::take(&mut *self.handlers.lock());
        let notify = |delta: Delta<'_, K>| handlers.iter().for_each(|handler| handler(&delta));
        let mut events = changes(self.api.clone(), self.config.clone()).boxed();
        let mut resync = tokio::time::interval(self.resync);
        resync.tick().await;
        let mut listing = None;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.apply(event, &mut listing, &notify),
                    None => return,
                },
                _ = resync.tick() => {
                    self.store.all().iter().for_each(|object| notify(Delta::Updated(object, object)));
                }
            }
        }
    }

    fn apply(&self, event: Event<K>, listing: &mut Option<HashSet<Key>>, notify: &impl Fn(Delta<'_, K>)) {
        match event {
            Event::Init => *listing = Some(HashSet::new()),
            Event::InitApply(object) => {
                if let Some(present) = listing {
                    present.insert(Key::of(object.meta()));
                }
                self.set(object, notify);
            }
            Event::InitDone => {
                for key in listing.take().map(|present| self.store.missing(&present)).unwrap_or_default() {
                    self.unset(&key, notify);
                }
                self.synced.send_replace(true);
            }
            Event::Apply(object) => self.set(object, notify),
            Event::Delete(object) => {
                let key = Key::of(object.meta());
                self.store.insert(key.clone(), Arc::new(object));
                self.unset(&key, notify);
            }
        }
    }

    fn set(&self, mut object: K, notify: &impl Fn(Delta<'_, K>)) {
        // Nobody here reads them, and they are a good part of an object's size.
        object.meta_mut().managed_fields = None;
        (self.slim)(&mut object);
        // A clone's lists are as long as what is in them; those that the decoder filled have room for more.
        let object = Arc::new(object.clone());
        match self.store.insert(Key::of(object.meta()), object.clone()) {
            None => notify(Delta::Added(&object)),
            Some(old) if old.meta().uid != object.meta().uid => {
                notify(Delta::Deleted(&old));
                notify(Delta::Added(&object));
            }
            Some(old) if old.meta().resource_version == object.meta().resource_version => {}
            Some(old) => notify(Delta::Updated(&old, &object)),
        }
    }

    fn unset(&self, key: &Key, notify: &impl Fn(Delta<'_, K>)) {
        if let Some(object) = self.store.remove(key) {
            notify(Delta::Deleted(&object));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn informer() -> Informer<ConfigMap> {
        let service = tower_stub();
        let client = kube::Client::new(service, "default");
        Informer::new(Api::all(client), watcher::Config::default(), None, Duration::from_secs(600))
    }

    /// A service that is never called: these tests feed events by hand.
    fn tower_stub() -> impl tower::Service<
        http::Request<kube::client::Body>,
        Response = http::Response<kube::client::Body>,
        Error = std::io::Error,
        Future = std::future::Pending<Result<http::Response<kube::client::Body>, std::io::Error>>,
    > + Send
    + 'static {
        tower::service_fn(|_| std::future::pending())
    }

    fn object(name: &str, uid: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.into());
        object.metadata.uid = Some(uid.into());
        object.metadata.resource_version = Some(version.into());
        object
    }

    #[tokio::test]
    async fn lists_and_changes_become_deltas() {
        let informer = informer();
        let seen = Mutex::new(Vec::new());
        let notify = |delta: Delta<'_, ConfigMap>| {
            let name = delta.object().metadata.name.clone().unwrap();
            seen.lock().push(match delta {
                Delta::Added(_) => format!("+{name}"),
                Delta::Updated(..) => format!("~{name}"),
                Delta::Deleted(_) => format!("-{name}"),
            });
        };
        let mut listing = None;
        for event in [
            Event::Init,
            Event::InitApply(object("a", "1", "1")),
            Event::InitApply(object("b", "2", "1")),
            Event::InitDone,
            Event::Apply(object("a", "1", "2")),
            Event::Init,
            Event::InitApply(object("a", "1", "2")),
            Event::InitDone,
            Event::Apply(object("a", "3", "5")),
            Event::Delete(object("a", "3", "6")),
        ] {
            informer.apply(event, &mut listing, &notify);
        }
        assert_eq!(*seen.lock(), ["+a", "+b", "~a", "-b", "-a", "+a", "-a"]);
        assert_eq!(informer.store().len(), 0);
        informer.wait_synced().await;
    }

    #[tokio::test]
    async fn listeners_hear_while_they_live() {
        let informer = informer();
        let heard = Arc::new(Mutex::new(0));
        informer.tell(&heard, |heard, _| *heard.lock() += 1);
        let handlers = std::mem::take(&mut *informer.handlers.lock());
        let told = Arc::new(object("a", "1", "1"));
        handlers[0](&Delta::Added(&told));
        assert_eq!(*heard.lock(), 1);
        let gone = Arc::downgrade(&heard);
        drop(heard);
        handlers[0](&Delta::Added(&told));
        assert!(gone.upgrade().is_none(), "the informer does not keep it alive");
    }
}
