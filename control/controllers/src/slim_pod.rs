//! Pods as controllers keep them. There are ten thousand, and most of a pod says what its node has to do.

use coracle_api::pod::is_active;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, PodStatus};

/// The annotation in which kubectl keeps a copy of what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Leaves what controllers read, which is little: most of it of the metadata. A field that is to be read has to be named
/// here.
pub fn slim_pod(pod: &mut Pod) {
    if let Some(annotations) = &mut pod.metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    let ends = !is_active(pod);
    pod.spec = pod.spec.take().map(slim_spec);
    pod.status = pod.status.take().map(|status| slim_status(status, ends));
}

fn slim_spec(spec: PodSpec) -> PodSpec {
    let PodSpec { node_name, hostname, subdomain, tolerations, containers, init_containers, .. } = spec;
    let containers = slim_containers(containers);
    let init_containers = init_containers.map(slim_containers).filter(|all| !all.is_empty());
    PodSpec { node_name, hostname, subdomain, tolerations, containers, init_containers, ..PodSpec::default() }
}

/// Containers are asked for ports by name.
fn slim_containers(mut all: Vec<Container>) -> Vec<Container> {
    all.retain(|container| container.ports.iter().flatten().any(|port| port.name.is_some()));
    let slim = |Container { name, ports, restart_policy, .. }| Container {
        name,
        ports,
        restart_policy,
        ..Container::default()
    };
    all.into_iter().map(slim).collect()
}

/// A Job's policy may ask for any condition of a pod that ends; before that it is readiness that matters.
fn slim_status(status: PodStatus, ends: bool) -> PodStatus {
    let PodStatus { phase, pod_ip, pod_ips, mut conditions, .. } = status;
    if let Some(conditions) = conditions.as_mut().filter(|_| !ends) {
        conditions.retain(|condition| condition.type_ == "Ready");
    }
    let container_statuses = slim_container_statuses(status.container_statuses);
    let init_container_statuses = slim_container_statuses(status.init_container_statuses);
    PodStatus {
        phase,
        pod_ip,
        pod_ips,
        conditions,
        container_statuses,
        init_container_statuses,
        ..PodStatus::default()
    }
}

/// Ends and restarts count; a container that has run without any has nothing to tell.
fn slim_container_statuses(all: Option<Vec<ContainerStatus>>) -> Option<Vec<ContainerStatus>> {
    let is_told = |it: &ContainerStatus| {
        it.restart_count > 0 || it.state.as_ref().is_some_and(|state| state.terminated.is_some())
    };
    let slim = |ContainerStatus { name, restart_count, state, .. }| ContainerStatus {
        name,
        restart_count,
        state,
        ..ContainerStatus::default()
    };
    let told: Vec<_> = all.into_iter().flatten().filter(is_told).map(slim).collect();
    (!told.is_empty()).then_some(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slimmed(pod: serde_json::Value) -> serde_json::Value {
        let mut pod: Pod = serde_json::from_value(pod).unwrap();
        slim_pod(&mut pod);
        serde_json::to_value(pod).unwrap()
    }

    #[test]
    fn what_controllers_read_stays() {
        let container = json!({
            "name": "a", "image": "x", "restartPolicy": "Always", "ports": [{"containerPort": 80, "name": "web"}],
            "resources": {"limits": {"cpu": "1"}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        });
        let status = json!({
            "name": "a", "image": "x", "imageID": "y", "ready": true, "restartCount": 3,
            "resources": {"limits": {"cpu": "1"}}, "state": {"terminated": {"exitCode": 3}},
        });
        let tolerations = json!([{"key": "k", "operator": "Exists"}]);
        let conditions = json!([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "False"}]);
        let pod = |phase: &str| {
            json!({
                "metadata": {"name": "p", "labels": {"a": "b"}, "annotations": {"c": "d", (LAST_APPLIED): "{}"}},
                "spec": {
                    "nodeName": "n", "hostname": "h", "tolerations": tolerations, "restartPolicy": "Never",
                    "containers": [container], "initContainers": [container], "volumes": [{"name": "v", "emptyDir": {}}],
                },
                "status": {
                    "phase": phase, "podIP": "10.0.0.1", "hostIP": "10.0.0.2", "conditions": conditions,
                    "containerStatuses": [status],
                },
            })
        };
        let kept = json!({"name": "a", "restartPolicy": "Always", "ports": [{"containerPort": 80, "name": "web"}]});
        let slim = |phase: &str, conditions: serde_json::Value| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "labels": {"a": "b"}, "annotations": {"c": "d"}},
                "spec": {
                    "nodeName": "n", "hostname": "h", "tolerations": tolerations,
                    "containers": [kept], "initContainers": [kept],
                },
                "status": {"phase": phase, "podIP": "10.0.0.1", "conditions": conditions, "containerStatuses": [{
                    "name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 3,
                    "state": {"terminated": {"exitCode": 3}},
                }]},
            })
        };
        assert_eq!(slimmed(pod("Failed")), slim("Failed", conditions.clone()));
        assert_eq!(slimmed(pod("Running")), slim("Running", json!([conditions[1]])));
    }

    #[test]
    fn containers_that_say_nothing_are_left_out() {
        let status = json!({"name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}});
        let container = json!({"name": "a", "ports": [{"containerPort": 80}]});
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [container]}, "status": {"containerStatuses": [status]}});
        let kept = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": []}, "status": {}});
        assert_eq!(slimmed(pod), kept);
    }
}
