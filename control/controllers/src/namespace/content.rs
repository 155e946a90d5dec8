//! Deleting all objects of a namespace, whatever resources the server has.

use crate::discovery::{Discovered, Served};
use coracle_client::{is_code, message};
use kube::api::{DeleteParams, ListParams};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client};
use std::collections::BTreeMap;

/// What became of a namespace's content.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Objects left, by `resource.group`.
    pub resources: BTreeMap<String, usize>,
    /// How many of them wait for each finalizer.
    pub finalizers: BTreeMap<String, usize>,
    /// What could not be deleted or listed, and why.
    pub errors: Vec<String>,
    /// Group versions whose resources are unknown.
    pub undiscovered: Vec<String>,
}

impl Remains {
    /// Whether nothing is left, as far as can be known.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.errors.is_empty() && self.undiscovered.is_empty()
    }

    fn count(&mut self, served: &Served, objects: &[PartialObjectMeta<DynamicObject>]) {
        if objects.is_empty() {
            return;
        }
        self.resources.insert(label(served), objects.len());
        for finalizer in objects.iter().flat_map(|o| o.metadata.finalizers.iter().flatten()) {
            *self.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
    }
}

fn label(served: &Served) -> String {
    format!("{}.{}", served.resource.plural, served.resource.group)
}

/// Asks for the deletion of everything in `namespace`, and says what is left. Pods go first, and everything else only
/// once they are gone: a NetworkPolicy or a Secret must not vanish under a pod that still runs (KEP-5080).
pub async fn delete_all(client: &Client, namespace: &str, discovered: &Discovered) -> Remains {
    let mut remains = Remains { undiscovered: discovered.failed.clone(), ..Remains::default() };
    let deletable = |served: &&Served| served.namespaced && served.can(&["list", "delete"]);
    let is_pods = |served: &&Served| served.resource.group.is_empty() && served.resource.plural == "pods";
    for served in discovered.resources.iter().filter(deletable).filter(is_pods) {
        delete_resource(client, namespace, served, &mut remains).await;
    }
    if !remains.resources.is_empty() || !remains.errors.is_empty() {
        return remains;
    }
    for served in discovered.resources.iter().filter(deletable).filter(|served| !is_pods(served)) {
        delete_resource(client, namespace, served, &mut remains).await;
    }
    remains
}

async fn delete_resource(client: &Client, namespace: &str, served: &Served, remains: &mut Remains) {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &served.resource);
    let result = async {
        let before = api.list_metadata(&ListParams::default()).await?.items;
        if before.is_empty() {
            return Ok(before);
        }
        if served.can(&["deletecollection"]) {
            api.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
        } else {
            delete_each(&api, &before).await?;
        }
        Ok(api.list_metadata(&ListParams::default()).await?.items)
    };
    match result.await {
        Ok(objects) => remains.count(served, &objects),
        // The resource went away meanwhile, or can't be used like this after all.
        Err(error) if is_code(&error, 404) || is_code(&error, 405) => {}
        Err(error) => {
            let error: kube::Error = error;
            remains.errors.push(format!("{}: {}", label(served), message(&error)));
        }
    }
}

async fn delete_each(api: &Api<DynamicObject>, objects: &[PartialObjectMeta<DynamicObject>]) -> kube::Result<()> {
    for object in objects.iter().filter(|o| o.metadata.deletion_timestamp.is_none()) {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        match api.delete(name, &DeleteParams::background()).await {
            Err(error) if !is_code(&error, 404) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
