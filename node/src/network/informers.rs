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
use crate::checkpoint::{Checkpoint, Key};

/// Keeps `table` up to date until `shutdown`. The receivers are told when the first list of each kind is in; until then
/// the table has what the checkpoint remembers.
pub fn watch_services(
    client: &Client,
    table: &Arc<ServiceTable>,
    checkpoint: &Arc<Checkpoint>,
    shutdown: &CancellationToken,
) -> [oneshot::Receiver<()>; 2] {
    let view = View { table: Arc::clone(table), checkpoint: Arc::clone(checkpoint) };
    view.recall();
    let (services_in, services) = oneshot::channel();
    let (slices_in, slices) = oneshot::channel();
    tokio::spawn(run::<Service>(Api::all(client.clone()), view.clone(), services_in, shutdown.clone()));
    tokio::spawn(run::<EndpointSlice>(Api::all(client.clone()), view, slices_in, shutdown.clone()));
    [services, slices]
}

/// What a watched kind is written to.
trait Sink<K> {
    fn apply(&self, object: &K);
    fn remove(&self, key: &str);
    fn known(&self) -> Vec<String>;
}

/// What the node knows of Services, and what it will know when it starts again without the server.
#[derive(Clone)]
struct View {
    table: Arc<ServiceTable>,
    checkpoint: Arc<Checkpoint>,
}

impl View {
    /// Takes in what an earlier life of the node knew.
    fn recall(&self) {
        let (services, slices) = self.checkpoint.services();
        services.iter().for_each(|service| self.table.apply_service(ServiceEntry::read(service)));
        slices.iter().for_each(|slice| self.show(slice));
    }

    fn show(&self, slice: &EndpointSlice) {
        let namespace = slice.namespace().unwrap_or_default();
        let service = slice.labels().get(SERVICE_NAME_LABEL).map(|service| key(&namespace, service));
        self.table.apply_slice(&object_key(slice), service, SliceEntry::read(slice));
    }
}

impl Sink<Service> for View {
    fn apply(&self, object: &Service) {
        self.checkpoint.keep(Key::service(&object_key(object)), object, None);
        self.table.apply_service(ServiceEntry::read(object));
    }

    fn remove(&self, key: &str) {
        self.checkpoint.forget(&Key::service(key));
        self.table.remove_service(key);
    }

    fn known(&self) -> Vec<String> {
        self.table.known_keys().0
    }
}

impl Sink<EndpointSlice> for View {
    fn apply(&self, object: &EndpointSlice) {
        self.checkpoint.keep(Key::slice(&object_key(object)), object, None);
        self.show(object);
    }

    fn remove(&self, key: &str) {
        self.checkpoint.forget(&Key::slice(key));
        self.table.remove_slice(key);
    }

    fn known(&self) -> Vec<String> {
        self.table.known_keys().1
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
