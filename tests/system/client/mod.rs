//! kube-rs against the real binary: over HTTPS, with the kubeconfig that `up` wrote, as any program would use it.

mod collecting;
mod controllers;
mod custom;
mod discovery;
mod garbage;
mod nodes;
mod objects;
mod patches;
mod pods;
mod reflecting;
mod watches;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde::de::DeserializeOwned;

use crate::harness::{Cluster, DEADLINE};

/// A client with the cluster's kubeconfig.
pub async fn client(cluster: &Cluster) -> Client {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    assert_eq!(config.cluster_url.scheme_str(), Some("https"));
    Client::try_from(config).unwrap()
}

/// An empty cluster and its ConfigMaps in the namespace `default`.
async fn config_maps() -> (Cluster, Api<ConfigMap>) {
    let cluster = Cluster::start();
    let api = Api::default_namespaced(client(&cluster).await);
    (cluster, api)
}

/// A ConfigMap with one entry, `value`.
fn config_map(name: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([("value".into(), value.into())])),
        ..ConfigMap::default()
    }
}

/// The entry `value` of a ConfigMap.
fn value(object: &ConfigMap) -> &str {
    object.data.as_ref().and_then(|data| data.get("value")).map_or("", String::as_str)
}

/// An object as it would stand in a manifest.
pub fn object<K: DeserializeOwned>(json: serde_json::Value) -> K {
    serde_json::from_value(json).unwrap()
}

/// The code and reason that the server gave for an error.
fn refusal(error: kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.reason),
        other => panic!("the server did not answer: {other}"),
    }
}

/// Fails when something takes unbearably long.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| panic!("{what}: not in time"))
}
