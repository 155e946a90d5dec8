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
const MAP_TYPE: ListRule = ListRule::of(ListType::Map(&["type"]));
const BY_IP: ListRule = ListRule::of(ListType::Map(&["ip"])).by("ip");
const BY_MOUNT_PATH: ListRule = ListRule::of(ListType::Map(&["mountPath"])).by("mountPath");
const BY_DEVICE_PATH: ListRule = ListRule::of(ListType::Map(&["devicePath"])).by("devicePath");
const MAP_NAME: ListRule = ListRule::of(ListType::Map(&["name"]));
const CONTAINER_PORTS: ListRule = ListRule::of(ListType::Map(&["containerPort", "protocol"])).by("containerPort");
const SERVICE_PORTS: ListRule = ListRule::of(ListType::Map(&["port", "protocol"])).by("port");
const SPREAD: ListRule = ListRule::of(ListType::Map(&["topologyKey", "whenUnsatisfiable"])).by("topologyKey");

/// (struct, field, rule), sorted by struct and field.
pub(super) const ROWS: &[(&str, &str, ListRule)] = &[
    ("admissionregistration.v1.MutatingAdmissionPolicySpec", "matchConditions", BY_NAME),
    ("admissionregistration.v1.MutatingWebhook", "matchConditions", BY_NAME),
    ("admissionregistration.v1.MutatingWebhookConfiguration", "webhooks", BY_NAME),
    ("admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec", "validationActions", SET),
    ("admissionregistration.v1.ValidatingAdmissionPolicySpec", "matchConditions", BY_NAME),
    ("admissionregistration.v1.ValidatingAdmissionPolicySpec", "variables", BY_NAME),
    ("admissionregistration.v1.ValidatingAdmissionPolicyStatus", "conditions", MAP_TYPE),
    ("admissionregistration.v1.ValidatingWebhook", "matchConditions", BY_NAME),
    ("admissionregistration.v1.ValidatingWebhookConfiguration", "webhooks", BY_NAME),
    ("apiextensions.v1.CustomResourceDefinitionStatus", "conditions", MAP_TYPE),
    ("apiextensions.v1.JSONSchemaProps", "x-kubernetes-validations", ListRule::of(ListType::Map(&["rule"])).by("rule")),
    ("apiregistration.v1.APIServiceStatus", "conditions", BY_TYPE),
    ("apps.v1.DaemonSetStatus", "conditions", BY_TYPE),
    ("apps.v1.DeploymentSpec", "strategy", ATOMIC.retain()),
    ("apps.v1.DeploymentStatus", "conditions", BY_TYPE),
    ("apps.v1.ReplicaSetStatus", "conditions", BY_TYPE),
    ("apps.v1.StatefulSetStatus", "conditions", BY_TYPE),
    ("autoscaling.v2.HorizontalPodAutoscalerStatus", "conditions", BY_TYPE),
    ("batch.v1.JobStatus", "conditions", ATOMIC.by("type")),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "values", SET),
    ("batch.v1.UncountedTerminatedPods", "failed", SET),
    ("batch.v1.UncountedTerminatedPods", "succeeded", SET),
    ("certificates.v1.CertificateSigningRequestStatus", "conditions", MAP_TYPE),
    ("core.v1.ComponentStatus", "conditions", BY_TYPE),
    ("core.v1.Container", "env", BY_NAME),
    ("core.v1.Container", "ports", CONTAINER_PORTS),
    ("core.v1.Container", "volumeDevices", BY_DEVICE_PATH),
    ("core.v1.Container", "volumeMounts", BY_MOUNT_PATH),
    ("core.v1.ContainerRestartRuleOnExitCodes", "values", SET),
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
    ("core.v1.PersistentVolumeClaimStatus", "conditions", BY_TYPE),
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
    ("core.v1.ReplicationControllerStatus", "conditions", BY_TYPE),
    ("core.v1.ResourceRequirements", "claims", MAP_NAME),
    ("core.v1.ResourceStatus", "resources", ListRule::of(ListType::Map(&["resourceID"]))),
    ("core.v1.ServiceAccount", "secrets", BY_NAME),
    ("core.v1.ServiceSpec", "ports", SERVICE_PORTS),
    ("core.v1.ServiceStatus", "conditions", BY_TYPE),
    ("discovery.v1.Endpoint", "addresses", SET),
    ("flowcontrol.v1.FlowSchemaStatus", "conditions", BY_TYPE),
    ("flowcontrol.v1.NonResourcePolicyRule", "nonResourceURLs", SET),
    ("flowcontrol.v1.NonResourcePolicyRule", "verbs", SET),
    ("flowcontrol.v1.PriorityLevelConfigurationStatus", "conditions", BY_TYPE),
    ("flowcontrol.v1.ResourcePolicyRule", "apiGroups", SET),
    ("flowcontrol.v1.ResourcePolicyRule", "namespaces", SET),
    ("flowcontrol.v1.ResourcePolicyRule", "resources", SET),
    ("flowcontrol.v1.ResourcePolicyRule", "verbs", SET),
    ("meta.v1.ObjectMeta", "finalizers", SET.merged()),
    ("meta.v1.ObjectMeta", "ownerReferences", ListRule::of(ListType::Map(&["uid"])).by("uid")),
    ("networking.v1.ServiceCIDRStatus", "conditions", BY_TYPE),
    ("policy.v1.PodDisruptionBudgetStatus", "conditions", BY_TYPE),
    ("resource.v1.AllocatedDeviceStatus", "conditions", MAP_TYPE),
    (
        "resource.v1.ResourceClaimStatus",
        "devices",
        ListRule::of(ListType::Map(&["driver", "device", "pool", "shareID"])),
    ),
    ("resource.v1.ResourceClaimStatus", "reservedFor", ListRule::of(ListType::Map(&["uid"])).by("uid")),
    ("storage.v1.CSIDriverSpec", "volumeLifecycleModes", SET),
    ("storage.v1.CSINodeSpec", "drivers", BY_NAME),
];

