//! Values that a field may have, and the ones it gets by itself: the `+enum` and `+default` markers of the Kubernetes
//! types, which generated Rust types do not carry. `kubectl explain` shows them.
//!
//! They go into OpenAPI 3 only. Kubernetes took enums out of its OpenAPI 2 document again, because old clients refuse
//! values that their server has learned since.

use serde_json::{Map, Value, json};

use crate::schema::short_name;

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["FallbackToLogsOnError", "File"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const TAINT_EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];
const HONOR_OR_IGNORE: &[&str] = &["Honor", "Ignore"];
const TRAFFIC_POLICIES: &[&str] = &["Cluster", "Local"];
const HOST_PATHS: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// (struct, field, values), values in the order of the published documents. Facts of Kubernetes 1.36.
const ENUMS: &[(&str, &str, &[&str])] = &[
    ("apps.v1.DeploymentStrategy", "type", &["Recreate", "RollingUpdate"]),
    ("batch.v1.JobSpec", "completionMode", &["Indexed", "NonIndexed"]),
    ("batch.v1.JobSpec", "podReplacementPolicy", &["Failed", "TerminatingOrFailed"]),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "operator", &["In", "NotIn"]),
    ("batch.v1.PodFailurePolicyRule", "action", &["Count", "FailIndex", "FailJob", "Ignore"]),
    ("core.v1.AppArmorProfile", "type", PROFILES),
    ("core.v1.AzureDiskVolumeSource", "cachingMode", &["None", "ReadOnly", "ReadWrite"]),
    ("core.v1.AzureDiskVolumeSource", "kind", &["Dedicated", "Managed", "Shared"]),
    ("core.v1.Container", "imagePullPolicy", PULL_POLICIES),
    ("core.v1.Container", "terminationMessagePolicy", MESSAGE_POLICIES),
    ("core.v1.ContainerPort", "protocol", PROTOCOLS),
    ("core.v1.EndpointPort", "protocol", PROTOCOLS),
    ("core.v1.EphemeralContainer", "imagePullPolicy", PULL_POLICIES),
    ("core.v1.EphemeralContainer", "terminationMessagePolicy", MESSAGE_POLICIES),
    ("core.v1.HTTPGetAction", "scheme", &["HTTP", "HTTPS"]),
    ("core.v1.HostPathVolumeSource", "type", HOST_PATHS),
    ("core.v1.NamespaceStatus", "phase", &["Active", "Terminating"]),
    ("core.v1.NodeSelectorRequirement", "operator", &["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"]),
    ("core.v1.NodeStatus", "phase", &["Pending", "Running", "Terminated"]),
    ("core.v1.PersistentVolumeClaimSpec", "volumeMode", &["Block", "Filesystem"]),
    ("core.v1.PodSecurityContext", "fsGroupChangePolicy", &["Always", "OnRootMismatch"]),
    ("core.v1.PodSecurityContext", "supplementalGroupsPolicy", &["Merge", "Strict"]),
    ("core.v1.PodSpec", "dnsPolicy", &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
    ("core.v1.PodSpec", "preemptionPolicy", &["Never", "PreemptLowerPriority"]),
    ("core.v1.PodSpec", "restartPolicy", &["Always", "Never", "OnFailure"]),
    ("core.v1.PodStatus", "phase", &["Failed", "Pending", "Running", "Succeeded", "Unknown"]),
    ("core.v1.PodStatus", "qosClass", &["BestEffort", "Burstable", "Guaranteed"]),
    ("core.v1.PortStatus", "protocol", PROTOCOLS),
    ("core.v1.SeccompProfile", "type", PROFILES),
    ("core.v1.SecurityContext", "procMount", &["Default", "Unmasked"]),
    ("core.v1.ServicePort", "protocol", PROTOCOLS),
    ("core.v1.ServiceSpec", "externalTrafficPolicy", TRAFFIC_POLICIES),
    ("core.v1.ServiceSpec", "internalTrafficPolicy", TRAFFIC_POLICIES),
    ("core.v1.ServiceSpec", "ipFamilyPolicy", &["PreferDualStack", "RequireDualStack", "SingleStack"]),
    ("core.v1.ServiceSpec", "sessionAffinity", &["ClientIP", "None"]),
    ("core.v1.ServiceSpec", "type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]),
    ("core.v1.Taint", "effect", TAINT_EFFECTS),
    ("core.v1.Toleration", "effect", TAINT_EFFECTS),
    ("core.v1.Toleration", "operator", &["Equal", "Exists", "Gt", "Lt"]),
    ("core.v1.TopologySpreadConstraint", "nodeAffinityPolicy", HONOR_OR_IGNORE),
    ("core.v1.TopologySpreadConstraint", "nodeTaintsPolicy", HONOR_OR_IGNORE),
    ("core.v1.TopologySpreadConstraint", "whenUnsatisfiable", &["DoNotSchedule", "ScheduleAnyway"]),
    ("core.v1.VolumeMount", "mountPropagation", &["Bidirectional", "HostToContainer", "None"]),
    ("discovery.v1.EndpointSlice", "addressType", &["FQDN", "IPv4", "IPv6"]),
];

/// (struct, field, value)
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("core.v1.AzureDiskVolumeSource", "cachingMode", "ReadWrite"),
    ("core.v1.AzureDiskVolumeSource", "fsType", "ext4"),
    ("core.v1.AzureDiskVolumeSource", "kind", "Shared"),
    ("core.v1.ContainerPort", "protocol", "TCP"),
    ("core.v1.GRPCAction", "service", ""),
    ("core.v1.ISCSIVolumeSource", "iscsiInterface", "default"),
    ("core.v1.RBDVolumeSource", "keyring", "/etc/ceph/keyring"),
    ("core.v1.RBDVolumeSource", "pool", "rbd"),
    ("core.v1.RBDVolumeSource", "user", "admin"),
    ("core.v1.ScaleIOVolumeSource", "fsType", "xfs"),
    ("core.v1.ScaleIOVolumeSource", "storageMode", "ThinProvisioned"),
    ("core.v1.ServicePort", "protocol", "TCP"),
];

