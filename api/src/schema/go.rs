//! Names of Go types, because decoding errors name them and people search for those texts.

/// The Go type of a definition: `io.k8s.api.core.v1.Container` -> `v1.Container`.
pub(super) fn struct_name(definition: &str) -> String {
    let mut parts = definition.rsplit('.');
    let name = parts.next().unwrap_or_default();
    match parts.next() {
        Some(package) => format!("{package}.{name}"),
        None => name.to_string(),
    }
}

/// Fields whose Go type is a named one: (struct, field, type), sorted by struct and field. For lists the whole type.
pub(super) const ROWS: &[(&str, &str, &str)] = &[
    ("apps.v1.DeploymentCondition", "status", "v1.ConditionStatus"),
    ("apps.v1.DeploymentCondition", "type", "v1.DeploymentConditionType"),
    ("apps.v1.DeploymentStrategy", "type", "v1.DeploymentStrategyType"),
    ("apps.v1.ReplicaSetCondition", "status", "v1.ConditionStatus"),
    ("apps.v1.ReplicaSetCondition", "type", "v1.ReplicaSetConditionType"),
    ("batch.v1.JobCondition", "status", "v1.ConditionStatus"),
    ("batch.v1.JobCondition", "type", "v1.JobConditionType"),
    ("batch.v1.JobSpec", "completionMode", "v1.CompletionMode"),
    ("batch.v1.JobSpec", "podReplacementPolicy", "v1.PodReplacementPolicy"),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "operator", "v1.PodFailurePolicyOnExitCodesOperator"),
    ("batch.v1.PodFailurePolicyRule", "action", "v1.PodFailurePolicyAction"),
    ("coordination.v1.LeaseSpec", "strategy", "v1.CoordinatedLeaseStrategy"),
    ("core.v1.Capabilities", "add", "[]v1.Capability"),
    ("core.v1.Capabilities", "drop", "[]v1.Capability"),
    ("core.v1.Container", "imagePullPolicy", "v1.PullPolicy"),
    ("core.v1.Container", "restartPolicy", "v1.ContainerRestartPolicy"),
    ("core.v1.Container", "terminationMessagePolicy", "v1.TerminationMessagePolicy"),
    ("core.v1.ContainerPort", "protocol", "v1.Protocol"),
    ("core.v1.ContainerResizePolicy", "resourceName", "v1.ResourceName"),
    ("core.v1.ContainerResizePolicy", "restartPolicy", "v1.ResourceResizeRestartPolicy"),
    ("core.v1.EmptyDirVolumeSource", "medium", "v1.StorageMedium"),
    ("core.v1.EndpointPort", "protocol", "v1.Protocol"),
    ("core.v1.EphemeralContainer", "imagePullPolicy", "v1.PullPolicy"),
    ("core.v1.EphemeralContainer", "restartPolicy", "v1.ContainerRestartPolicy"),
    ("core.v1.EphemeralContainer", "terminationMessagePolicy", "v1.TerminationMessagePolicy"),
    ("core.v1.HTTPGetAction", "scheme", "v1.URIScheme"),
    ("core.v1.HostPathVolumeSource", "type", "v1.HostPathType"),
    ("core.v1.NamespaceCondition", "status", "v1.ConditionStatus"),
    ("core.v1.NamespaceCondition", "type", "v1.NamespaceConditionType"),
    ("core.v1.NamespaceSpec", "finalizers", "[]v1.FinalizerName"),
    ("core.v1.NamespaceStatus", "phase", "v1.NamespacePhase"),
    ("core.v1.NodeAddress", "type", "v1.NodeAddressType"),
    ("core.v1.NodeCondition", "status", "v1.ConditionStatus"),
    ("core.v1.NodeCondition", "type", "v1.NodeConditionType"),
    ("core.v1.NodeSelectorRequirement", "operator", "v1.NodeSelectorOperator"),
    ("core.v1.NodeStatus", "allocatable", "v1.ResourceList"),
    ("core.v1.NodeStatus", "capacity", "v1.ResourceList"),
    ("core.v1.NodeStatus", "phase", "v1.NodePhase"),
    ("core.v1.ObjectReference", "uid", "types.UID"),
    ("core.v1.PodCondition", "status", "v1.ConditionStatus"),
    ("core.v1.PodCondition", "type", "v1.PodConditionType"),
    ("core.v1.PodReadinessGate", "conditionType", "v1.PodConditionType"),
    ("core.v1.PodSecurityContext", "fsGroupChangePolicy", "v1.PodFSGroupChangePolicy"),
    ("core.v1.PodSecurityContext", "supplementalGroupsPolicy", "v1.SupplementalGroupsPolicy"),
    ("core.v1.PodSpec", "dnsPolicy", "v1.DNSPolicy"),
    ("core.v1.PodSpec", "overhead", "v1.ResourceList"),
    ("core.v1.PodSpec", "preemptionPolicy", "v1.PreemptionPolicy"),
    ("core.v1.PodSpec", "restartPolicy", "v1.RestartPolicy"),
    ("core.v1.PodStatus", "phase", "v1.PodPhase"),
    ("core.v1.PodStatus", "qosClass", "v1.PodQOSClass"),
    ("core.v1.ResourceRequirements", "limits", "v1.ResourceList"),
    ("core.v1.ResourceRequirements", "requests", "v1.ResourceList"),
    ("core.v1.SeccompProfile", "type", "v1.SeccompProfileType"),
    ("core.v1.Secret", "type", "v1.SecretType"),
    ("core.v1.SecurityContext", "procMount", "v1.ProcMountType"),
    ("core.v1.ServicePort", "protocol", "v1.Protocol"),
    ("core.v1.ServiceSpec", "externalTrafficPolicy", "v1.ServiceExternalTrafficPolicy"),
    ("core.v1.ServiceSpec", "internalTrafficPolicy", "v1.ServiceInternalTrafficPolicy"),
    ("core.v1.ServiceSpec", "ipFamilies", "[]v1.IPFamily"),
    ("core.v1.ServiceSpec", "ipFamilyPolicy", "v1.IPFamilyPolicy"),
    ("core.v1.ServiceSpec", "sessionAffinity", "v1.ServiceAffinity"),
    ("core.v1.ServiceSpec", "type", "v1.ServiceType"),
    ("core.v1.Taint", "effect", "v1.TaintEffect"),
    ("core.v1.Toleration", "effect", "v1.TaintEffect"),
    ("core.v1.Toleration", "operator", "v1.TolerationOperator"),
    ("core.v1.TopologySpreadConstraint", "whenUnsatisfiable", "v1.UnsatisfiableConstraintAction"),
    ("core.v1.VolumeMount", "mountPropagation", "v1.MountPropagationMode"),
    ("discovery.v1.EndpointPort", "protocol", "v1.Protocol"),
    ("discovery.v1.EndpointSlice", "addressType", "v1.AddressType"),
    ("meta.v1.DeleteOptions", "propagationPolicy", "v1.DeletionPropagation"),
    ("meta.v1.LabelSelectorRequirement", "operator", "v1.LabelSelectorOperator"),
    ("meta.v1.ManagedFieldsEntry", "operation", "v1.ManagedFieldsOperationType"),
    ("meta.v1.ObjectMeta", "uid", "types.UID"),
    ("meta.v1.OwnerReference", "uid", "types.UID"),
    ("meta.v1.Preconditions", "uid", "types.UID"),
];

/// The named type of a field, by the struct's short name.
pub(super) fn named_type(object: &str, field: &str) -> Option<&'static str> {
    let found = ROWS.binary_search_by(|(o, f, _)| (*o, *f).cmp(&(object, field)));
    found.ok().map(|index| ROWS[index].2)
}
