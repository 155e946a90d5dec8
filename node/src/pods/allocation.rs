//! What the node has let a pod have (its allocation), where that is not what its spec asks for by now (KEP-1287).

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, ResourceRequirements};

use super::{
    record::Record,
    restore::restore,
    roster::{Asked, asked},
};

/// Requirements, unless there are none.
pub fn some(requirements: Option<&ResourceRequirements>) -> Option<Box<ResourceRequirements>> {
    requirements.filter(|it| **it != ResourceRequirements::default()).cloned().map(Box::new)
}

/// The pod as it has been let have: `whole` as a whole, its containers what their records say.
pub fn as_allocated(pod: &Pod, whole: Option<&ResourceRequirements>, records: &[Record]) -> Pod {
    let mut pod = pod.clone();
    let Some(spec) = &mut pod.spec else { return pod };
    spec.resources = whole.cloned();
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        if let Some(record) = records.iter().find(|record| record.name == container.name) {
            container.resources = record.allocated.as_deref().cloned();
        }
    }
    pod
}

/// What a pod has that the node sees for the first time: what its status says of an earlier life of the node, otherwise
/// what it asks for.
pub fn found_allocated(pod: &Pod) -> Asked {
    let has_past = pod.status.as_ref().is_some_and(|status| status.container_statuses.is_some());
    if !has_past {
        return asked(pod);
    }
    let records = restore(pod);
    let spec = pod.spec.as_ref();
    let asked_for = |record: &Record| some(record.spec(spec?)?.resources.as_ref());
    let whole = found_whole(pod);
    let is_same = records.iter().all(|record| record.allocated == asked_for(record))
        && whole == some(spec.and_then(|spec| spec.resources.as_ref()));
    if is_same { asked(pod) } else { asked(&as_allocated(pod, whole.as_deref(), &records)) }
}

/// What the pod has been let have as a whole, by its status or else by its spec.
pub fn found_whole(pod: &Pod) -> Option<Box<ResourceRequirements>> {
    let wanted = some(pod.spec.as_ref()?.resources.as_ref())?;
    Some(some(pod.status.as_ref().and_then(|status| status.resources.as_ref())).unwrap_or(wanted))
}

/// What a container has been let have, by its status. One that has not run shows its requests only; what limits it has
/// is then what its spec says.
pub fn found_of(status: &ContainerStatus, wanted: Option<&ResourceRequirements>) -> Option<Box<ResourceRequirements>> {
    match (&status.resources, &status.allocated_resources) {
        (Some(actual), _) => some(Some(actual)),
        (None, Some(requests)) => {
            let wanted = wanted.cloned().unwrap_or_default();
            some(Some(&ResourceRequirements { requests: Some(requests.clone()), ..wanted }))
        }
        (None, None) => some(wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        let resources = json!({"requests": {"cpu": "3"}, "limits": {"cpu": "4"}});
        let spec =
            json!({"containers": [{"name": "a", "resources": resources}, {"name": "b", "resources": resources}]});
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec, "status": status})).unwrap()
    }

    fn status(state: Value, more: Value) -> Value {
        let mut status =
            json!({"name": "a", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": state});
        status.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        json!({"containerStatuses": [status]})
    }

    #[test]
    fn a_new_pod_has_what_it_asks_for_and_a_known_one_what_it_was_given() {
        assert_eq!(found_allocated(&pod(json!({})))[0], 6000);
        let running = status(json!({"running": {}}), json!({"resources": {"requests": {"cpu": "1"}}}));
        assert_eq!(found_allocated(&pod(running))[0], 4000);
        let waiting = pod(status(json!({"waiting": {"reason": "x"}}), json!({"allocatedResources": {"cpu": "2"}})));
        assert_eq!(found_allocated(&waiting)[0], 5000);
        let record = restore(&waiting).remove(0);
        assert_eq!(record.allocated.unwrap().limits.unwrap()["cpu"].0, "4");
    }

    #[test]
    fn the_pod_as_a_whole_counts_before_its_containers() {
        let mut pod = pod(status(json!({"running": {}}), json!({})));
        let whole = |cpu: &str| Some(serde_json::from_value(json!({"requests": {"cpu": cpu}})).unwrap());
        pod.spec.as_mut().unwrap().resources = whole("9");
        assert_eq!(found_allocated(&pod)[0], 9000);
        pod.status.as_mut().unwrap().resources = whole("8");
        assert_eq!(found_allocated(&pod)[0], 8000);
    }
}
