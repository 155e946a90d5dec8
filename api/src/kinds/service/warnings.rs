//! What is odd about a Service that is taken as it is.

use serde_json::Value;

use crate::kinds::ip::address_warning;
use crate::kinds::json::{text, texts};
use crate::meta;

pub(super) fn warnings(service: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if meta::annotations(service).contains_key("service.kubernetes.io/topology-aware-hints") {
        let text = "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use \
                    service.kubernetes.io/topology-mode instead";
        found.push(text.to_string());
    }
    let headless = text(service, "spec.clusterIP") == "None" && text(service, "spec.type") == "ClusterIP";
    let external = !texts(service, "spec.externalIPs").is_empty();
    let addresses = |field: &str| -> Vec<String> {
        let all = texts(service, &format!("spec.{field}")).into_iter().enumerate();
        all.filter_map(|(index, address)| address_warning(&format!("spec.{field}[{index}]"), address)).collect()
    };
    found.extend(addresses("clusterIPs"));
    if headless {
        for (field, is_set) in [
            ("loadBalancerIP", !text(service, "spec.loadBalancerIP").is_empty()),
            ("externalIPs", external),
            ("SessionAffinity", !matches!(text(service, "spec.sessionAffinity"), "" | "None")),
        ] {
            found.extend(is_set.then(|| format!("spec.{field} is ignored for headless services")));
        }
    }
    found.extend(addresses("externalIPs"));
    found.extend(address_warning("spec.loadBalancerIP", text(service, "spec.loadBalancerIP")));
    let named = text(service, "spec.type") == "ExternalName";
    if named && external {
        found.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_string());
    }
    if !named && !text(service, "spec.externalName").is_empty() {
        found.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_string());
    }
    if text(service, "spec.trafficDistribution") == "PreferClose" {
        found.push("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_string());
    }
    found
}
