//! A Service's ports as one pod has them: named target ports are looked up in its containers.

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointPort;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The ports of `pod` behind `service`. A port whose name the pod's containers do not have is left out, so that pods
/// of different versions end up in different slices.
pub fn of_pod(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let ports = service.spec.as_ref().and_then(|s| s.ports.as_deref()).unwrap_or_default();
    ports
        .iter()
        .filter_map(|port| {
            Some(EndpointPort {
                name: Some(port.name.clone().unwrap_or_default()),
                protocol: Some(protocol(port).to_owned()),
                port: Some(target(port, pod)?),
                app_protocol: port.app_protocol.clone(),
            })
        })
        .collect()
}

fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().filter(|p| !p.is_empty()).unwrap_or("TCP")
}

fn target(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) if name.is_empty() => Some(port.port),
        Some(IntOrString::String(name)) => {
            let spec = pod.spec.as_ref()?;
            let sidecars = spec.init_containers.iter().flatten().filter(|c| coracle_api::pod::is_sidecar(c));
            spec.containers.iter().chain(sidecars).flat_map(|c| c.ports.iter().flatten()).find_map(|candidate| {
                let same_protocol = candidate.protocol.as_deref().unwrap_or("TCP") == protocol(port);
                (candidate.name.as_deref() == Some(name) && same_protocol).then_some(candidate.container_port)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_names_and_defaults() {
        let service: Service = serde_json::from_value(json!({"spec": {"ports": [
            {"name": "a", "port": 80, "targetPort": 8080},
            {"name": "b", "port": 81, "targetPort": "web"},
            {"name": "c", "port": 82},
            {"name": "d", "port": 83, "targetPort": "absent"},
            {"name": "e", "port": 84, "protocol": "UDP", "targetPort": "web"},
        ]}}))
        .unwrap();
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [
            {"name": "c", "ports": [{"name": "web", "containerPort": 9000}]}]}}))
        .unwrap();
        let ports = of_pod(&service, &pod);
        let numbers: Vec<_> = ports.iter().map(|p| (p.name.as_deref().unwrap(), p.port.unwrap())).collect();
        assert_eq!(numbers, [("a", 8080), ("b", 9000), ("c", 82)]);
    }
}
