//! What one object costs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::meta;
use crate::pod::{self, ResourceList};
use crate::quantity::{Format, Quantity};

/// Resources of core with a quota name of their own besides `count/…`.
const COUNTED: [&str; 7] =
    ["configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"];

/// Native resources of containers: what else they ask for is extended, and counted under `requests.` only.
const NATIVE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// How the devices of a class are called, after the name of the class.
const DEVICES: &str = ".deviceclass.resource.k8s.io/devices";

/// As many devices are allocated to a claim at most (`AllocationResultsMaxSize`): so many all of them may be.
const MOST_DEVICES: i64 = 32;

/// Whether a quota on `name` is about objects of the resource (`pods`, `jobs.batch`).
pub fn counts_resource(resource: &str, name: &str) -> bool {
    if name.strip_prefix("count/") == Some(resource) {
        return true;
    }
    if COUNTED.contains(&resource) && name == resource {
        return true;
    }
    match resource {
        "pods" => of_pods(name),
        "services" => matches!(name, "services.nodeports" | "services.loadbalancers"),
        "persistentvolumeclaims" => {
            let claims = name.split_once(".storageclass.storage.k8s.io/").map_or(name, |(_, rest)| rest);
            matches!(claims, "requests.storage" | "persistentvolumeclaims")
        }
        "resourceclaims.resource.k8s.io" => name.ends_with(DEVICES),
        _ => false,
    }
}

fn of_pods(name: &str) -> bool {
    let bare = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits.")).unwrap_or(name);
    if NATIVE.contains(&bare) {
        return true;
    }
    let requested = name.strip_prefix("requests.");
    name.starts_with("hugepages-")
        || requested.is_some_and(|r| r.starts_with("hugepages-") || (r.contains('/') && !r.contains("storageclass")))
}

/// What the object costs, by quota resource name. Pods that have ended (or that nobody stops although their time is
/// up) cost nothing but their place in the store.
pub fn usage(resource: &str, object: &Value, now: Timestamp) -> ResourceList {
    let one = Quantity::from_units(1, Format::DecimalSi);
    let mut usage = ResourceList::from([(format!("count/{resource}"), one)]);
    match resource {
        "pods" => of_pod(object, now, &mut usage),
        "resourceclaims.resource.k8s.io" => of_device_claim(object, &mut usage),
        _ if COUNTED.contains(&resource) => {
            usage.insert(resource.into(), one);
            match resource {
                "services" => of_service(object, &mut usage),
                "persistentvolumeclaims" => of_claim(object, &mut usage),
                _ => {}
            }
        }
        _ => {}
    }
    usage
}

fn of_pod(object: &Value, now: Timestamp, usage: &mut ResourceList) {
    if has_ended(object, now) {
        return;
    }
    usage.insert("pods".into(), Quantity::from_units(1, Format::DecimalSi));
    // What is stored was decoded by the same schema: a pod that can't be read asks for nothing.
    let Ok(pod) = serde_json::from_value::<Pod>(object.clone()) else { return };
    // What it has counts until it has given it back.
    add_container(&pod::reserved(&pod), &pod::limits_in_force(&pod), usage);
}

/// Puts requests and limits under their quota names.
pub(super) fn add_container(requests: &ResourceList, limits: &ResourceList, usage: &mut ResourceList) {
    for (name, amount) in requests {
        if NATIVE.contains(&name.as_str()) || name.starts_with("hugepages-") {
            usage.insert(name.clone(), *amount);
            usage.insert(format!("requests.{name}"), *amount);
        } else if name.contains('/') {
            usage.insert(format!("requests.{name}"), *amount);
        }
    }
    for (name, amount) in limits.iter().filter(|(name, _)| NATIVE.contains(&name.as_str())) {
        usage.insert(format!("limits.{name}"), *amount);
    }
}

