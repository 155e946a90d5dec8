//! Which container of a pod a request is about.

use coracle_api::{ApiError, ApiResult};
use serde_json::Value;

/// The lists of a pod's spec that have containers, in the order in which their names are offered.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The container that is meant: the named one, or the only one beside those that prepare the pod or look into it.
pub(super) fn container(pod_name: &str, pod: &Value, named: Option<&str>) -> ApiResult<String> {
    let names = |list: &'static str| {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers.filter_map(|container| container["name"].as_str())
    };
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let known = LISTS.into_iter().flat_map(names).any(|name| name == named);
        let refusal = || ApiError::bad_request(format!("container {named} is not valid for pod {pod_name}"));
        return known.then(|| named.to_owned()).ok_or_else(refusal);
    }
    let mut main = names("containers");
    match (main.next(), main.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        (None, _) => Err(ApiError::bad_request(format!("a container name must be specified for pod {pod_name}"))),
        _ => {
            let all: Vec<_> = LISTS.into_iter().flat_map(names).collect();
            Err(ApiError::bad_request(format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                all.join(" ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(pod: &Value, named: Option<&str>) -> String {
        container("p", pod, named).unwrap_err().message
    }

    #[test]
    fn the_container_is_the_only_one_or_must_be_named() {
        let one = json!({ "spec": { "containers": [{ "name": "a" }], "initContainers": [{ "name": "first" }] } });
        assert_eq!(container("p", &one, None).unwrap(), "a");
        assert_eq!(container("p", &one, Some("")).unwrap(), "a");
        assert_eq!(container("p", &one, Some("first")).unwrap(), "first");
        assert_eq!(refused(&json!({}), None), "a container name must be specified for pod p");
    }

    #[test]
    fn the_names_of_all_containers_are_offered() {
        let two = json!({
            "metadata": { "annotations": { "kubectl.kubernetes.io/default-container": "a" } },
            "spec": {
                "initContainers": [{ "name": "first" }],
                "containers": [{ "name": "a" }, { "name": "b" }],
                "ephemeralContainers": [{ "name": "debugger" }],
            }
        });
        // The annotation is kubectl's.
        assert_eq!(
            refused(&two, None),
            "a container name must be specified for pod p, choose one of: [first a b debugger]"
        );
        assert_eq!(container("p", &two, Some("debugger")).unwrap(), "debugger");
        assert_eq!(refused(&two, Some("x")), "container x is not valid for pod p");
    }
}
