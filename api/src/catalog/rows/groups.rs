//! The rows of the named groups, in the order in which Kubernetes lists them.

use super::super::Subresource::{Approval, Scale, Status};
use super::{Dependents, Resource, row};
use crate::kinds::{
    admission, api_service, autoscaler, controller_revision, cron_job, custom_definition, daemon_set, deployment,
    devices, disruption_budget, event, flow_control, job, lease, network, priority_class, rbac, replica_set, review,
    runtime_class, service, signing_request, stateful_set, storage,
};

pub(super) fn rows() -> Vec<Resource> {
    let groups = [
        apiregistration,
        apps,
        events,
        authentication,
        authorization,
        autoscaling,
        batch,
        certificates,
        networking,
        policy,
        rbac_authorization,
        storage_k8s_io,
        admissionregistration,
        apiextensions,
        small_groups,
        resource,
        flowcontrol,
    ];
    groups.into_iter().flat_map(|rows| rows()).collect()
}

/// The category of what extends the API.
const EXTENSIONS: &str = "api-extensions";

fn apiregistration() -> Vec<Resource> {
    vec![
        row("apiregistration.k8s.io", "v1", "APIService", "apiservices")
            .cluster()
            .category(EXTENSIONS)
            .sub(&[Status])
            .rules(&api_service::RULES),
    ]
}

fn apps() -> Vec<Resource> {
    let apps = |kind, plural| row("apps", "v1", kind, plural);
    vec![
        apps("ControllerRevision", "controllerrevisions").rules(&controller_revision::RULES),
        apps("DaemonSet", "daemonsets").short(&["ds"]).in_all().sub(&[Status]).rules(&daemon_set::RULES),
        apps("Deployment", "deployments").short(&["deploy"]).in_all().sub(&[Scale, Status]).rules(&deployment::RULES),
        apps("ReplicaSet", "replicasets").short(&["rs"]).in_all().sub(&[Scale, Status]).rules(&replica_set::RULES),
        apps("StatefulSet", "statefulsets").short(&["sts"]).in_all().sub(&[Scale, Status]).rules(&stateful_set::RULES),
    ]
}

fn events() -> Vec<Resource> {
    let events = row("events.k8s.io", "v1", "Event", "events").short(&["ev"]).stored_as("events");
    vec![events.dependents(Dependents::Ignored).rules(&event::EVENTS_V1)]
}

fn authentication() -> Vec<Resource> {
    let ask = |kind, plural| row("authentication.k8s.io", "v1", kind, plural).cluster().review().rules(&review::PLAIN);
    vec![ask("SelfSubjectReview", "selfsubjectreviews"), ask("TokenReview", "tokenreviews")]
}

fn authorization() -> Vec<Resource> {
    let ask = |kind, plural| row("authorization.k8s.io", "v1", kind, plural).cluster().review();
    let mut local = ask("LocalSubjectAccessReview", "localsubjectaccessreviews").rules(&review::LOCAL_ACCESS);
    local.namespaced = true;
    vec![
        local,
        ask("SelfSubjectAccessReview", "selfsubjectaccessreviews").rules(&review::SELF_ACCESS),
        ask("SelfSubjectRulesReview", "selfsubjectrulesreviews").rules(&review::PLAIN),
        ask("SubjectAccessReview", "subjectaccessreviews").rules(&review::ACCESS),
    ]
}

fn autoscaling() -> Vec<Resource> {
    let of = |version| {
        row("autoscaling", version, "HorizontalPodAutoscaler", "horizontalpodautoscalers")
            .short(&["hpa"])
            .in_all()
            .sub(&[Status])
    };
    vec![
        of("v2").rules(&autoscaler::V2),
        of("v1").stored_as("horizontalpodautoscalers.autoscaling").rules(&autoscaler::V1),
    ]
}

fn batch() -> Vec<Resource> {
    let jobs = row("batch", "v1", "Job", "jobs").in_all().sub(&[Status]).rules(&job::RULES);
    let cron_jobs = row("batch", "v1", "CronJob", "cronjobs").short(&["cj"]).in_all().sub(&[Status]);
    vec![cron_jobs.rules(&cron_job::RULES), jobs.dependents(Dependents::Orphaned)]
}

fn certificates() -> Vec<Resource> {
    vec![
        row("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests")
            .cluster()
            .short(&["csr"])
            .sub(&[Approval, Status])
            .rules(&signing_request::RULES),
    ]
}

fn networking() -> Vec<Resource> {
    let of = |kind, plural| row("networking.k8s.io", "v1", kind, plural);
    vec![
        of("IngressClass", "ingressclasses").cluster().rules(&network::INGRESS_CLASS),
        of("Ingress", "ingresses").short(&["ing"]).sub(&[Status]).rules(&network::INGRESS),
        of("IPAddress", "ipaddresses").cluster().short(&["ip"]).rules(&network::IP_ADDRESS),
        of("NetworkPolicy", "networkpolicies").short(&["netpol"]).rules(&network::NETWORK_POLICY),
        of("ServiceCIDR", "servicecidrs").cluster().sub(&[Status]).rules(&network::SERVICE_CIDR),
    ]
}

