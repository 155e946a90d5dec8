//! What events about resizes say: kubelet's words, with what the pod asks for.

use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_containers: Vec<Resources<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<Resources<'a>>,
    generation: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Resources<'a> {
    name: &'a str,
    resources: ResourceRequirements,
}

/// `Pod resize started: {…}`: what happens, and to what.
pub fn note(what: &str, pod: &Pod, error: Option<&str>) -> String {
    let spec = pod.spec.as_ref();
    let summary = Summary {
        init_containers: spec.iter().flat_map(|spec| spec.init_containers.iter().flatten()).map(of).collect(),
        containers: spec.iter().flat_map(|spec| &spec.containers).map(of).collect(),
        generation: pod.metadata.generation.unwrap_or_default(),
        error,
    };
    serde_json::to_string(&summary).map_or_else(|_| what.to_owned(), |summary| format!("{what}: {summary}"))
}

fn of(container: &Container) -> Resources<'_> {
    Resources { name: &container.name, resources: container.resources.clone().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn notes_are_kubelets() {
        let resources = json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "100m", "memory": "100"}});
        let spec = json!({"containers": [{"name": "c0", "resources": resources}]});
        let pod: Pod = serde_json::from_value(json!({"metadata": {"generation": 1}, "spec": spec})).unwrap();
        assert_eq!(
            note("Pod resize Deferred", &pod, Some("Node didn't have enough resource: memory")),
            r#"Pod resize Deferred: {"containers":[{"name":"c0","resources":{"limits":{"cpu":"100m","memory":"100"},"requests":{"cpu":"100m"}}}],"generation":1,"error":"Node didn't have enough resource: memory"}"#
        );
        assert_eq!(note("Pod resize started", &Pod::default(), None), r#"Pod resize started: {"generation":0}"#);
    }
}
