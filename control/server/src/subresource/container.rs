//! Which container of a pod a request is about.

use coracle_api::{ApiError, ApiResult};
use serde_json::Value;

/// The container that is meant: the named one, or the only one.
pub(super) fn container(pod_name: &str, pod: &Value, named: Option<&str>) -> ApiResult<String> {
    let names = |list: &str| -> Vec<String> {
        let containers = pod["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default();
        containers.iter().filter_map(|c| Some(c["name"].as_str()?.to_string())).collect()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    match named {
        Some(name) if containers.iter().chain(&init).chain(&names("ephemeralContainers")).any(|c| c == name) => {
            Ok(name.into())
        }
        Some(name) => Err(ApiError::bad_request(format!("container {name} is not valid for pod {pod_name}"))),
        None => match (
            containers.as_slice(),
            pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str(),
        ) {
            ([only], _) if init.is_empty() => Ok(only.clone()),
            (many, Some(default)) if many.iter().any(|c| c == default) => Ok(default.into()),
            ([], _) => Err(ApiError::bad_request(format!("pod {pod_name} has no containers"))),
            (many, _) => {
                let mut choice = format!("choose one of: [{}]", many.join(" "));
                if !init.is_empty() {
                    choice += &format!(" or one of the init containers: [{}]", init.join(" "));
                }
                Err(ApiError::bad_request(format!("a container name must be specified for pod {pod_name}, {choice}")))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_container_is_the_only_one_or_must_be_named() {
        let one = json!({ "spec": { "containers": [{ "name": "a" }] } });
        assert_eq!(container("p", &one, None).unwrap(), "a");
        let two = json!({ "spec": { "containers": [{ "name": "a" }, { "name": "b" }] } });
        assert_eq!(
            container("p", &two, None).unwrap_err().message,
            "a container name must be specified for pod p, choose one of: [a b]"
        );
        assert_eq!(container("p", &two, Some("x")).unwrap_err().message, "container x is not valid for pod p");
    }
}
