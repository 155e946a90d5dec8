//! Fills the Service table from watches on Services and EndpointSlices.

use std::{collections::HashSet, sync::Arc};

use coracle_client::changes;
use futures::StreamExt;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{Api, Client, ResourceExt, runtime::watcher};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    endpoints::{SERVICE_NAME_LABEL, ServiceEntry, SliceEntry},
    table::{ServiceTable, key},
};

/// Keeps `table` up to date until `shutdown`. The receivers are told when the first list of each kind is in.
pub fn watch_services(
    client: &Client,
    table: &Arc<ServiceTable>,
    shutdown: &CancellationToken,
) -> [oneshot::Receiver<()>; 2] {
    let (services_in, services) = oneshot::channel();
    let (slices_in, slices) = oneshot::channel();
    tokio::spawn(run(Api::all(client.clone()), Services(Arc::clone(table)), services_in, shutdown.clone()));
    tokio::spawn(run(Api::all(client.clone()), Slices(Arc::clone(table)), slices_in, shutdown.clone()));
    [services, slices]
}

/// What a watched kind is written to.
trait Sink<K> {
    fn apply(&self, object: &K);
    fn remove(&self, key: &str);
    fn known(&self) -> Vec<String>;
}

struct Services(Arc<ServiceTable>);

impl Sink<Service> for Services {
    fn apply(&self, object: &Service) {
        self.0.apply_service(ServiceEntry::read(object));
    }

    fn remove(&self, key: &str) {
        self.0.remove_service(key);
    }

    fn known(&self) -> Vec<String> {
        self.0.known_keys().0
    }
}

struct Slices(Arc<ServiceTable>);

impl Sink<EndpointSlice> for Slices {
    fn apply(&self, object: &EndpointSlice) {
        let namespace = object.namespace().unwrap_or_default();
        let service = object.labels().get(SERVICE_NAME_LABEL).map(|service| key(&namespace, service));
        self.0.apply_slice(&object_key(object), service, SliceEntry::read(object));
    }

    fn remove(&self, key: &str) {
        self.0.remove_slice(key);
    }

    fn known(&self) -> Vec<String> {
        self.0.known_keys().1
    }
}

fn object_key(object: &impl ResourceExt) -> String {
    key(&object.namespace().unwrap_or_default(), &object.name_any())
}

async fn run<K>(api: Api<K>, sink: impl Sink<K>, synced: oneshot::Sender<()>, shutdown: CancellationToken)
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut synced = Some(synced);
    let mut listed = HashSet::new();
    let mut events = changes(api, watcher::Config::default()).boxed();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = shutdown.cancelled() => return,
        };
        match event {
            Some(watcher::Event::Init) => listed.clear(),
            Some(watcher::Event::InitApply(object)) => {
                listed.insert(object_key(&object));
                sink.apply(&object);
            }
            Some(watcher::Event::InitDone) => {
                sink.known().iter().filter(|key| !listed.contains(*key)).for_each(|key| sink.remove(key));
                listed = HashSet::new();
                if let Some(synced) = synced.take() {
                    let _ = synced.send(());
                }
            }
            Some(watcher::Event::Apply(object)) => sink.apply(&object),
            Some(watcher::Event::Delete(object)) => sink.remove(&object_key(&object)),
            None => return,
        }
    }
}
