//! The path segments below an object: their names, verbs and kinds.

use super::{Resource, Verb};

/// A path segment below an object. A row lists the ones that the server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subresource {
    /// `status`: written by the controller of the object, not by its author.
    Status,
    /// `scale`: `autoscaling/v1 Scale` view of a replica count.
    Scale,
    /// `binding` of a pod: `v1 Binding` assigns it to a node.
    Binding,
    /// `log` of a pod.
    Log,
    /// `finalize` of a namespace: replaces `spec.finalizers`.
    Finalize,
    /// `eviction` of a pod: `policy/v1 Eviction`, a deletion that disruption budgets can refuse.
    Eviction,
    /// `ephemeralcontainers` of a pod: adds containers to a pod that runs (KEP-277).
    EphemeralContainers,
    /// `resize` of a pod: changes the resources of its containers in place (KEP-1287).
    Resize,
    /// `attach` to a container of a pod.
    Attach,
    /// `exec` in a container of a pod.
    Exec,
    /// `portforward` to a pod.
    PortForward,
    /// `proxy` to what listens on a node, a pod or a Service.
    Proxy,
    /// `token` of a service account: `authentication.k8s.io/v1 TokenRequest`.
    Token,
    /// `approval` of a certificate signing request: its `Approved` and `Denied` conditions.
    Approval,
}

/// What connects a client with something that runs.
const CONNECT: &[Verb] = &["create", "get"];
/// A proxy passes every method on.
const EVERY_METHOD: &[Verb] = &["create", "delete", "get", "patch", "update"];

impl Subresource {
    /// The path segment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Binding => "binding",
            Self::Log => "log",
            Self::Finalize => "finalize",
            Self::Eviction => "eviction",
            Self::EphemeralContainers => "ephemeralcontainers",
            Self::Resize => "resize",
            Self::Attach => "attach",
            Self::Exec => "exec",
            Self::PortForward => "portforward",
            Self::Proxy => "proxy",
            Self::Token => "token",
            Self::Approval => "approval",
        }
    }

    /// The verbs discovery lists.
    pub fn verbs(self) -> &'static [Verb] {
        match self {
            Self::Status | Self::Scale | Self::EphemeralContainers | Self::Resize | Self::Approval => {
                &["get", "patch", "update"]
            }
            Self::Binding | Self::Eviction | Self::Token => &["create"],
            Self::Log => &["get"],
            Self::Finalize => &["update"],
            Self::Attach | Self::Exec | Self::PortForward => CONNECT,
            Self::Proxy => EVERY_METHOD,
        }
    }

    /// Group, version and kind of what it takes and returns, below an object of this row.
    pub fn kind(self, resource: &Resource) -> [String; 3] {
        let of = |group: &str, version: &str, kind: &str| [group.into(), version.into(), kind.into()];
        match self {
            Self::Scale => of("autoscaling", "v1", "Scale"),
            Self::Binding => of("", "v1", "Binding"),
            Self::Eviction => of("policy", "v1", "Eviction"),
            Self::Token => of("authentication.k8s.io", "v1", "TokenRequest"),
            Self::Attach => of("", "v1", "PodAttachOptions"),
            Self::Exec => of("", "v1", "PodExecOptions"),
            Self::PortForward => of("", "v1", "PodPortForwardOptions"),
            Self::Proxy => of("", "v1", &format!("{}ProxyOptions", resource.kind)),
            Self::Status | Self::Log | Self::Finalize | Self::EphemeralContainers | Self::Resize | Self::Approval => {
                of(&resource.group, &resource.version, &resource.kind)
            }
        }
    }
}
