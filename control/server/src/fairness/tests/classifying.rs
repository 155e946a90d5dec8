//! Which schema and level a request is of, in a cluster as it starts.

use std::sync::Arc;

use coracle_store::{Expect, Key, Object, Store, StoreConfig, Txn};
use prometheus_client::registry::Registry;
use serde_json::Value;

use super::super::Fairness;
use super::super::config::{LEVELS, SCHEMAS};
use crate::authz::{Attributes, Subject};
use crate::bootstrap;
use crate::config::Limits;
use crate::identity::User;

struct Cluster {
    store: Store,
    fairness: Fairness,
    _directory: tempfile::TempDir,
}

impl Cluster {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(StoreConfig::new(directory.path()), crate::lift()).await.unwrap();
        let fairness = Fairness::new(&store, &Limits::default(), &mut Registry::default()).unwrap();
        Self { store, fairness, _directory: directory }
    }

    async fn put(&self, resource: &str, object: &Value) {
        let key = Key::new(resource, "", coracle_api::meta::name(object));
        let object = Object::from_json(object.to_string().into_bytes()).unwrap();
        self.store.commit(Txn::put(key, object, Expect::Any)).await.unwrap();
    }

    async fn with_defaults() -> Self {
        let cluster = Self::new().await;
        for level in bootstrap::priority_levels() {
            cluster.put(LEVELS, &level).await;
        }
        for schema in bootstrap::flow_schemas() {
            cluster.put(SCHEMAS, &schema).await;
        }
        cluster
    }

    fn of(&self, user: &User, attributes: &Attributes<'_>) -> (Arc<str>, u64) {
        let flow = self.fairness.classify(user, attributes).unwrap();
        (flow.route.level.clone(), flow.number)
    }

    fn level(&self, user: &User, verb: &str, resource: (&str, &str), namespace: &str) -> String {
        let (group, resource) = resource;
        let target = Subject::Resource { group, resource, subresource: "", namespace, name: "" };
        self.of(user, &Attributes::new(verb, target)).0.to_string()
    }
}

fn account(namespace: &str, name: &str) -> User {
    User::new(
        format!("system:serviceaccount:{namespace}:{name}"),
        ["system:serviceaccounts".to_string(), format!("system:serviceaccounts:{namespace}")],
    )
}

#[tokio::test]
async fn everybody_has_the_level_that_kubernetes_gives_him() {
    let cluster = Cluster::with_defaults().await;
    let (jane, admin) = (User::new("jane", []), User::new("a", ["system:masters".to_string()]));
    let node = User::new("system:node:n", ["system:nodes".to_string()]);
    let (pods, leases) = (("", "pods"), ("coordination.k8s.io", "leases"));
    assert_eq!(cluster.level(&admin, "list", pods, ""), "exempt");
    assert_eq!(cluster.level(&jane, "list", pods, ""), "global-default");
    assert_eq!(cluster.level(&User::anonymous(), "get", pods, "x"), "global-default");
    assert_eq!(cluster.level(&node, "update", leases, "kube-node-lease"), "node-high");
    assert_eq!(cluster.level(&node, "list", pods, ""), "system");
    assert_eq!(cluster.level(&account("team", "robot"), "list", pods, "team"), "workload-low");
    assert_eq!(cluster.level(&account("kube-system", "robot"), "list", pods, ""), "workload-high");
    assert_eq!(cluster.level(&account("kube-system", "robot"), "update", leases, "kube-system"), "leader-election");
    let probe = Attributes::new("get", Subject::Path("/readyz/node"));
    assert_eq!(&*cluster.of(&User::anonymous(), &probe).0, "exempt");
}

#[tokio::test]
async fn flows_are_told_apart_as_their_schema_says() {
    let cluster = Cluster::with_defaults().await;
    let flow = |user: &User, namespace| {
        let target = Subject::Resource { group: "", resource: "pods", subresource: "", namespace, name: "" };
        cluster.of(user, &Attributes::new("list", target)).1
    };
    let (jane, joe) = (User::new("jane", []), User::new("joe", []));
    assert_eq!(flow(&jane, "a"), flow(&jane, "b"));
    assert_ne!(flow(&jane, "a"), flow(&joe, "a"));
    let manager = User::new("system:kube-controller-manager", []);
    assert_ne!(flow(&manager, "a"), flow(&manager, "b"));
}

#[tokio::test]
async fn what_must_be_there_is_there() {
    let cluster = Cluster::new().await;
    let admin = User::new("a", ["system:masters".to_string()]);
    assert_eq!(cluster.level(&admin, "list", ("", "pods"), ""), "exempt");
    assert_eq!(cluster.level(&User::new("jane", []), "list", ("", "pods"), ""), "catch-all");
    let mut nobody = User::new("nobody", []);
    nobody.groups.clear();
    assert_eq!(cluster.level(&nobody, "list", ("", "pods"), ""), "catch-all");
}

#[tokio::test]
async fn changed_objects_decide_about_the_next_request() {
    let cluster = Cluster::with_defaults().await;
    let jane = User::new("jane", ["devs".to_string()]);
    let level = || cluster.level(&jane, "list", ("", "pods"), "");
    assert_eq!(level(), "global-default");
    let all = bootstrap::flow_schemas();
    let mut devs = all.iter().find(|schema| schema["metadata"]["name"] == "global-default").unwrap().clone();
    devs["metadata"]["name"] = "devs".into();
    devs["spec"]["matchingPrecedence"] = 9000.into();
    devs["spec"]["priorityLevelConfiguration"]["name"] = "workload-low".into();
    // Of the same precedence, but its name comes first.
    let mut first = devs.clone();
    first["metadata"]["name"] = "apes".into();
    first["spec"]["priorityLevelConfiguration"]["name"] = "nowhere".into();
    cluster.put(SCHEMAS, &devs).await;
    cluster.put(SCHEMAS, &first).await;
    assert_eq!(level(), "workload-low", "a schema that leads nowhere is about nothing");
    let key = Key::new(SCHEMAS, "", "devs");
    cluster.store.commit(Txn::delete(key, Expect::Any, None)).await.unwrap();
    assert_eq!(level(), "global-default");
}
