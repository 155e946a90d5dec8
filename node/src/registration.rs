//! The Node object: made when the node comes, and its status kept true.

mod keeping;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use coracle_oci::Image;
use k8s_openapi::{
    api::core::v1::{
        ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeDaemonEndpoints, NodeSpec, NodeStatus, NodeSystemInfo,
        Taint,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    conditions::conditions,
    config::{DEFAULT_MAX_PODS, NodeConfig},
    events::of_node,
    health::Health,
    machine::{Machine, architecture},
    reserved::left,
    shared::Shared,
};

pub use keeping::run_status;

/// The version of Kubernetes this agent behaves as.
pub const KUBELET_VERSION: &str = "v1.36.0";
/// What runs containers here.
pub const RUNTIME_VERSION: &str = "wasmtime://48.0.8";
/// Images named in the status (kubelet `nodeStatusMaxImages`).
const IMAGES_LIMIT: usize = 50;
/// Names of each (kubelet `MaxNamesPerImageInNodeStatus`).
const NAMES_LIMIT: usize = 5;

/// The node, as its Node object shows it.
#[derive(Clone)]
pub struct Registration {
    name: String,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    pod_cidr: String,
    address: String,
    api_port: Option<u16>,
    machine: Machine,
    capacity: BTreeMap<String, Quantity>,
    allocatable: BTreeMap<String, Quantity>,
}

impl Registration {
    /// The node of this configuration on this machine, whose API is reached at `api_port` if from outside at all.
    pub fn new(config: &NodeConfig, machine: Machine, api_port: Option<u16>) -> Registration {
        let mut labels = config.labels.clone();
        for (name, value) in [
            ("kubernetes.io/hostname", &*config.name),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", architecture()),
            ("beta.kubernetes.io/os", "linux"),
            ("beta.kubernetes.io/arch", architecture()),
        ] {
            labels.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        let given = &config.capacity;
        let cpu_millis = given.cpu_millis.unwrap_or(machine.cpu_millis);
        let cpu =
            if cpu_millis.is_multiple_of(1000) { (cpu_millis / 1000).to_string() } else { format!("{cpu_millis}m") };
        let memory = given.memory_bytes.unwrap_or(machine.memory_bytes);
        let storage = given.ephemeral_storage_bytes.unwrap_or(machine.storage_bytes);
        let capacity = [
            ("cpu", cpu),
            ("memory", format!("{}Ki", memory / 1024)),
            ("ephemeral-storage", format!("{}Ki", storage / 1024)),
            ("pods", given.pods.unwrap_or(DEFAULT_MAX_PODS).to_string()),
        ];
        let reserved = [&config.reserved[0], &config.reserved[1]];
        let allocatable = capacity
            .iter()
            .map(|(name, amount)| ((*name).to_owned(), Quantity(left(amount, reserved, name))))
            .collect();
        Registration {
            name: config.name.clone(),
            labels,
            taints: config.taints.clone(),
            pod_cidr: config.pod_cidr.trunc().to_string(),
            address: config.address.to_string(),
            api_port,
            machine,
            capacity: capacity.map(|(name, amount)| (name.to_owned(), Quantity(amount))).into(),
            allocatable,
        }
    }

    /// What pods may use: all that is not reserved, since the node itself is counted among the machine's other work.
    pub fn allocatable(&self) -> &BTreeMap<String, Quantity> {
        &self.allocatable
    }

    /// Makes the Node object, or brings one that is there up to date: its labels, its status.
    /// `client` is the server's own, as for all signs of life.
    pub async fn register(&self, client: &Client, shared: &Shared) -> kube::Result<Node> {
        let nodes: Api<Node> = Api::all(client.clone());
        let spec = NodeSpec {
            pod_cidr: Some(self.pod_cidr.clone()),
            pod_cidrs: Some(vec![self.pod_cidr.clone()]),
            taints: Some(self.taints.clone()).filter(|taints| !taints.is_empty()),
            ..NodeSpec::default()
        };
        let metadata =
            ObjectMeta { name: Some(self.name.clone()), labels: Some(self.labels.clone()), ..ObjectMeta::default() };
        let status = self.status(&NodeStatus::default(), &[], &shared.health);
        let node = Node { metadata, spec: Some(spec), status: Some(status) };
        let found = match nodes.create(&PostParams::default(), &node).await {
            Ok(created) => created,
            Err(kube::Error::Api(status)) if status.code == 409 => self.adopt(&nodes).await?,
            Err(error) => return Err(error),
        };
        let before = found.status.clone().unwrap_or_default();
        self.tell_reboot(shared, &before);
        let node = self.write(client, self.status(&before, &[], &shared.health)).await?;
        *shared.labels.write() = node.metadata.labels.clone().unwrap_or_default();
        Ok(node)
    }

    /// Brings the Node that is there up to date. The addresses of pods are written once: what somebody gave to it stays.
    async fn adopt(&self, nodes: &Api<Node>) -> kube::Result<Node> {
        let change =
            |what| async move { nodes.patch(&self.name, &PatchParams::default(), &Patch::Strategic(what)).await };
        let node = change(json!({"metadata": {"labels": self.labels}})).await?;
        match node.spec.as_ref().and_then(|spec| spec.pod_cidr.as_deref()).unwrap_or_default() {
            "" => change(json!({"spec": {"podCIDR": self.pod_cidr, "podCIDRs": [self.pod_cidr]}})).await,
            given if given != self.pod_cidr => {
                tracing::warn!(given, used = self.pod_cidr, "the Node object names other addresses than its pods get");
                Ok(node)
            }
            _ => Ok(node),
        }
    }

    /// Says so if the machine has been started anew since the Node was last written.
    fn tell_reboot(&self, shared: &Shared, before: &NodeStatus) {
        let last = before.node_info.as_ref().map(|info| info.boot_id.as_str()).unwrap_or_default();
        let now = &self.machine.boot_id;
        if !last.is_empty() && last != now {
            let message = format!("Node {} has been rebooted, boot id: {now}", self.name);
            shared.events.warning(&of_node(&self.name), "Rebooted", message);
        }
    }

    async fn write(&self, client: &Client, status: NodeStatus) -> kube::Result<Node> {
        let nodes: Api<Node> = Api::all(client.clone());
        let patch = Patch::Strategic(json!({"status": status}));
        nodes.patch_status(&self.name, &PatchParams::default(), &patch).await
    }

    /// The status; `before` gives the times of conditions that haven't changed.
    fn status(&self, before: &NodeStatus, images: &[Image], health: &Health) -> NodeStatus {
        let machine = &self.machine;
        let address = |kind: &str, address: &str| NodeAddress { type_: kind.to_owned(), address: address.to_owned() };
        NodeStatus {
            addresses: Some(vec![address("InternalIP", &self.address), address("Hostname", &self.name)]),
            capacity: Some(self.capacity.clone()),
            allocatable: Some(self.allocatable.clone()),
            conditions: Some(conditions(before, health)),
            daemon_endpoints: self
                .api_port
                .map(|port| NodeDaemonEndpoints { kubelet_endpoint: Some(DaemonEndpoint { port: i32::from(port) }) }),
            images: Some(image_list(images)),
            node_info: Some(NodeSystemInfo {
                architecture: architecture().to_owned(),
                boot_id: machine.boot_id.clone(),
                container_runtime_version: RUNTIME_VERSION.to_owned(),
                kernel_version: machine.kernel.clone(),
                kube_proxy_version: String::new(),
                kubelet_version: KUBELET_VERSION.to_owned(),
                machine_id: machine.machine_id.clone(),
                operating_system: "linux".to_owned(),
                os_image: machine.os_image.clone(),
                swap: None,
                system_uuid: machine.system_uuid.clone(),
            }),
            ..NodeStatus::default()
        }
    }
}

/// The largest images, each once with all its names: first those by digest, then those by tag.
fn image_list(images: &[Image]) -> Vec<ContainerImage> {
    let mut by_digest: BTreeMap<&str, (u64, BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for image in images {
        let entry = by_digest.entry(&image.digest).or_default();
        entry.0 = entry.0.max(image.size_bytes);
        entry.1.insert(image.repo_digest());
        entry.2.insert(image.reference.clone());
    }
    let mut all: Vec<_> = by_digest.into_values().collect();
    all.sort_by_key(|(size, digests, _)| (Reverse(*size), digests.first().cloned()));
    let entry = |(size, digests, tags): (u64, BTreeSet<String>, BTreeSet<String>)| {
        let names = digests.iter().chain(tags.difference(&digests)).take(NAMES_LIMIT).cloned().collect();
        ContainerImage { names: Some(names), size_bytes: i64::try_from(size).ok() }
    };
    all.into_iter().take(IMAGES_LIMIT).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_listed_once_with_all_its_names_and_the_largest_first() {
        let image = |name: &str, digest: &str, size_bytes| Image {
            reference: format!("registry.test/{name}"),
            digest: digest.to_owned(),
            manifest_digest: digest.to_owned(),
            config_digest: String::new(),
            size_bytes,
            format: coracle_oci::Format::WasmConfigV0,
            config: coracle_oci::ImageConfig::default(),
            layers: Vec::new(),
            annotations: BTreeMap::new(),
            module: None,
            rootfs: None,
        };
        let all = [image("a:1", "sha256:1", 10), image("b:2", "sha256:2", 30), image("a:latest", "sha256:1", 10)];
        let listed = image_list(&all);
        let names = |place: usize| listed[place].names.clone().unwrap();
        assert_eq!(names(0), ["registry.test/b@sha256:2", "registry.test/b:2"]);
        assert_eq!(names(1), ["registry.test/a@sha256:1", "registry.test/a:1", "registry.test/a:latest"]);
        assert_eq!(listed[0].size_bytes, Some(30));
    }
}
