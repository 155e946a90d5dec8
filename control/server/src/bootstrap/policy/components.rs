//! Roles of the parts of a cluster: the control plane, nodes, and what is usually installed beside them.

use super::words::{group, verb};
use super::{Binding, RECORDS_EVENTS, Role, Rule, Subject, binding, on, on_named, role};

const CONTROLLER_MANAGER: &[Rule] = &[
    RECORDS_EVENTS,
    // To be elected.
    on(group::COORDINATION, &["leases"], verb::CREATE),
    on_named(group::COORDINATION, &["leases"], &["kube-controller-manager"], verb::GET_UPDATE),
    // For the accounts of the controllers and their tokens.
    on(group::CORE, &["secrets", "serviceaccounts"], verb::CREATE),
    on(group::CORE, &["secrets"], verb::DELETE),
    on(group::CORE, &["configmaps", "namespaces", "secrets", "serviceaccounts"], verb::GET),
    on(group::CORE, &["secrets", "serviceaccounts"], verb::UPDATE),
    // To ask who calls it.
    on(group::AUTHENTICATION, &["tokenreviews"], verb::CREATE),
    on(group::AUTHORIZATION, &["subjectaccessreviews"], verb::CREATE),
    // The controllers share informers.
    on(group::ALL, &["*"], verb::LIST_WATCH),
    on(group::CORE, &["serviceaccounts/token"], verb::CREATE),
];

const SCHEDULER: &[Rule] = &[
    RECORDS_EVENTS,
    // To be elected.
    on(group::COORDINATION, &["leases"], verb::CREATE),
    on_named(group::COORDINATION, &["leases"], &["kube-scheduler"], verb::READ_UPDATE),
    on(group::COORDINATION, &["leasecandidates"], verb::READ_WRITE),
    on(group::CORE, &["nodes"], verb::READ),
    // It deletes those that give way to others.
    on(group::CORE, &["pods"], verb::READ_DELETE),
    on(group::CORE, &["bindings", "pods/binding"], verb::CREATE),
    on(group::CORE, &["pods/status"], verb::PATCH_UPDATE),
    // What selects pods: they are spread by it.
    on(group::CORE, &["replicationcontrollers", "services"], verb::READ),
    on(group::APPS_AND_EXTENSIONS, &["replicasets"], verb::READ),
    on(group::APPS, &["statefulsets"], verb::READ),
    on(group::POLICY, &["poddisruptionbudgets"], verb::READ),
    on(group::CORE, &["persistentvolumeclaims", "persistentvolumes"], verb::READ),
    // To ask who calls it.
    on(group::AUTHENTICATION, &["tokenreviews"], verb::CREATE),
    on(group::AUTHORIZATION, &["subjectaccessreviews"], verb::CREATE),
    // How many volumes a node takes.
    on(group::STORAGE, &["csinodes"], verb::READ),
    on(group::STORAGE, &["volumeattachments"], verb::READ),
    // Affinity selects namespaces by their labels.
    on(group::CORE, &["namespaces"], verb::READ),
    on(group::STORAGE, &["csidrivers"], verb::READ),
    on(group::STORAGE, &["csistoragecapacities"], verb::READ),
    // Devices.
    on(group::RESOURCE, &["deviceclasses"], verb::READ),
    on(group::RESOURCE, &["resourceclaims"], verb::READ_PATCH_UPDATE),
    on(group::RESOURCE, &["resourceclaims/status"], verb::READ_PATCH_UPDATE),
    on(group::CORE, &["pods/finalizers"], verb::UPDATE),
    on(group::RESOURCE, &["resourceslices"], verb::READ),
    // Claims for pods that ask for devices as for any other resource.
    on(group::RESOURCE, &["resourceclaims"], &["create", "delete"]),
    on(group::RESOURCE, &["resourceclaims/binding"], verb::PATCH_UPDATE),
];

const KUBELET_API_ADMIN: &[Rule] = &[
    on(group::CORE, &["nodes"], verb::READ),
    on(group::CORE, &["nodes"], &["proxy"]),
    on(group::CORE, &["nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"], verb::ALL),
    on(group::CORE, &["nodes/configz", "nodes/healthz", "nodes/pods"], verb::ALL),
];

/// What a node may do at most; which objects, the Node authorizer says.
const NODE: &[Rule] = &[
    on(group::AUTHENTICATION, &["tokenreviews"], verb::CREATE),
    on(group::AUTHORIZATION, &["localsubjectaccessreviews", "subjectaccessreviews"], verb::CREATE),
    on(group::CORE, &["services"], verb::READ),
    on(group::CORE, &["nodes"], verb::READ_CREATE),
    on(group::CORE, &["nodes/status"], verb::PATCH_UPDATE),
    on(group::CORE, &["nodes"], verb::PATCH_UPDATE),
    RECORDS_EVENTS,
    on(group::CORE, &["pods"], verb::READ),
    // Mirrors of its static pods.
    on(group::CORE, &["pods"], &["create", "delete"]),
    on(group::CORE, &["pods/status"], verb::PATCH_UPDATE),
    on(group::CORE, &["pods/eviction"], verb::CREATE),
    on(group::CORE, &["configmaps", "secrets"], verb::READ),
    on(group::CORE, &["persistentvolumeclaims", "persistentvolumes"], verb::GET),
    on(group::CORE, &["endpoints"], verb::GET),
    on(group::CERTIFICATES, &["certificatesigningrequests"], verb::READ_CREATE),
    on(group::COORDINATION, &["leases"], verb::OWN_BY_NAME),
    on(group::STORAGE, &["volumeattachments"], verb::GET),
    on(group::CORE, &["serviceaccounts/token"], verb::CREATE),
    on(group::CORE, &["persistentvolumeclaims/status"], &["get", "patch", "update"]),
    on(group::STORAGE, &["csidrivers"], verb::READ),
    on(group::STORAGE, &["csinodes"], verb::OWN_BY_NAME),
    on(group::NODE, &["runtimeclasses"], verb::READ),
    on(group::RESOURCE, &["resourceclaims"], verb::GET),
    on(group::RESOURCE, &["resourceslices"], &["deletecollection"]),
    on(group::CORE, &["serviceaccounts"], verb::GET),
];

