//! `[sig-network]`: Ingress, IngressClass and the Service of the API itself.

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::steps::{self, cluster_with, in_time, object};
use crate::client::client;
use crate::harness::Cluster;

const GROUP: &str = "networking.k8s.io";

fn ingress() -> Ingress {
    let backend = |name: &str| json!({"service": {"name": name, "port": {"number": 8080}}});
    object(json!({
        "metadata": {"generateName": "e2e-example-ing", "labels": {"special-label": "ours"}},
        "spec": {
            "defaultBackend": backend("default-backend"),
            "rules": [{
                "host": "foo.bar.com",
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend("test-backend")}]},
            }],
        },
    }))
}

fn ingress_class(name: &str) -> IngressClass {
    object(json!({
        "metadata": {"name": name, "labels": {"ingressclass": "ours", "special-label": "generic"}},
        "spec": {"controller": "example.com/controller"},
    }))
}

/// The address in an Ingress's status.
fn address(ingress: &Ingress) -> Value {
    serde_json::to_value(ingress).unwrap()["status"]["loadBalancer"]["ingress"].take()
}

/// `[sig-network] Ingress API should support creating Ingress API operations [Conformance]`
#[tokio::test]
async fn ingress_api_should_support_creating_ingress_api_operations() {
    let (cluster, api, everywhere) = cluster_with::<Ingress>().await;
    steps::discovered(&client(&cluster).await, GROUP, &["ingresses", "ingresses/status"]).await;
    let ours = ListParams::default().labels("special-label=ours");
    let watched = WatchParams::default().labels("special-label=ours");
    let begun = everywhere.list(&ours).await.unwrap().metadata.resource_version.unwrap();
    let templates = [ingress(), ingress(), ingress()];
    let changed = steps::created_read_changed_and_watched(&api, templates, &ours, |_| watched.clone()).await;
    let name = changed.name_any();

    assert_eq!(everywhere.list(&ours).await.unwrap().items.len(), 3);
    let mut events = everywhere.watch(&watched, &begun).await.unwrap().boxed();
    for _ in 0..3 {
        let event = in_time("an event from everywhere", events.next()).await.unwrap().unwrap();
        assert!(matches!(event, WatchEvent::Added(_)), "{event:?}");
    }

    let status = json!({"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}});
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"patchedstatus": "true"}}, "status": status}));
    let patched = api.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(address(&patched), json!([{"ip": "169.1.1.1"}]));
    assert_eq!(patched.annotations()["patchedstatus"], "true");
    let mut wanted = patched;
    wanted.status = object(json!({"loadBalancer": {"ingress": [{"ip": "169.1.1.2"}]}}));
    let updated = api.replace_status(&name, &PostParams::default(), &wanted).await.unwrap();
    assert_eq!(address(&updated), json!([{"ip": "169.1.1.2"}]));
    assert_eq!(api.get_status(&name).await.unwrap().uid(), changed.uid());

    steps::deleted_singly_and_together(&api, &name, &ours).await;
}

/// `[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]`
#[tokio::test]
async fn ingress_class_api_should_support_creating_ingress_class_api_operations() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    steps::discovered(&client, GROUP, &["ingressclasses"]).await;
    let api: Api<IngressClass> = Api::all(client);
    let generic = ListParams::default().labels("special-label=generic");
    let watched = WatchParams::default().labels("ingressclass=ours");
    let templates = ["ingressclass1", "ingressclass2", "ingressclass3"].map(ingress_class);
    let changed = steps::created_read_changed_and_watched(&api, templates, &generic, |_| watched).await;
    let ours = ListParams::default().labels("ingressclass=ours");
    steps::deleted_singly_and_together(&api, &changed.name_any(), &ours).await;
}

/// `[sig-network] Services should find a service from listing all namespaces [Conformance]`
#[tokio::test]
async fn services_should_find_a_service_from_listing_all_namespaces() {
    let (_cluster, _, everywhere) = cluster_with::<Service>().await;
    let list = everywhere.list(&ListParams::default()).await.unwrap();
    let is_it = |service: &Service| service.name_any() == "kubernetes" && service.namespace().unwrap() == "default";
    assert!(list.iter().any(is_it), "{list:?}");
}

/// `[sig-network] Services should provide secure master service [Conformance]`
#[tokio::test]
async fn services_should_provide_secure_master_service() {
    let (_cluster, api, _) = cluster_with::<Service>().await;
    let ports = api.get("kubernetes").await.unwrap().spec.unwrap().ports.unwrap();
    let named: Vec<(Option<&str>, i32)> = ports.iter().map(|port| (port.name.as_deref(), port.port)).collect();
    assert_eq!(named, [(Some("https"), 443)]);
}
