//! What the other controllers may do: those of nodes, namespaces, accounts, Services, volumes and policies.

use super::words::{group, verb};
use super::{RECORDS_EVENTS, Rule, on, on_named};

const SIGNERS: super::Texts = &[
    "kubernetes.io/kube-apiserver-client",
    "kubernetes.io/kube-apiserver-client-kubelet",
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/legacy-unknown",
];

/// By the name of the controller's account.
pub(super) const RULES: &[(&str, &[Rule])] = &[
    (
        "attachdetach-controller",
        &[
            on(group::CORE, &["persistentvolumeclaims", "persistentvolumes"], verb::LIST_WATCH),
            on(group::CORE, &["nodes"], verb::READ),
            on(group::CORE, &["nodes/status"], verb::PATCH_UPDATE),
            on(group::CORE, &["pods"], verb::LIST_WATCH),
            RECORDS_EVENTS,
            on(group::STORAGE, &["volumeattachments"], verb::READ_CREATE_DELETE),
            on(group::STORAGE, &["csidrivers"], verb::READ),
            on(group::STORAGE, &["csinodes"], verb::READ),
        ],
    ),
    (
        "certificate-controller",
        &[
            on(group::CERTIFICATES, &["certificatesigningrequests"], verb::READ_DELETE),
            on(
                group::CERTIFICATES,
                &["certificatesigningrequests/approval", "certificatesigningrequests/status"],
                verb::UPDATE,
            ),
            on_named(
                group::CERTIFICATES,
                &["signers"],
                &["kubernetes.io/kube-apiserver-client-kubelet"],
                verb::APPROVE,
            ),
            on_named(group::CERTIFICATES, &["signers"], SIGNERS, &["sign"]),
            on(group::AUTHORIZATION, &["subjectaccessreviews"], verb::CREATE),
            RECORDS_EVENTS,
        ],
    ),
    (
        "clusterrole-aggregation-controller",
        &[on(group::RBAC, &["clusterroles"], &["escalate", "get", "list", "patch", "update", "watch"])],
    ),
    (
        "endpoint-controller",
        &[
            on(group::CORE, &["pods", "services"], verb::READ),
            on(group::CORE, &["endpoints"], verb::OWN_NO_PATCH),
            on(group::CORE, &["endpoints/restricted"], verb::CREATE),
            RECORDS_EVENTS,
        ],
    ),
    (
        "endpointslice-controller",
        &[
            on(group::CORE, &["nodes", "pods", "services"], verb::READ),
            on(group::CORE, &["services/finalizers"], verb::UPDATE),
            on(group::DISCOVERY, &["endpointslices"], verb::OWN_NO_PATCH),
            RECORDS_EVENTS,
        ],
    ),
    (
        "endpointslicemirroring-controller",
        &[
            on(group::CORE, &["endpoints", "services"], verb::READ),
            on(group::CORE, &["services/finalizers"], verb::UPDATE),
            on(group::CORE, &["endpoints/finalizers"], verb::UPDATE),
            on(group::DISCOVERY, &["endpointslices"], verb::OWN_NO_PATCH),
            RECORDS_EVENTS,
        ],
    ),
    (
        "ephemeral-volume-controller",
        &[
            on(group::CORE, &["pods"], verb::READ),
            on(group::CORE, &["pods/finalizers"], verb::UPDATE),
            on(group::CORE, &["persistentvolumeclaims"], verb::READ_CREATE),
            RECORDS_EVENTS,
        ],
    ),
    (
        "expand-controller",
        &[
            on(group::CORE, &["persistentvolumes"], verb::READ_PATCH_UPDATE),
            on(group::CORE, &["persistentvolumeclaims/status"], verb::PATCH_UPDATE),
            on(group::CORE, &["persistentvolumeclaims"], verb::READ),
            RECORDS_EVENTS,
        ],
    ),
    (
        "generic-garbage-collector",
        &[on(group::ALL, &["*"], &["delete", "get", "list", "patch", "update", "watch"]), RECORDS_EVENTS],
    ),
    (
        "legacy-service-account-token-cleaner",
        &[
            on_named(
                group::CORE,
                &["configmaps"],
                &["kube-apiserver-legacy-service-account-token-tracking"],
                verb::GET,
            ),
            on(group::CORE, &["secrets"], &["delete", "patch"]),
        ],
    ),
    (
        "namespace-controller",
        &[
            on(group::CORE, &["namespaces"], verb::READ_DELETE),
            on(group::CORE, &["namespaces/finalize", "namespaces/status"], verb::UPDATE),
            on(group::ALL, &["*"], &["delete", "deletecollection", "get", "list", "watch"]),
        ],
    ),
    (
        "node-controller",
        &[
            on(group::CORE, &["nodes"], &["delete", "get", "list", "patch", "update", "watch"]),
            on(group::CORE, &["nodes/status"], verb::PATCH_UPDATE),
            on(group::CORE, &["pods/status"], verb::PATCH_UPDATE),
            on(group::CORE, &["pods"], verb::READ_DELETE),
            RECORDS_EVENTS,
        ],
    ),
    (
        "persistent-volume-binder",
        &[
            on(group::CORE, &["persistentvolumes"], verb::OWN_NO_PATCH),
            on(group::CORE, &["persistentvolumes/status"], verb::UPDATE),
            on(group::CORE, &["persistentvolumeclaims"], verb::READ_UPDATE),
            on(group::CORE, &["persistentvolumeclaims/status"], verb::UPDATE),
            on(group::CORE, &["pods"], verb::READ_CREATE_DELETE),
            on(group::STORAGE, &["storageclasses"], verb::READ),
            on(group::CORE, &["nodes"], verb::LIST_WATCH),
            RECORDS_EVENTS,
            on(group::CORE, &["events"], verb::WATCH),
        ],
    ),
    ("pv-protection-controller", &[on(group::CORE, &["persistentvolumes"], verb::READ_UPDATE), RECORDS_EVENTS]),
    (
        "pvc-protection-controller",
        &[
            on(group::CORE, &["persistentvolumeclaims"], verb::READ_UPDATE),
            on(group::CORE, &["persistentvolumeclaims/status"], verb::UPDATE),
            on(group::CORE, &["pods"], verb::READ),
            RECORDS_EVENTS,
        ],
    ),
    (
        "resourcequota-controller",
        &[
            on(group::ALL, &["*"], verb::LIST_WATCH),
            on(group::CORE, &["resourcequotas/status"], verb::UPDATE),
            RECORDS_EVENTS,
        ],
    ),
    ("root-ca-cert-publisher", &[on(group::CORE, &["configmaps"], &["create", "update"]), RECORDS_EVENTS]),
    (
        "route-controller",
        &[
            on(group::CORE, &["nodes"], verb::LIST_WATCH),
            on(group::CORE, &["nodes/status"], verb::PATCH),
            RECORDS_EVENTS,
        ],
    ),
    (
        "selinux-warning-controller",
        &[
            RECORDS_EVENTS,
            on(group::CORE, &["persistentvolumes"], verb::READ),
            on(group::CORE, &["persistentvolumeclaims"], verb::READ),
            on(group::CORE, &["pods"], verb::READ),
            on(group::STORAGE, &["csidrivers"], verb::READ),
        ],
    ),
    ("service-account-controller", &[on(group::CORE, &["serviceaccounts"], verb::CREATE), RECORDS_EVENTS]),
    (
        "service-cidrs-controller",
        &[
            on(group::NETWORKING, &["servicecidrs"], verb::READ_PATCH_UPDATE),
            on(group::NETWORKING, &["servicecidrs/finalizers"], verb::PATCH_UPDATE),
            on(group::NETWORKING, &["servicecidrs/status"], verb::PATCH_UPDATE),
            on(group::NETWORKING, &["ipaddresses"], verb::READ),
            RECORDS_EVENTS,
        ],
    ),
    (
        "service-controller",
        &[
            on(group::CORE, &["services"], verb::READ),
            on(group::CORE, &["services/status"], verb::PATCH_UPDATE),
            on(group::CORE, &["nodes"], verb::LIST_WATCH),
            RECORDS_EVENTS,
        ],
    ),
    ("ttl-controller", &[on(group::CORE, &["nodes"], &["list", "patch", "update", "watch"]), RECORDS_EVENTS]),
    (
        "validatingadmissionpolicy-status-controller",
        &[
            on(group::ADMISSION, &["validatingadmissionpolicies"], verb::READ),
            on(group::ADMISSION, &["validatingadmissionpolicies/status"], &["get", "patch", "update"]),
            RECORDS_EVENTS,
        ],
    ),
    (
        "volumeattributesclass-protection-controller",
        &[
            on(group::CORE, &["persistentvolumeclaims"], verb::READ),
            on(group::CORE, &["persistentvolumes"], verb::READ),
            on(group::STORAGE, &["volumeattributesclasses"], verb::READ_UPDATE),
            RECORDS_EVENTS,
        ],
    ),
];
