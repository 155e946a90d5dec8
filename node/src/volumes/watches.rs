//! One watch for each object that volumes are made of, however many pods use it.
//!
//! Like kubelet, the node asks for nothing but the objects its pods name. A watch tells that an object has changed, not
//! what is in it: nothing is kept here.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    sync::{Arc, Weak},
};

use coracle_client::changes;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::{Api, Client, ResourceExt, core::NamespaceResourceScope, runtime::watcher};
use serde::de::DeserializeOwned;
use tokio::task::AbortHandle;

use super::keeper::VolumeKeeper;

/// Objects that are watched at once. Those beyond are looked at from time to time (`keeper::SYNC_PERIOD`).
const WATCHES_LIMIT: usize = 4096;

/// An object that a volume is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    kind: Kind,
    namespace: Arc<str>,
    name: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    ConfigMap,
    Secret,
}

/// What the pod's volumes are made of.
pub fn references(pod: &Pod) -> Box<[Reference]> {
    let namespace: Arc<str> = pod.namespace().unwrap_or_default().into();
    let mut found = HashSet::new();
    let mut add = |kind, name: &str| {
        let (namespace, name) = (Arc::clone(&namespace), Box::from(name));
        found.insert(Reference { kind, namespace, name });
    };
    for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
        volume.config_map.iter().for_each(|source| add(Kind::ConfigMap, &source.name));
        let secret = volume.secret.as_ref().and_then(|source| source.secret_name.as_deref());
        secret.into_iter().for_each(|name| add(Kind::Secret, name));
        for source in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
            source.config_map.iter().for_each(|source| add(Kind::ConfigMap, &source.name));
            source.secret.iter().for_each(|source| add(Kind::Secret, &source.name));
        }
    }
    found.into_iter().collect()
}

/// The objects that are in use, and who uses them.
#[derive(Default)]
pub struct Watches {
    watched: HashMap<Reference, Watched>,
    running: usize,
}

struct Watched {
    users: HashSet<Arc<str>>,
    /// None: there was no room.
    task: Option<AbortHandle>,
}

impl Watches {
    /// The pod uses the object from now on.
    pub fn add(&mut self, reference: &Reference, user: &Arc<str>, keeper: &Arc<VolumeKeeper>) {
        let known = self.watched.contains_key(reference);
        let watched = self.watched.entry(reference.clone());
        let watched = watched.or_insert_with(|| Watched { users: HashSet::new(), task: None });
        watched.users.insert(Arc::clone(user));
        if !known && self.running < WATCHES_LIMIT {
            self.running += 1;
            watched.task = Some(start(reference, keeper));
        }
    }

    /// The pod uses the object no longer; the last one ends the watch.
    pub fn remove(&mut self, reference: &Reference, user: &str) {
        let Some(watched) = self.watched.get_mut(reference) else { return };
        watched.users.remove(user);
        if watched.users.is_empty() {
            let watched = self.watched.remove(reference);
            if let Some(task) = watched.and_then(|watched| watched.task) {
                task.abort();
                self.running -= 1;
            }
        }
    }

    /// Who uses the object.
    pub fn users(&self, reference: &Reference) -> impl Iterator<Item = &Arc<str>> {
        self.watched.get(reference).into_iter().flat_map(|watched| watched.users.iter())
    }

    /// Who uses objects that are not watched. As far as there is room now, their watches begin.
    pub fn unwatched(&mut self, keeper: &Arc<VolumeKeeper>) -> HashSet<Arc<str>> {
        let mut users = HashSet::new();
        for (reference, watched) in self.watched.iter_mut().filter(|(_, watched)| watched.task.is_none()) {
            users.extend(watched.users.iter().cloned());
            if self.running < WATCHES_LIMIT {
                self.running += 1;
                watched.task = Some(start(reference, keeper));
            }
        }
        users
    }
}

fn start(reference: &Reference, keeper: &Arc<VolumeKeeper>) -> AbortHandle {
    let (client, told, reference) = (keeper.watching().clone(), Arc::downgrade(keeper), reference.clone());
    let task = match reference.kind {
        Kind::ConfigMap => tokio::spawn(watch::<ConfigMap>(client, reference, told, |map| map.immutable)),
        Kind::Secret => tokio::spawn(watch::<Secret>(client, reference, told, |secret| secret.immutable)),
    };
    task.abort_handle()
}

/// Tells the keeper of each change of one object, and at the beginning once: it may have changed since it was read.
async fn watch<K>(client: Client, of: Reference, keeper: Weak<VolumeKeeper>, immutable: fn(&K) -> Option<bool>)
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let api: Api<K> = Api::namespaced(client, &of.namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", of.name));
    let mut events = changes(api, config).boxed();
    let (mut version, mut listed, mut fixed, mut told) = (None, None, false, false);
    while let Some(event) = events.next().await {
        let before = version.clone();
        match event {
            watcher::Event::Init => {
                listed = None;
                continue;
            }
            watcher::Event::InitApply(object) => {
                if object.name_any() == *of.name {
                    fixed = immutable(&object) == Some(true);
                    listed = object.resource_version();
                }
                continue;
            }
            watcher::Event::InitDone => version = listed.take(),
            watcher::Event::Apply(object) if object.name_any() == *of.name => {
                fixed = immutable(&object) == Some(true);
                version = object.resource_version();
            }
            watcher::Event::Delete(object) if object.name_any() == *of.name => version = None,
            _ => continue,
        }
        if version == before && told {
            continue;
        }
        told = true;
        let Some(keeper) = keeper.upgrade() else { return };
        keeper.changed(&of);
        if fixed && version.is_some() {
            // What can't change is not watched.
            return;
        }
    }
}