/// Adds the values to definitions in OpenAPI 2 form.
pub(super) fn declare(definitions: &mut Map<String, Value>) {
    for (definition, schema) in definitions {
        let short = short_name(definition);
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { continue };
        for (field, property) in properties {
            if let Some((.., values)) = ENUMS.iter().find(|row| (row.0, row.1) == (short, field.as_str())) {
                describe(property, values);
                property["enum"] = json!(values);
            }
            if let Some((.., value)) = DEFAULTS.iter().find(|row| (row.0, row.1) == (short, field.as_str())) {
                property["default"] = json!(value);
            }
        }
    }
}

/// Kubernetes lists the values in the description too.
fn describe(property: &mut Value, values: &[&str]) {
    let lines: Vec<String> = values.iter().map(|value| format!(" - `\"{value}\"`")).collect();
    let text = property["description"].as_str().unwrap_or_default();
    let text = format!("{text}\n\nPossible enum values:\n{}", lines.join("\n"));
    property["description"] = json!(text.trim_start());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::definitions;

    /// A row whose field is gone would be silently ignored.
    #[test]
    fn every_row_is_about_a_field_that_exists() {
        let mut all = definitions();
        declare(&mut all);
        let field = |short: &str, field: &str| {
            let schema = all.iter().find(|(name, _)| short_name(name) == short).map(|(_, schema)| schema);
            schema.and_then(|schema| schema["properties"].get(field)).cloned().unwrap_or_default()
        };
        for (short, name, values) in ENUMS {
            assert_eq!(field(short, name)["enum"], json!(values), "{short}.{name}");
            assert!(values.is_sorted(), "{short}.{name}");
        }
        for (short, name, value) in DEFAULTS {
            assert_eq!(field(short, name)["default"], json!(value), "{short}.{name}");
        }
        let text = field("apps.v1.DeploymentStrategy", "type")["description"].as_str().unwrap().to_string();
        assert!(text.ends_with("\n\nPossible enum values:\n - `\"Recreate\"`\n - `\"RollingUpdate\"`"), "{text}");
    }
}
