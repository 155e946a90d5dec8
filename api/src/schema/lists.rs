//! How lists and structs are merged: the `patchStrategy`, `patchMergeKey`, `listType`, `listMapKey` and `mapType`
//! markers of the Kubernetes types, which generated Rust types do not carry.
//!
//! Facts of Kubernetes 1.36. A list without a row is atomic and is replaced by patches, which is what Kubernetes
//! declares for every other list of these kinds.

/// What a server-side apply thinks of a list (KEP-555).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    /// Replaced as a whole.
    Atomic,
    /// Scalars, each at most once.
    Set,
    /// Structs told apart by these fields.
    Map(&'static [&'static str]),
}

/// How a field is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRule {
    /// `x-kubernetes-list-type` and `x-kubernetes-list-map-keys`
    pub list: ListType,
    /// Whether `patchStrategy` has `merge`.
    pub merge: bool,
    /// Whether `patchStrategy` has `retainKeys`.
    pub retain_keys: bool,
    /// `patchMergeKey`, for lists of structs.
    pub merge_key: Option<&'static str>,
}

impl ListRule {
    /// A list that is one value.
    pub const ATOMIC: Self = Self { list: ListType::Atomic, merge: false, retain_keys: false, merge_key: None };

    const fn of(list: ListType) -> Self {
        Self { list, ..Self::ATOMIC }
    }

    const fn merged(mut self) -> Self {
        self.merge = true;
        self
    }

    const fn by(mut self, key: &'static str) -> Self {
        self.merge = true;
        self.merge_key = Some(key);
        self
    }

    const fn retain(mut self) -> Self {
        self.retain_keys = true;
        self
    }

    /// `patchStrategy` as the markers spell it, if the field has one.
    pub fn strategy(&self) -> Option<&'static str> {
        match (self.merge, self.retain_keys) {
            (true, true) => Some("merge,retainKeys"),
            (true, false) => Some("merge"),
            (false, true) => Some("retainKeys"),
            (false, false) => None,
        }
    }
}

const ATOMIC: ListRule = ListRule::ATOMIC;
const SET: ListRule = ListRule::of(ListType::Set);
const BY_NAME: ListRule = ListRule::of(ListType::Map(&["name"])).by("name");
const BY_TYPE: ListRule = ListRule::of(ListType::Map(&["type"])).by("type");
const BY_IP: ListRule = ListRule::of(ListType::Map(&["ip"])).by("ip");
const BY_MOUNT_PATH: ListRule = ListRule::of(ListType::Map(&["mountPath"])).by("mountPath");
const BY_DEVICE_PATH: ListRule = ListRule::of(ListType::Map(&["devicePath"])).by("devicePath");
const MAP_NAME: ListRule = ListRule::of(ListType::Map(&["name"]));
const CONTAINER_PORTS: ListRule = ListRule::of(ListType::Map(&["containerPort", "protocol"])).by("containerPort");
const SERVICE_PORTS: ListRule = ListRule::of(ListType::Map(&["port", "protocol"])).by("port");
const SPREAD: ListRule = ListRule::of(ListType::Map(&["topologyKey", "whenUnsatisfiable"])).by("topologyKey");

