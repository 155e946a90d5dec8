//! Deleting all objects of a namespace, whatever resources the server has.

use crate::discovery::{Discovered, Served};
use coracle_client::{is_code, message};
use kube::api::{DeleteParams, ListParams};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::{Api, Client};
use std::collections::BTreeMap;

/// What became of a namespace's content.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Objects left, by `resource.group`.
    pub resources: BTreeMap<String, usize>,
    /// How many of them wait for each finalizer.
    pub finalizers: BTreeMap<String, usize>,
    /// What could not be deleted or listed, and what is left though nothing holds it.
    pub errors: Vec<String>,
    /// Group versions whose resources are unknown, and why.
    pub undiscovered: Vec<(String, String)>,
    /// What the server calls group versions and is none.
    pub unreadable: Vec<String>,
}

impl Remains {
    /// Whether nothing is left, as far as can be known.
    pub fn is_empty(&self) -> bool {
        let known = self.undiscovered.is_empty() && self.unreadable.is_empty();
        known && self.resources.is_empty() && self.errors.is_empty()
    }

    /// Takes in what is left of a resource, `age_seconds` after the deletion of `namespace` was asked for.
    fn count(&mut self, served: &Served, left: &[PartialObjectMeta<DynamicObject>], namespace: &str, age_seconds: i64) {
        if left.is_empty() {
            return;
        }
        self.resources.insert(label(served), left.len());
        let finalizers: Vec<&String> = left.iter().flat_map(|o| o.metadata.finalizers.iter().flatten()).collect();
        let graces = left.iter().filter_map(|o| o.metadata.deletion_grace_period_seconds);
        if finalizers.is_empty() && graces.max().unwrap_or(0) <= age_seconds {
            let ApiResource { group, version, plural, .. } = &served.resource;
            self.errors.push(format!(
                "unexpected items still remain in namespace: {namespace} for gvr: {group}/{version}, Resource={plural}"
            ));
        }
        for finalizer in finalizers {
            *self.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
    }
}

fn label(served: &Served) -> String {
    format!("{}.{}", served.resource.plural, served.resource.group)
}

/// A namespace whose content is deleted.
pub struct Deletion<'a> {
    pub client: &'a Client,
    pub namespace: &'a str,
    /// How long ago its deletion was asked for.
    pub age_seconds: i64,
}

impl Deletion<'_> {
    /// Asks for the deletion of everything in the namespace, and says what is left. Pods go first, and everything else
    /// only once they are gone: a NetworkPolicy or a Secret must not vanish under a pod that still runs (KEP-5080).
    pub async fn delete_all(&self, discovered: &Discovered) -> Remains {
        let Discovered { failed, unreadable, .. } = discovered.clone();
        let mut remains = Remains { undiscovered: failed, unreadable, ..Remains::default() };
        let deletable = |served: &&Served| served.namespaced && served.can(&["delete"]);
        let is_pods = |served: &&Served| served.resource.group.is_empty() && served.resource.plural == "pods";
        for served in discovered.resources.iter().filter(deletable).filter(is_pods) {
            self.delete_resource(served, &mut remains).await;
        }
        if !remains.resources.is_empty() || !remains.errors.is_empty() {
            return remains;
        }
        for served in discovered.resources.iter().filter(deletable).filter(|served| !is_pods(served)) {
            self.delete_resource(served, &mut remains).await;
        }
        remains
    }

    async fn delete_resource(&self, served: &Served, remains: &mut Remains) {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), self.namespace, &served.resource);
        let (lists, together) = (served.can(&["list"]), served.can(&["deletecollection"]));
        let result = async {
            let before = if lists { api.list_metadata(&ListParams::default()).await?.items } else { Vec::new() };
            if before.is_empty() && lists {
                return Ok(before);
            }
            if together {
                api.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
            } else {
                delete_each(&api, &before).await?;
            }
            if lists { Ok(api.list_metadata(&ListParams::default()).await?.items) } else { Ok(before) }
        };
        match result.await {
            Ok(left) => remains.count(served, &left, self.namespace, self.age_seconds),
            // The resource went away meanwhile, or can't be used like this after all.
            Err(error) if is_code(&error, 404) || is_code(&error, 405) => {}
            Err(error) => {
                let error: kube::Error = error;
                remains.errors.push(message(&error));
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn maps() -> Served {
        let resource = ApiResource {
            group: String::new(),
            version: "v1".to_owned(),
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            plural: "configmaps".to_owned(),
        };
        Served { resource, namespaced: true, verbs: Vec::new() }
    }

    fn counted(metadata: Value, age_seconds: i64) -> Remains {
        let object = json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata });
        let mut remains = Remains::default();
        remains.count(&maps(), &[serde_json::from_value(object).unwrap()], "n", age_seconds);
        remains
    }

    #[test]
    fn what_is_left_is_waited_for_as_long_as_something_holds_it() {
        let held = counted(json!({ "finalizers": ["example.com/a"] }), 100);
        assert_eq!(held.resources, [("configmaps.".to_owned(), 1)].into());
        assert_eq!(held.finalizers, [("example.com/a".to_owned(), 1)].into());
        assert!(held.errors.is_empty());
        assert!(counted(json!({ "deletionGracePeriodSeconds": 30 }), 10).errors.is_empty());
        let stuck = "unexpected items still remain in namespace: n for gvr: /v1, Resource=configmaps";
        assert_eq!(counted(json!({ "deletionGracePeriodSeconds": 30 }), 30).errors, [stuck]);
        assert_eq!(counted(json!({}), 0).errors, [stuck]);
    }
}