fn has_ended(pod: &Value, now: Timestamp) -> bool {
    if matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded")) {
        return true;
    }
    let until: Option<Timestamp> = meta::text(pod, "deletionTimestamp").parse().ok();
    let grace = pod["metadata"]["deletionGracePeriodSeconds"].as_i64();
    match (until, grace) {
        (Some(until), Some(grace)) => now.as_second() > until.as_second().saturating_add(grace),
        _ => false,
    }
}

fn of_service(service: &Value, usage: &mut ResourceList) {
    let spec = &service["spec"];
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = |n: usize| Quantity::from_units(i64::try_from(n).unwrap_or(i64::MAX), Format::DecimalSi);
    match spec["type"].as_str() {
        Some("NodePort") => {
            usage.insert("services.nodeports".into(), count(ports.len()));
        }
        Some("LoadBalancer") => {
            let with = |p: &&Value| p["nodePort"].as_u64().is_some_and(|n| n > 0);
            let all = spec["allocateLoadBalancerNodePorts"].as_bool().unwrap_or(true);
            let taken = if all { ports.len() } else { ports.iter().filter(with).count() };
            usage.insert("services.nodeports".into(), count(taken));
            usage.insert("services.loadbalancers".into(), count(1));
        }
        _ => {}
    }
}

/// The storage class of a claim, empty if it has none. The annotation is older than the field, and goes before it
/// (`GetPersistentVolumeClaimClass`).
pub fn class_of_claim(claim: &Value) -> &str {
    let annotated = claim["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].as_str();
    annotated.or_else(|| claim["spec"]["storageClassName"].as_str()).unwrap_or_default()
}

fn of_claim(claim: &Value, usage: &mut ResourceList) {
    let class = Some(class_of_claim(claim)).filter(|class| !class.is_empty());
    let class = class.map(|class| format!("{class}.storageclass.storage.k8s.io/"));
    if let Some(class) = &class {
        usage.insert(format!("{class}persistentvolumeclaims"), Quantity::from_units(1, Format::DecimalSi));
    }
    if let Some(storage) = storage_of(claim) {
        usage.insert("requests.storage".into(), storage);
        if let Some(class) = &class {
            usage.insert(format!("{class}requests.storage"), storage);
        }
    }
}

/// What a claim asks for in whole bytes: at least what it has been given already, while it takes back a larger wish.
fn storage_of(claim: &Value) -> Option<Quantity> {
    let asked = Quantity::from_value(&claim["spec"]["resources"]["requests"]["storage"])?;
    let given = Quantity::from_value(&claim["status"]["allocatedResources"]["storage"]).filter(|given| *given > asked);
    let storage = given.unwrap_or(asked);
    Some(if storage.is_whole() { storage } else { Quantity::from_units(storage.value(), storage.format()) })
}

/// Of a request that can be met in several ways, each class counts with the most that any of them takes.
fn of_device_claim(claim: &Value, usage: &mut ResourceList) {
    for request in claim["spec"]["devices"]["requests"].as_array().into_iter().flatten() {
        let ways = match request["firstAvailable"].as_array() {
            Some(several) if !several.is_empty() => several.as_slice(),
            _ => std::slice::from_ref(&request["exactly"]),
        };
        let mut most: BTreeMap<&str, i64> = BTreeMap::new();
        for way in ways.iter().filter(|way| way.is_object()) {
            let devices = most.entry(way["deviceClassName"].as_str().unwrap_or_default()).or_default();
            *devices = devices_of(way).max(*devices);
        }
        for (class, devices) in most {
            *usage.entry(format!("{class}{DEVICES}")).or_default() += Quantity::from_units(devices, Format::DecimalSi);
        }
    }
}

fn devices_of(way: &Value) -> i64 {
    match way["allocationMode"].as_str() {
        Some("ExactCount") => way["count"].as_i64().unwrap_or_default(),
        Some("All") => MOST_DEVICES,
        _ => 0,
    }
}
