//! What this implementation adds: rights that its nodes need beside kubelet's, and the way in for new nodes, which elsewhere
//! the tool makes that sets up the cluster (kubeadm, `phases/bootstraptoken/node`).

use super::words::{group, verb};
use super::{Binding, Role, Subject, on, role};

const NODES: Subject = Subject::Group("system:nodes");
/// Bootstrap tokens that are for joining nodes say so with this group, as kubeadm's do; others (`system:bootstrappers`
/// alone) open nothing.
const NEWCOMERS: Subject = Subject::Group("system:bootstrappers:kubeadm:default-node-token");

/// A node serves its Services' addresses itself (elsewhere kube-proxy's work): it learns nothing of other nodes by that.
pub(super) const ROLES: &[Role] = &[role(
    "coracle:node-network",
    &[
        on(group::DISCOVERY, &["endpointslices"], verb::LIST_WATCH),
        on(group::NETWORKING, &["servicecidrs"], verb::READ),
    ],
)];

pub(super) const BINDINGS: &[Binding] = &[
    Binding { name: "coracle:node-network", role: "coracle:node-network", subjects: &[NODES] },
    Binding { name: "coracle:node-bootstrapper", role: "system:node-bootstrapper", subjects: &[NEWCOMERS] },
    Binding {
        name: "coracle:node-autoapprove-bootstrap",
        role: "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        subjects: &[NEWCOMERS],
    },
    Binding {
        name: "coracle:node-autoapprove-certificate-rotation",
        role: "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        subjects: &[NODES],
    },
];

/// A node tells its clients' certificates by what the cluster publishes.
pub(super) const NAMESPACED_BINDINGS: &[(&str, Binding)] = &[(
    "kube-system",
    Binding {
        name: "coracle:node-authentication-reader",
        role: "extension-apiserver-authentication-reader",
        subjects: &[NODES],
    },
)];
