//! Which changes of an object may give something back. What takes more is counted by the server as it admits it.

use coracle_api::pod::is_terminal;
use coracle_api::quota::usage;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, ResourceRequirements, Service};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::json;
use std::collections::BTreeMap;

/// Whether a pod may cost less. One that has ended gives back what it had; one whose resources were made smaller does so
/// when its containers have less.
pub(super) fn pod_gives_back(old: &Pod, new: &Pod) -> bool {
    let ended = is_terminal(new) && !is_terminal(old);
    let asked = old.metadata.generation != new.metadata.generation;
    ended || asked || !resources(old).eq(resources(new))
}

/// What a container has, and what it was granted.
type Resources<'a> = (&'a str, Option<&'a ResourceRequirements>, Option<&'a BTreeMap<String, Quantity>>);

/// Of the containers of which it is known: of those whose resources are changing (see
/// [`slim_pod`](crate::slim_pod::slim_pod)).
fn resources(pod: &Pod) -> impl Iterator<Item = Resources<'_>> {
    let status = pod.status.iter();
    let all = status.flat_map(|status| [&status.container_statuses, &status.init_container_statuses]);
    let resources = all.flatten().flatten().map(|ContainerStatus { name, resources, allocated_resources, .. }| {
        (name.as_str(), resources.as_ref(), allocated_resources.as_ref())
    });
    resources.filter(|(_, has, granted)| has.is_some() || granted.is_some())
}

/// Whether a service takes less of anything: it is of another type, or has fewer ports.
pub(super) fn service_gives_back(old: &Service, new: &Service) -> bool {
    if old.spec == new.spec {
        return false;
    }
    let cost = |service: &Service| usage("services", &json!(service), Timestamp::now());
    let (before, after) = (cost(old), cost(new));
    before.iter().any(|(name, amount)| after.get(name).copied().unwrap_or_default() < *amount)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::slim_pod::slim_pod;

    fn pod(generation: i64, wants: &str, has: Value) -> Pod {
        let mut pod = serde_json::from_value(json!({
            "metadata": { "name": "p", "generation": generation },
            "spec": { "containers": [{ "name": "a", "resources": { "requests": { "cpu": wants } } }] },
            "status": { "containerStatuses": [
                { "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0, "resources": has },
            ] },
        }))
        .unwrap();
        slim_pod(&mut pod);
        pod
    }

    #[test]
    fn a_pod_gives_back_when_its_containers_have_less() {
        let has = |cpu: &str| json!({ "requests": { "cpu": cpu } });
        let (new, started, restarted) = (pod(1, "2", Value::Null), pod(1, "2", has("2")), pod(1, "2", has("2000m")));
        assert!(!pod_gives_back(&new, &started) && !pod_gives_back(&started, &restarted));
        let (asked, done) = (pod(2, "1", has("2")), pod(2, "1", has("1")));
        assert!(pod_gives_back(&started, &asked));
        assert!(!pod_gives_back(&asked, &asked));
        assert!(pod_gives_back(&asked, &done), "the node has given it back");
        let mut ended = done.clone();
        ended.status.get_or_insert_default().phase = Some("Succeeded".into());
        assert!(pod_gives_back(&done, &ended) && !pod_gives_back(&ended, &ended));
    }

    #[test]
    fn a_service_gives_back_what_its_new_type_does_not_take() {
        let service = |kind: &str, ports: &[i32]| -> Service {
            let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
            serde_json::from_value(json!({ "spec": { "type": kind, "ports": ports } })).unwrap()
        };
        for (old, new, gives) in [
            (service("NodePort", &[1]), service("ClusterIP", &[1]), true),
            (service("LoadBalancer", &[1]), service("NodePort", &[1]), true),
            (service("NodePort", &[1, 2]), service("NodePort", &[1]), true),
            (service("ClusterIP", &[1, 2]), service("ClusterIP", &[1]), false),
            (service("NodePort", &[1]), service("LoadBalancer", &[1]), false),
        ] {
            assert_eq!(service_gives_back(&old, &new), gives, "{old:?}");
        }
    }
}
