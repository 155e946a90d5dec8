//! The objects that every cluster has, made when the server starts: system namespaces with their default accounts,
//! the `kubernetes` Service that leads to the server itself, its range of addresses, and how requests queue.

mod flow_control;
mod policy;
mod roles;

use coracle_api::{ApiError, Reason, meta};
use coracle_store::{Expect, Key, Txn};
use futures::future::try_join_all;
use futures::try_join;
use serde_json::{Value, json};

pub(crate) use flow_control::{levels as priority_levels, schemas as flow_schemas};

use crate::authz::rbac::Rule;
use crate::hub::Hub;
use crate::identity::User;
use crate::server::StartError;
use crate::write::{
    Author, Intent, Next, Notes, Part, create_object, edit, ensure_addresses, now, prepare_create, revise, stored_as_is,
};

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// The classes that every cluster has (`scheduling.SystemPriorityClasses`).
const PRIORITY_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
];

/// The class of pods whose sandbox is a process of its own; nodes know its handler by the same name.
const RUNTIME_CLASS: &str = "wasm-isolated";

/// The Service that leads to the API.
const SERVICE: &str = "kubernetes";

/// The rules of the ClusterRole `system:node`, which the Node authorizer applies.
pub(crate) fn node_rules() -> Vec<Rule> {
    let roles = policy::cluster_roles();
    roles.iter().find(|role| meta::name(role) == "system:node").map(Rule::all_of).unwrap_or_default()
}

/// Makes what is missing, and has the endpoints lead to where the server is now.
pub(crate) async fn ensure(hub: &Hub) -> Result<(), StartError> {
    // What does not depend on each other goes together: one fsync instead of four.
    try_join_all(NAMESPACES.map(|namespace| {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        create(hub, "v1", "namespaces", "", object)
    }))
    .await?;
    let accounts = try_join_all(NAMESPACES.map(|namespace| {
        // The controller would make it too; made here, the first pod need not wait for the controller.
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
        create(hub, "v1", "serviceaccounts", namespace, account)
    }));
    // A server may be given a catalogue without them.
    let has_classes = hub.row("scheduling.k8s.io/v1", "priorityclasses").is_ok();
    let classes =
        try_join_all(PRIORITY_CLASSES.into_iter().filter(|_| has_classes).map(|(name, value, description)| {
            let class = json!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name },
                "value": value, "description": description,
            });
            create(hub, "scheduling.k8s.io/v1", "priorityclasses", "", class)
        }));
    let runtime = runtime_class(hub);
    let service = async {
        create(hub, "v1", "services", "default", service(hub)).await?;
        follow_port(hub).await
    };
    let range = service_range(hub);
    let endpoints = lead_here(hub, "v1", "endpoints", endpoints(hub));
    let slice = lead_here(hub, "discovery.k8s.io/v1", "endpointslices", endpoint_slice(hub));
    try_join!(
        accounts,
        classes,
        runtime,
        service,
        range,
        endpoints,
        slice,
        flow_control::ensure(hub),
        roles::ensure(hub)
    )?;
    ensure_addresses(hub).await.map_err(failed("the addresses of Services".into()))
}

async fn runtime_class(hub: &Hub) -> Result<(), StartError> {
    const PLURAL: &str = "runtimeclasses";
    const VERSION: &str = "node.k8s.io/v1";
    // A server may be given a catalogue without them.
    if hub.row(VERSION, PLURAL).is_err() {
        return Ok(());
    }
    let class = json!({
        "apiVersion": VERSION, "kind": "RuntimeClass", "metadata": { "name": RUNTIME_CLASS }, "handler": RUNTIME_CLASS,
    });
    create(hub, VERSION, PLURAL, "", class).await
}

/// The addresses of Services as an object (KEP-1880).
async fn service_range(hub: &Hub) -> Result<(), StartError> {
    const PLURAL: &str = "servicecidrs";
    const VERSION: &str = "networking.k8s.io/v1";
    // A server may be given a catalogue without them.
    if hub.row(VERSION, PLURAL).is_err() {
        return Ok(());
    }
    let range = json!({
        "apiVersion": VERSION, "kind": "ServiceCIDR", "metadata": { "name": SERVICE },
        "spec": { "cidrs": [hub.config.service_cidr.to_string()] },
    });
    create(hub, VERSION, PLURAL, "", range).await?;
    let ready = |_: &Value| json!({ "type": "Ready", "status": "True", "reason": "", "message": "Kubernetes Service CIDR is ready" });
    note(hub, (VERSION, PLURAL, SERVICE), ready).await
}

fn service(hub: &Hub) -> Value {
    let address = hub.allocators.first_address().to_string();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": SERVICE, "labels": { "component": "apiserver", "provider": "kubernetes" } },
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": hub.config.advertise.port() }],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    })
}