/// (struct, field, rule), sorted by struct and field.
pub(super) const ROWS: &[(&str, &str, ListRule)] = &[
    ("apps.v1.DeploymentSpec", "strategy", ATOMIC.retain()),
    ("apps.v1.DeploymentStatus", "conditions", BY_TYPE),
    ("apps.v1.ReplicaSetStatus", "conditions", BY_TYPE),
    ("batch.v1.JobStatus", "conditions", ATOMIC.by("type")),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "values", SET),
    ("batch.v1.UncountedTerminatedPods", "failed", SET),
    ("batch.v1.UncountedTerminatedPods", "succeeded", SET),
    ("core.v1.Container", "env", BY_NAME),
    ("core.v1.Container", "ports", CONTAINER_PORTS),
    ("core.v1.Container", "volumeDevices", BY_DEVICE_PATH),
    ("core.v1.Container", "volumeMounts", BY_MOUNT_PATH),
    ("core.v1.ContainerStatus", "allocatedResourcesStatus", BY_NAME),
    ("core.v1.ContainerStatus", "volumeMounts", BY_MOUNT_PATH),
    ("core.v1.EphemeralContainer", "env", BY_NAME),
    ("core.v1.EphemeralContainer", "ports", CONTAINER_PORTS),
    ("core.v1.EphemeralContainer", "volumeDevices", BY_DEVICE_PATH),
    ("core.v1.EphemeralContainer", "volumeMounts", BY_MOUNT_PATH),
    ("core.v1.NamespaceStatus", "conditions", BY_TYPE),
    ("core.v1.NodeSpec", "podCIDRs", SET.merged()),
    ("core.v1.NodeStatus", "addresses", BY_TYPE),
    ("core.v1.NodeStatus", "conditions", BY_TYPE),
    ("core.v1.PodSpec", "containers", BY_NAME),
    ("core.v1.PodSpec", "ephemeralContainers", BY_NAME),
    ("core.v1.PodSpec", "hostAliases", BY_IP),
    ("core.v1.PodSpec", "imagePullSecrets", BY_NAME),
    ("core.v1.PodSpec", "initContainers", BY_NAME),
    ("core.v1.PodSpec", "resourceClaims", BY_NAME.retain()),
    ("core.v1.PodSpec", "schedulingGates", BY_NAME),
    ("core.v1.PodSpec", "topologySpreadConstraints", SPREAD),
    ("core.v1.PodSpec", "volumes", BY_NAME.retain()),
    ("core.v1.PodStatus", "conditions", BY_TYPE),
    ("core.v1.PodStatus", "hostIPs", ATOMIC.by("ip")),
    ("core.v1.PodStatus", "podIPs", BY_IP),
    ("core.v1.PodStatus", "resourceClaimStatuses", BY_NAME.retain()),
    ("core.v1.ResourceRequirements", "claims", MAP_NAME),
    ("core.v1.ResourceStatus", "resources", ListRule::of(ListType::Map(&["resourceID"]))),
    ("core.v1.ServiceAccount", "secrets", BY_NAME),
    ("core.v1.ServiceSpec", "ports", SERVICE_PORTS),
    ("core.v1.ServiceStatus", "conditions", BY_TYPE),
    ("discovery.v1.Endpoint", "addresses", SET),
    ("meta.v1.ObjectMeta", "finalizers", SET.merged()),
    ("meta.v1.ObjectMeta", "ownerReferences", ListRule::of(ListType::Map(&["uid"])).by("uid")),
];

/// Structs with `mapType=atomic`: apply replaces them as a whole.
pub const ATOMIC_OBJECTS: &[&str] = &[
    "core.v1.ConfigMapKeySelector",
    "core.v1.EndpointAddress",
    "core.v1.EndpointPort",
    "core.v1.FileKeySelector",
    "core.v1.LocalObjectReference",
    "core.v1.NodeSelector",
    "core.v1.NodeSelectorTerm",
    "core.v1.ObjectFieldSelector",
    "core.v1.ObjectReference",
    "core.v1.ResourceFieldSelector",
    "core.v1.SecretKeySelector",
    "core.v1.TypedLocalObjectReference",
    "discovery.v1.EndpointPort",
    "meta.v1.LabelSelector",
    "meta.v1.OwnerReference",
];

/// Maps with `mapType=atomic`.
pub(super) const ATOMIC_MAPS: &[(&str, &str)] =
    &[("core.v1.PodSpec", "nodeSelector"), ("core.v1.ServiceSpec", "selector")];

/// The rule of a field, by the struct's short name (`core.v1.PodSpec`).
pub fn list_rule(object: &str, field: &str) -> ListRule {
    let found = ROWS.binary_search_by(|(o, f, _)| (*o, *f).cmp(&(object, field)));
    found.map_or(ATOMIC, |index| ROWS[index].2)
}

/// Whether the field is a map that apply replaces as a whole.
pub fn map_is_atomic(object: &str, field: &str) -> bool {
    ATOMIC_MAPS.contains(&(object, field))
}