/// Structs with `mapType=atomic`: apply replaces them as a whole.
pub const ATOMIC_OBJECTS: &[&str] = &[
    "admissionregistration.v1.MatchResources",
    "admissionregistration.v1.NamedRuleWithOperations",
    "admissionregistration.v1.ParamKind",
    "admissionregistration.v1.ParamRef",
    "autoscaling.v1.CrossVersionObjectReference",
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
    "core.v1.ScopeSelector",
    "core.v1.ScopedResourceSelectorRequirement",
    "core.v1.SecretKeySelector",
    "core.v1.SecretReference",
    "core.v1.TopologySelectorTerm",
    "core.v1.TypedLocalObjectReference",
    "discovery.v1.EndpointPort",
    "flowcontrol.v1.Subject",
    "meta.v1.LabelSelector",
    "meta.v1.OwnerReference",
    "networking.v1.ServiceBackendPort",
    "rbac.v1.RoleRef",
    "rbac.v1.Subject",
];

/// Maps with `mapType=atomic`.
pub(super) const ATOMIC_MAPS: &[(&str, &str)] = &[
    ("core.v1.PodSpec", "nodeSelector"),
    ("core.v1.ReplicationControllerSpec", "selector"),
    ("core.v1.ServiceSpec", "selector"),
    ("node.v1.Scheduling", "nodeSelector"),
];

/// The rule of a field, by the struct's short name (`core.v1.PodSpec`).
pub fn list_rule(object: &str, field: &str) -> ListRule {
    let found = ROWS.binary_search_by(|(o, f, _)| (*o, *f).cmp(&(object, field)));
    found.map_or(ATOMIC, |index| ROWS[index].2)
}

/// Whether the field is a map that apply replaces as a whole.
pub fn map_is_atomic(object: &str, field: &str) -> bool {
    ATOMIC_MAPS.contains(&(object, field))
}
