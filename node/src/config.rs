//! How a node is set up: who it is, where its files are, which addresses are its own.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc};

use coracle_oci::{ImageStore, Registries};
use coracle_wasi_host::{EngineConfig, Isolation};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Taint;

use crate::{
    eviction::EvictionSettings, images::ImageGcPolicy, reserved::Reserved, serve::ServeConfig, shutdown::ShutdownGrace,
};

/// Pods a node takes unless the configuration says otherwise; kubelet's 110 comes from what a Linux container costs.
pub const DEFAULT_MAX_PODS: u32 = 10_000;

/// The configuration of one node.
#[derive(Clone)]
pub struct NodeConfig {
    /// The node's name: `metadata.name` of its Node object, and what pods are bound to.
    pub name: String,
    /// The node's own directory; nothing else may write there.
    pub data_dir: PathBuf,
    /// The node's address (`InternalIP`); NodePorts listen here and pods with `hostNetwork` live here.
    pub address: IpAddr,
    /// The addresses pods of this node get. Cut from 127.0.0.0/8 it needs no privilege; any other is routed to `lo`.
    pub pod_cidr: IpNet,
    /// The addresses Services get.
    pub service_cidr: IpNet,
    /// The domain below which Services have names, `cluster.local`.
    pub cluster_domain: String,
    /// Where image registries are found.
    pub registries: Arc<Registries>,
    /// The images of this node.
    pub images: ImageStore,
    /// The engine's settings. The key that seals compiled programs is the node's own and replaces the one given here.
    pub engine: EngineConfig,
    /// How the processes of pods are started that have one of their own (RuntimeClass `wasm-isolated`). None: there are none.
    pub isolation: Option<Isolation>,
    /// What the node offers, where the machine should not decide.
    pub capacity: CapacityOverrides,
    /// From when on the node is under pressure, and what it does then.
    pub eviction: EvictionSettings,
    /// What of the machine is for the system, and for Kubernetes itself.
    pub reserved: [Reserved; 2],
    /// How long pods have to end when the node stops for good.
    pub shutdown: ShutdownGrace,
    /// Where manifests of static pods are, if there are any.
    pub pod_manifest_path: Option<PathBuf>,
    /// When images are removed.
    pub image_gc: ImageGcPolicy,
    /// Labels of the Node object besides those every node has.
    pub labels: BTreeMap<String, String>,
    /// Taints that the Node object is made with.
    pub taints: Vec<Taint>,
    /// How the node API is served to API servers of other processes. None: it is not, and its router is all there is.
    pub serve: Option<ServeConfig>,
    /// How log files are bounded.
    pub logs: LogLimits,
    /// Whether the API server may be away while the node is not: it is another process, perhaps on another machine.
    pub server_may_be_away: bool,
}

impl NodeConfig {
    /// A configuration with the defaults of everything that has one.
    #[must_use]
    pub fn new(name: String, data_dir: PathBuf, addresses: NodeAddresses, images: ImageStore) -> NodeConfig {
        NodeConfig {
            name,
            data_dir,
            address: addresses.node,
            pod_cidr: addresses.pod_cidr,
            service_cidr: addresses.service_cidr,
            cluster_domain: "cluster.local".to_owned(),
            registries: Arc::new(Registries::new()),
            images,
            engine: EngineConfig::default(),
            isolation: None,
            capacity: CapacityOverrides::default(),
            eviction: EvictionSettings::default(),
            reserved: Default::default(),
            shutdown: ShutdownGrace::default(),
            pod_manifest_path: None,
            image_gc: ImageGcPolicy::default(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            serve: None,
            logs: LogLimits::default(),
            server_may_be_away: true,
        }
    }
}

/// The addresses a node is configured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAddresses {
    /// The node's own.
    pub node: IpAddr,
    /// Those of its pods.
    pub pod_cidr: IpNet,
    /// Those of the cluster's Services.
    pub service_cidr: IpNet,
}

/// What a node offers, where the machine should not decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapacityOverrides {
    /// Thousandths of a CPU.
    pub cpu_millis: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Room for volumes and logs in bytes.
    pub ephemeral_storage_bytes: Option<u64>,
    /// Pods; [`DEFAULT_MAX_PODS`] if absent.
    pub pods: Option<u32>,
}

/// How much of a container's output is kept (kubelet's `containerLogMaxSize` and `containerLogMaxFiles`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// The size at which a log file is rotated.
    pub file_bytes: u64,
    /// Files kept for one run of a container, the current one included; at least 2.
    pub files: u32,
}

impl Default for LogLimits {
    /// Kubelet's: 10 MiB, 5 files.
    fn default() -> LogLimits {
        LogLimits { file_bytes: 10 << 20, files: 5 }
    }
}
