//! The Node object: made when the node comes, and its status kept true.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use coracle_oci::Image;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus,
        NodeSystemInfo,
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, Time},
    },
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{DEFAULT_MAX_PODS, NodeConfig},
    machine::{Headroom, Machine, architecture},
    shared::Shared,
    thresholds::{Pressure, Thresholds},
};

/// The version of Kubernetes this agent behaves as.
pub const KUBELET_VERSION: &str = "v1.36.0";
/// What runs containers here.
pub const RUNTIME_VERSION: &str = "wasmtime://48.0.8";
/// How often the node looks whether its status has changed (kubelet `nodeStatusUpdateFrequency`).
const CHECK_PERIOD: Duration = Duration::from_secs(10);
/// How often it is written even if it has not (kubelet `nodeStatusReportFrequency`); the Lease says that it lives.
const REPORT_PERIOD: Duration = Duration::from_secs(300);
/// Images named in the status (kubelet `nodeStatusMaxImages`).
const IMAGES_LIMIT: usize = 50;
/// The node, as its Node object shows it.
#[derive(Clone)]
pub struct Registration {
    name: String,
    labels: BTreeMap<String, String>,
    pod_cidr: String,
    address: String,
    data_dir: PathBuf,
    api_port: Option<u16>,
    machine: Machine,
    eviction_hard: Thresholds,
    capacity: BTreeMap<String, Quantity>,
}

impl Registration {
    /// The node of this configuration on this machine.
    pub fn new(config: &NodeConfig, machine: Machine) -> Registration {
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
        Registration {
            name: config.name.clone(),
            labels,
            pod_cidr: config.pod_cidr.trunc().to_string(),
            address: config.address.to_string(),
            data_dir: config.data_dir.clone(),
            api_port: config.api_port,
            machine,
            eviction_hard: config.eviction_hard,
            capacity: capacity.map(|(name, amount)| (name.to_owned(), Quantity(amount))).into(),
        }
    }

    /// What pods may use: all of it, since the node itself is counted among the machine's other work.
    pub fn allocatable(&self) -> &BTreeMap<String, Quantity> {
        &self.capacity
    }

    /// Makes the Node object, or brings one that is there up to date: its labels, its status.
    pub async fn register(&self, client: &Client) -> kube::Result<Node> {
        let nodes: Api<Node> = Api::all(client.clone());
        let spec = NodeSpec {
            pod_cidr: Some(self.pod_cidr.clone()),
            pod_cidrs: Some(vec![self.pod_cidr.clone()]),
            ..NodeSpec::default()
        };
        let metadata =
            ObjectMeta { name: Some(self.name.clone()), labels: Some(self.labels.clone()), ..ObjectMeta::default() };
        let status = self.status(&NodeStatus::default(), &[], &Headroom::read(&self.data_dir));
        let node = Node { metadata, spec: Some(spec), status: Some(status) };
        let found = match nodes.create(&PostParams::default(), &node).await {
            Ok(created) => created,
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let labels = json!({"metadata": {"labels": self.labels}});
                nodes.patch(&self.name, &PatchParams::default(), &Patch::Strategic(labels)).await?
            }
            Err(error) => return Err(error),
        };
        self.write(client, &found.status.clone().unwrap_or_default(), &[]).await
    }

    /// Writes the status as it is now.
    async fn write(&self, client: &Client, before: &NodeStatus, images: &[Image]) -> kube::Result<Node> {
        let nodes: Api<Node> = Api::all(client.clone());
        let status = self.status(before, images, &Headroom::read(&self.data_dir));
        let patch = Patch::Strategic(json!({"status": status}));
        nodes.patch_status(&self.name, &PatchParams::default(), &patch).await
    }

    /// The status; `before` gives the times of conditions that haven't changed.
    fn status(&self, before: &NodeStatus, images: &[Image], left: &Headroom) -> NodeStatus {
        let machine = &self.machine;
        let address = |kind: &str, address: &str| NodeAddress { type_: kind.to_owned(), address: address.to_owned() };
        NodeStatus {
            addresses: Some(vec![address("InternalIP", &self.address), address("Hostname", &self.name)]),
            capacity: Some(self.capacity.clone()),
            allocatable: Some(self.capacity.clone()),
            conditions: Some(self.conditions(before, left)),
            daemon_endpoints: self
                .api_port
                .map(|port| NodeDaemonEndpoints { kubelet_endpoint: Some(DaemonEndpoint { port: i32::from(port) }) }),
            images: Some(images.iter().take(IMAGES_LIMIT).map(image).collect()),
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

    /// The four conditions, in kubelet's words.
    fn conditions(&self, before: &NodeStatus, left: &Headroom) -> Vec<NodeCondition> {
        let Pressure { memory, disk, processes } = self.eviction_hard.pressure(&self.machine, left);
        let now = Timestamp::now();
        let condition = |kind: &str, is: bool, reason: &str, message: &str| {
            let status = if is { "True" } else { "False" };
            let old = before.conditions.iter().flatten().find(|old| old.type_ == kind && old.status == status);
            NodeCondition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                last_heartbeat_time: Some(Time(now)),
                last_transition_time: old.and_then(|old| old.last_transition_time.clone()).or(Some(Time(now))),
            }
        };
        let pressure = |kind: &str, is: bool, what: [&str; 2], sufficient: &str| {
            let no = if kind == "DiskPressure" { "has no disk pressure" } else { sufficient };
            let (reason, message) = if is {
                (what[0], format!("kubelet has {}", what[1]))
            } else {
                (sufficient_reason(kind), format!("kubelet {no}"))
            };
            condition(kind, is, reason, &message)
        };
        vec![
            pressure(
                "MemoryPressure",
                memory,
                ["KubeletHasInsufficientMemory", "insufficient memory available"],
                "has sufficient memory available",
            ),
            pressure("DiskPressure", disk, ["KubeletHasDiskPressure", "disk pressure"], "has no disk pressure"),
            pressure(
                "PIDPressure",
                processes,
                ["KubeletHasInsufficientPID", "insufficient PID available"],
                "has sufficient PID available",
            ),
            condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
        ]
    }
}

