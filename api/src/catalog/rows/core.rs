//! The rows of the core group.

use super::super::Subresource::{
    Attach, Binding, EphemeralContainers, Eviction, Exec, Finalize, Log, PortForward, Proxy, Resize, Scale, Status,
    Token,
};
use super::{Dependents, NO_COLLECTION, Resource, row};
use crate::kinds::{
    component_status, config, event, limit_range, namespace, node, persistent_volume, pod, pod_template,
    replication_controller, resource_quota, service, volume_claim,
};

fn v1(kind: &'static str, plural: &'static str) -> Resource {
    row("", "v1", kind, plural)
}

pub(super) fn rows() -> Vec<Resource> {
    let mut pods = v1("Pod", "pods").shows_deleted().short(&["po"]).in_all().rules(&pod::RULES);
    pods.graceful = true;
    vec![
        v1("ComponentStatus", "componentstatuses")
            .cluster()
            .short(&["cs"])
            .only(&["get", "list"])
            .rules(&component_status::RULES),
        v1("ConfigMap", "configmaps").short(&["cm"]).rules(&config::CONFIG_MAP),
        v1("Endpoints", "endpoints").short(&["ep"]).rules(&service::ENDPOINTS),
        v1("Event", "events").short(&["ev"]).dependents(Dependents::Ignored).rules(&event::CORE),
        v1("LimitRange", "limitranges").short(&["limits"]).rules(&limit_range::RULES),
        v1("Namespace", "namespaces")
            .cluster()
            .shows_deleted()
            .short(&["ns"])
            .only(NO_COLLECTION)
            .sub(&[Finalize, Status])
            .rules(&namespace::RULES),
        v1("Node", "nodes").cluster().short(&["no"]).sub(&[Proxy, Status]).rules(&node::RULES),
        v1("PersistentVolumeClaim", "persistentvolumeclaims")
            .shows_deleted()
            .short(&["pvc"])
            .sub(&[Status])
            .rules(&volume_claim::RULES),
        v1("PersistentVolume", "persistentvolumes")
            .cluster()
            .shows_deleted()
            .short(&["pv"])
            .sub(&[Status])
            .rules(&persistent_volume::RULES),
        pods.sub(&[Attach, Binding, EphemeralContainers, Eviction, Exec, Log, PortForward, Proxy, Resize, Status]),
        v1("PodTemplate", "podtemplates").shows_deleted().rules(&pod_template::RULES),
        v1("ReplicationController", "replicationcontrollers")
            .dependents(Dependents::Orphaned)
            .short(&["rc"])
            .in_all()
            .sub(&[Scale, Status])
            .rules(&replication_controller::RULES),
        v1("ResourceQuota", "resourcequotas")
            .shows_deleted()
            .short(&["quota"])
            .sub(&[Status])
            .rules(&resource_quota::RULES),
        v1("Secret", "secrets").rules(&config::SECRET),
        v1("ServiceAccount", "serviceaccounts")
            .shows_deleted()
            .short(&["sa"])
            .sub(&[Token])
            .rules(&config::SERVICE_ACCOUNT),
        v1("Service", "services")
            .shows_deleted()
            .short(&["svc"])
            .in_all()
            .sub(&[Proxy, Status])
            .rules(&service::SERVICE),
    ]
}