fn endpoints(hub: &Hub) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": SERVICE,
            "namespace": "default",
            // Not to be mirrored: the slice is made here too.
            "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" },
        },
        "subsets": [{
            "addresses": [{ "ip": hub.config.advertise.ip().to_string() }],
            "ports": [{ "name": "https", "port": hub.config.advertise.port(), "protocol": "TCP" }],
        }],
    })
}

fn endpoint_slice(hub: &Hub) -> Value {
    let family = if hub.config.advertise.is_ipv4() { "IPv4" } else { "IPv6" };
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": { "name": SERVICE, "namespace": "default", "labels": { "kubernetes.io/service-name": SERVICE } },
        "addressType": family,
        "endpoints": [{ "addresses": [hub.config.advertise.ip().to_string()], "conditions": { "ready": true } }],
        "ports": [{ "name": "https", "port": hub.config.advertise.port(), "protocol": "TCP" }],
    })
}

/// A server that was started again may listen at another port.
async fn follow_port(hub: &Hub) -> Result<(), StartError> {
    let done = async {
        let resource = row(hub, "v1", "services")?;
        let key = Key::new(resource.storage_key(), "default", SERVICE);
        let author = Author::server();
        let decide = |old: &Value| {
            let mut new = old.clone();
            new["spec"]["ports"] = service(hub)["spec"]["ports"].clone();
            Ok(Next::Write { object: revise(&resource, Part::Main, new, old, &author)?, pinned: false })
        };
        edit(hub, &resource, &key, false, decide).await.map(|_| ())
    };
    done.await.map_err(failed(format!("services/{SERVICE}")))
}

fn failed(what: String) -> impl FnOnce(ApiError) -> StartError {
    move |source| StartError::Bootstrap { what, source: Box::new(source) }
}

/// Creates an object by the ordinary path, unless it is there.
async fn create(hub: &Hub, api_version: &str, plural: &str, namespace: &str, object: Value) -> Result<(), StartError> {
    let what = format!("{plural}/{}", meta::name(&object));
    let done = async {
        let resource = row(hub, api_version, plural)?;
        if hub.store.get(&Key::new(resource.storage_key(), namespace, meta::name(&object))).is_some() {
            return Ok(());
        }
        let (author, user, notes) = (Author::server(), User::server(), Notes::default());
        let intent =
            Intent { resource: &resource, namespace, dry_run: false, author: &author, user: &user, notes: &notes };
        match create_object(hub, &intent, object).await {
            Err(error) if error.reason != Reason::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    done.await.map_err(failed(what))
}

/// Says something about an object that has no conditions yet.
async fn note(
    hub: &Hub,
    (api_version, plural, name): (&str, &str, &str),
    condition: impl Fn(&Value) -> Value + Send + Sync,
) -> Result<(), StartError> {
    let done = async {
        let resource = row(hub, api_version, plural)?;
        let key = Key::new(resource.storage_key(), "", name);
        let author = Author::server();
        let decide = |old: &Value| {
            if old["status"]["conditions"].is_array() {
                return Ok(Next::Keep);
            }
            let (mut new, mut condition) = (old.clone(), condition(old));
            condition["lastTransitionTime"] = json!(now());
            new["status"]["conditions"] = json!([condition]);
            Ok(Next::Write { object: revise(&resource, Part::Status, new, old, &author)?, pinned: false })
        };
        edit(hub, &resource, &key, false, decide).await.map(|_| ())
    };
    done.await.map_err(failed(format!("{plural}/{name}")))
}

/// Writes the server's own endpoints past validation, which forbids loopback addresses to everybody else: a cluster
/// of one machine may well be reached at 127.0.0.1.
async fn lead_here(hub: &Hub, api_version: &str, plural: &str, object: Value) -> Result<(), StartError> {
    let what = format!("{plural}/{SERVICE}");
    let done = async {
        let resource = row(hub, api_version, plural)?;
        let key = Key::new(resource.storage_key(), "default", SERVICE);
        let old = hub.store.get(&key);
        let (mut new, expect) = match &old {
            None => {
                let mut new = object;
                prepare_create(&resource, &mut new);
                (new, Expect::Absent)
            }
            Some(record) => {
                let mut new = crate::read::parse(&record.json)?;
                let mut same = true;
                for (field, value) in object.as_object().into_iter().flatten().filter(|(f, _)| *f != "metadata") {
                    same &= new[field] == *value;
                    new[field] = value.clone();
                }
                if same {
                    return Ok(());
                }
                (new, Expect::Revision(record.revision))
            }
        };
        (resource.rules.defaults)(&mut new);
        let txn = Txn::put(key, stored_as_is(&resource, new)?, expect);
        crate::write::commit(hub, &resource, SERVICE, txn).await.map(|_| ())
    };
    done.await.map_err(failed(what))
}

fn row(hub: &Hub, api_version: &str, plural: &str) -> Result<std::sync::Arc<coracle_api::Resource>, ApiError> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let row = hub.config.catalog.find(group, version, plural);
    row.ok_or_else(|| ApiError::internal(format!("the catalogue has no {plural}")))
}
