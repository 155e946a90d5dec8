//! Pods as controllers keep them. There are ten thousand, and most of a pod says what its node has to do.

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};

/// Takes out what no controller reads: of containers, all but name, ports and restart policy; volumes; of statuses,
/// what is about images and resources.
pub fn slim_pod(pod: &mut Pod) {
    if let Some(spec) = &mut pod.spec {
        for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
            slim_container(container);
        }
        spec.volumes = None;
        spec.ephemeral_containers = None;
        spec.affinity = None;
        spec.topology_spread_constraints = None;
        spec.security_context = None;
        spec.dns_config = None;
    }
    if let Some(status) = &mut pod.status {
        let lists = [&mut status.container_statuses, &mut status.init_container_statuses];
        lists.into_iter().flatten().flatten().for_each(slim_status);
        status.ephemeral_container_statuses = None;
        status.host_ips = None;
    }
}

fn slim_container(container: &mut Container) {
    let Container { name, ports, restart_policy, .. } = std::mem::take(container);
    *container = Container { name, ports, restart_policy, ..Container::default() };
}

fn slim_status(status: &mut ContainerStatus) {
    let ContainerStatus { name, ready, started, restart_count, state, last_state, .. } = std::mem::take(status);
    *status = ContainerStatus { name, ready, started, restart_count, state, last_state, ..ContainerStatus::default() };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "labels": {"a": "b"}},
            "spec": {
                "nodeName": "n", "hostname": "h", "tolerations": tolerations, "restartPolicy": "Never",
                "containers": [container], "initContainers": [container], "volumes": [{"name": "v", "emptyDir": {}}],
            },
            "status": {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [status]},
        }))
        .unwrap();
        slim_pod(&mut pod);
        let kept = json!({"name": "a", "restartPolicy": "Always", "ports": [{"containerPort": 80, "name": "web"}]});
        assert_eq!(
            serde_json::to_value(pod).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}},
                "spec": {
                    "nodeName": "n", "hostname": "h", "tolerations": tolerations, "restartPolicy": "Never",
                    "containers": [kept], "initContainers": [kept],
                },
                "status": {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{
                    "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 3,
                    "state": {"terminated": {"exitCode": 3}},
                }]},
            })
        );
    }
}