fn policy() -> Vec<Resource> {
    vec![
        row("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
            .short(&["pdb"])
            .sub(&[Status])
            .rules(&disruption_budget::RULES),
    ]
}

fn rbac_authorization() -> Vec<Resource> {
    let of = |kind, plural| row("rbac.authorization.k8s.io", "v1", kind, plural);
    vec![
        of("ClusterRoleBinding", "clusterrolebindings").cluster().rules(&rbac::CLUSTER_ROLE_BINDING),
        of("ClusterRole", "clusterroles").cluster().rules(&rbac::CLUSTER_ROLE),
        of("RoleBinding", "rolebindings").rules(&rbac::ROLE_BINDING),
        of("Role", "roles").rules(&rbac::ROLE),
    ]
}

fn storage_k8s_io() -> Vec<Resource> {
    let of = |kind, plural| row("storage.k8s.io", "v1", kind, plural);
    vec![
        of("CSIDriver", "csidrivers").cluster().shows_deleted().rules(&storage::CSI_DRIVER),
        of("CSINode", "csinodes").cluster().shows_deleted().rules(&storage::CSI_NODE),
        of("CSIStorageCapacity", "csistoragecapacities").rules(&storage::CSI_STORAGE_CAPACITY),
        of("StorageClass", "storageclasses").cluster().shows_deleted().short(&["sc"]).rules(&storage::STORAGE_CLASS),
        of("VolumeAttachment", "volumeattachments")
            .cluster()
            .shows_deleted()
            .sub(&[Status])
            .rules(&storage::VOLUME_ATTACHMENT),
        of("VolumeAttributesClass", "volumeattributesclasses")
            .cluster()
            .shows_deleted()
            .short(&["vac"])
            .rules(&storage::VOLUME_ATTRIBUTES_CLASS),
    ]
}

fn admissionregistration() -> Vec<Resource> {
    let of = |kind, plural| row("admissionregistration.k8s.io", "v1", kind, plural).cluster().category(EXTENSIONS);
    vec![
        of("MutatingAdmissionPolicy", "mutatingadmissionpolicies").rules(&admission::MUTATING_POLICY),
        of("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings")
            .rules(&admission::MUTATING_POLICY_BINDING),
        of("MutatingWebhookConfiguration", "mutatingwebhookconfigurations").rules(&admission::MUTATING_WEBHOOKS),
        of("ValidatingAdmissionPolicy", "validatingadmissionpolicies")
            .sub(&[Status])
            .rules(&admission::VALIDATING_POLICY),
        of("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings")
            .rules(&admission::VALIDATING_POLICY_BINDING),
        of("ValidatingWebhookConfiguration", "validatingwebhookconfigurations").rules(&admission::VALIDATING_WEBHOOKS),
    ]
}

fn apiextensions() -> Vec<Resource> {
    vec![
        row("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
            .cluster()
            .short(&["crd", "crds"])
            .category(EXTENSIONS)
            .sub(&[Status])
            .rules(&custom_definition::RULES),
    ]
}

/// Groups of one kind each.
fn small_groups() -> Vec<Resource> {
    vec![
        row("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses")
            .cluster()
            .short(&["pc"])
            .rules(&priority_class::RULES),
        row("coordination.k8s.io", "v1", "Lease", "leases").rules(&lease::RULES),
        row("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses").cluster().rules(&runtime_class::RULES),
        row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices").rules(&service::ENDPOINT_SLICE),
    ]
}

fn resource() -> Vec<Resource> {
    let of = |kind, plural| row("resource.k8s.io", "v1", kind, plural);
    vec![
        of("DeviceClass", "deviceclasses").cluster().rules(&devices::DEVICE_CLASS),
        of("ResourceClaim", "resourceclaims").sub(&[Status]).rules(&devices::RESOURCE_CLAIM),
        of("ResourceClaimTemplate", "resourceclaimtemplates").rules(&devices::RESOURCE_CLAIM_TEMPLATE),
        of("ResourceSlice", "resourceslices").cluster().rules(&devices::RESOURCE_SLICE),
    ]
}

fn flowcontrol() -> Vec<Resource> {
    let of = |kind, plural| row("flowcontrol.apiserver.k8s.io", "v1", kind, plural).cluster().sub(&[Status]);
    vec![
        of("FlowSchema", "flowschemas").rules(&flow_control::FLOW_SCHEMA),
        of("PriorityLevelConfiguration", "prioritylevelconfigurations")
            .rules(&flow_control::PRIORITY_LEVEL_CONFIGURATION),
    ]
}
