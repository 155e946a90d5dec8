//! Pods as controllers keep them. There are ten thousand, and most of a pod says what its node has to do.

use coracle_api::pod::{ResourceList, is_active, read_list};
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
    let spec = pod.spec.take();
    pod.status = pod.status.take().map(|status| slim_status(status, spec.as_ref(), ends));
    pod.spec = spec.map(slim_spec);
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
fn slim_status(status: PodStatus, spec: Option<&PodSpec>, ends: bool) -> PodStatus {
    let PodStatus { phase, pod_ip, pod_ips, mut conditions, .. } = status;
    if let Some(conditions) = conditions.as_mut().filter(|_| !ends) {
        conditions.retain(|condition| condition.type_ == "Ready");
    }
    let container_statuses = slim_container_statuses(status.container_statuses, spec);
    let init_container_statuses = slim_container_statuses(status.init_container_statuses, spec);
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

/// Ends and restarts count, and resources that are changing; a container that has run without any has nothing to tell.
fn slim_container_statuses(all: Option<Vec<ContainerStatus>>, spec: Option<&PodSpec>) -> Option<Vec<ContainerStatus>> {
    let is_told = |it: &ContainerStatus| {
        let ended = it.state.as_ref().is_some_and(|state| state.terminated.is_some());
        it.restart_count > 0 || ended || it.resources.is_some() || it.allocated_resources.is_some()
    };
    let slim = |status: ContainerStatus| {
        let ContainerStatus { name, restart_count, state, resources, allocated_resources, .. } =
            without_settled_resources(status, spec);
        ContainerStatus { name, restart_count, state, resources, allocated_resources, ..ContainerStatus::default() }
    };
    let told: Vec<_> = all.into_iter().flatten().map(slim).filter(is_told).collect();
    (!told.is_empty()).then_some(told)
}

/// What a container has is worth keeping only while it is something else than what it is to have.
fn without_settled_resources(mut status: ContainerStatus, spec: Option<&PodSpec>) -> ContainerStatus {
    if status.resources.is_none() && status.allocated_resources.is_none() {
        return status;
    }
    let (requests, limits) = wanted(spec, &status.name);
    status.resources = status
        .resources
        .filter(|has| read_list(has.requests.as_ref()) != requests || read_list(has.limits.as_ref()) != limits);
    status.allocated_resources = status.allocated_resources.filter(|granted| read_list(Some(granted)) != requests);
    status
}

/// The requests and limits of a container, by its name.
fn wanted(spec: Option<&PodSpec>, name: &str) -> (ResourceList, ResourceList) {
    let all = spec.into_iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let resources = all.into_iter().find(|container| container.name == name).and_then(|it| it.resources.as_ref());
    let requests = read_list(resources.and_then(|it| it.requests.as_ref()));
    (requests, read_list(resources.and_then(|it| it.limits.as_ref())))
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

    #[test]
    fn what_a_container_has_stays_while_it_is_to_have_something_else() {
        let has = |wants: &str, has: &str| {
            let container = json!({"name": "a", "resources": {"requests": {"cpu": wants}}});
            let status = json!({
                "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                "resources": {"requests": {"cpu": has}}, "allocatedResources": {"cpu": "1"},
            });
            slimmed(json!({"spec": {"containers": [container]}, "status": {"containerStatuses": [status]}}))["status"]
                .take()
        };
        assert_eq!(has("1000m", "1"), json!({}));
        let kept = &has("1", "2")["containerStatuses"][0];
        assert_eq!((&kept["resources"], kept.get("allocatedResources")), (&json!({"requests": {"cpu": "2"}}), None));
        let kept = &has("2", "2")["containerStatuses"][0];
        assert_eq!((kept.get("resources"), &kept["allocatedResources"]), (None, &json!({"cpu": "1"})));
    }
}