const NODE_PROXIER: &[Rule] = &[
    on(group::CORE, &["endpoints", "services"], verb::LIST_WATCH),
    on(group::CORE, &["nodes"], verb::READ),
    RECORDS_EVENTS,
    on(group::NETWORKING, &["servicecidrs"], verb::LIST_WATCH),
    on(group::DISCOVERY, &["endpointslices"], verb::LIST_WATCH),
];

const VOLUME_PROVISIONER: &[Rule] = &[
    on(group::CORE, &["persistentvolumes"], verb::READ_CREATE_DELETE),
    on(group::CORE, &["persistentvolumeclaims"], verb::READ_UPDATE),
    on(group::STORAGE, &["storageclasses"], verb::READ),
    on(group::CORE, &["events"], verb::WATCH),
    RECORDS_EVENTS,
];

/// To approve the requests for one signer.
const fn approves(signer: super::Texts) -> Rule {
    on_named(group::CERTIFICATES, &["signers"], signer, verb::APPROVE)
}

pub(super) const ROLES: &[Role] = &[
    role(
        "system:auth-delegator",
        &[
            on(group::AUTHENTICATION, &["tokenreviews"], verb::CREATE),
            on(group::AUTHORIZATION, &["subjectaccessreviews"], verb::CREATE),
        ],
    ),
    role(
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        &[on(group::CERTIFICATES, &["certificatesigningrequests/nodeclient"], verb::CREATE)],
    ),
    role(
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        &[on(group::CERTIFICATES, &["certificatesigningrequests/selfnodeclient"], verb::CREATE)],
    ),
    role(
        "system:certificates.k8s.io:kube-apiserver-client-approver",
        &[approves(&["kubernetes.io/kube-apiserver-client"])],
    ),
    role(
        "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
        &[approves(&["kubernetes.io/kube-apiserver-client-kubelet"])],
    ),
    role("system:certificates.k8s.io:kubelet-serving-approver", &[approves(&["kubernetes.io/kubelet-serving"])]),
    role("system:certificates.k8s.io:legacy-unknown-approver", &[approves(&["kubernetes.io/legacy-unknown"])]),
    role(
        "system:heapster",
        &[
            on(group::CORE, &["events", "namespaces", "nodes", "pods"], verb::READ),
            on(group::EXTENSIONS, &["deployments"], verb::READ),
        ],
    ),
    role("system:kube-aggregator", &[on(group::CORE, &["endpoints", "services"], verb::READ)]),
    role("system:kube-controller-manager", CONTROLLER_MANAGER),
    role("system:kube-dns", &[on(group::CORE, &["endpoints", "services"], verb::LIST_WATCH)]),
    role("system:kube-scheduler", SCHEDULER),
    role("system:kubelet-api-admin", KUBELET_API_ADMIN),
    role("system:node", NODE),
    role("system:node-bootstrapper", &[on(group::CERTIFICATES, &["certificatesigningrequests"], verb::READ_CREATE)]),
    role(
        "system:node-problem-detector",
        &[on(group::CORE, &["nodes"], verb::GET), on(group::CORE, &["nodes/status"], verb::PATCH), RECORDS_EVENTS],
    ),
    role("system:node-proxier", NODE_PROXIER),
    role("system:persistent-volume-provisioner", VOLUME_PROVISIONER),
    role(
        "system:volume-scheduler",
        &[
            on(group::CORE, &["persistentvolumes"], verb::READ_PATCH_UPDATE),
            on(group::STORAGE, &["storageclasses"], verb::READ),
            on(group::CORE, &["persistentvolumeclaims"], verb::READ_PATCH_UPDATE),
        ],
    ),
];

pub(super) const BINDINGS: &[Binding] = &[
    binding("system:kube-controller-manager", &[Subject::User("system:kube-controller-manager")]),
    binding("system:kube-dns", &[Subject::Account("kube-dns")]),
    binding("system:kube-scheduler", &[Subject::User("system:kube-scheduler")]),
    // Nobody has it: nodes have the Node authorizer.
    binding("system:node", &[]),
    binding("system:node-proxier", &[Subject::User("system:kube-proxy")]),
    binding("system:volume-scheduler", &[Subject::User("system:kube-scheduler")]),
];