fn sufficient_reason(kind: &str) -> &'static str {
    match kind {
        "MemoryPressure" => "KubeletHasSufficientMemory",
        "DiskPressure" => "KubeletHasNoDiskPressure",
        _ => "KubeletHasSufficientPID",
    }
}

fn image(image: &Image) -> ContainerImage {
    ContainerImage {
        names: Some(vec![image.repo_digest(), image.reference.clone()]),
        size_bytes: i64::try_from(image.size_bytes).ok(),
    }
}

/// Keeps the Node's status true until `shutdown`.
pub async fn run_status(registration: Registration, node: Node, shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut before = node.status.unwrap_or_default();
    let mut written = tokio::time::Instant::now();
    while shutdown.run_until_cancelled(tokio::time::sleep(CHECK_PERIOD)).await.is_some() {
        let images = shared.images.list();
        let left = Headroom::read(&registration.data_dir);
        let after = registration.status(&before, &images, &left);
        if written.elapsed() < REPORT_PERIOD && same(&before, &after) {
            continue;
        }
        match registration.write(&shared.client, &before, &images).await {
            Ok(node) => {
                before = node.status.unwrap_or_default();
                written = tokio::time::Instant::now();
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                // Somebody deleted the Node; a node that runs registers again.
                match registration.register(&shared.client).await {
                    Ok(node) => before = node.status.unwrap_or_default(),
                    Err(error) => tracing::warn!(%error, "the node could not be registered again"),
                }
            }
            Err(error) => tracing::warn!(%error, "the node's status could not be written; trying again in 10 s"),
        }
    }
}

/// Whether nothing but heartbeats has changed.
fn same(before: &NodeStatus, after: &NodeStatus) -> bool {
    let conditions = |status: &NodeStatus| -> BTreeMap<String, String> {
        status
            .conditions
            .iter()
            .flatten()
            .map(|condition| (condition.type_.clone(), condition.status.clone()))
            .collect()
    };
    let (had, have) = (conditions(before), conditions(after));
    have.iter().all(|(kind, status)| had.get(kind) == Some(status))
        && before.images.clone().unwrap_or_default() == after.images.clone().unwrap_or_default()
        && before.addresses == after.addresses
        && before.capacity == after.capacity
}
