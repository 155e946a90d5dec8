//! A pod's domain and the name it knows itself by (`subdomain`, `setHostnameAsFQDN`, `hostnameOverride`), as kubelet
//! makes them.

use k8s_openapi::api::core::v1::PodSpec;

/// The longest name of a machine (Linux: `__NEW_UTS_LEN`).
const NAME_LIMIT: usize = 64;

/// The pod's full name can't be a machine's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long ({NAME_LIMIT} characters is the max, {length} characters requested)",
    length = name.len()
)]
pub struct NameError {
    name: String,
}

/// The domain of a pod that has a subdomain. A name that overrides all others is whole by itself.
pub fn domain(spec: &PodSpec, namespace: &str, cluster_domain: &str) -> Option<String> {
    let subdomain = spec.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty())?;
    spec.hostname_override.is_none().then(|| format!("{subdomain}.{namespace}.svc.{cluster_domain}"))
}

/// What the pod's programs are told they are called: `HOSTNAME` and `/etc/hostname`, the places where they would find
/// the name that the kernel of a Linux container has. That of the node's network is the node's.
pub fn called(spec: &PodSpec, hostname: &str, domain: Option<&str>) -> Result<String, NameError> {
    let domain = domain.filter(|_| spec.set_hostname_as_fqdn == Some(true) && spec.host_network != Some(true));
    let Some(domain) = domain else { return Ok(hostname.to_owned()) };
    let name = format!("{hostname}.{domain}");
    if name.len() > NAME_LIMIT { Err(NameError { name }) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_full_name_is_told_where_it_is_wanted() {
        let called = |spec: serde_json::Value| {
            let mut spec = spec;
            spec["containers"] = json!([]);
            let spec: PodSpec = serde_json::from_value(spec).unwrap();
            let domain = domain(&spec, "shop", "cluster.local");
            called(&spec, "web-0", domain.as_deref()).map_err(|error| error.to_string())
        };
        assert_eq!(called(json!({"setHostnameAsFQDN": true})), Ok("web-0".into()));
        assert_eq!(called(json!({"subdomain": "web"})), Ok("web-0".into()));
        let full = called(json!({"subdomain": "web", "setHostnameAsFQDN": true}));
        assert_eq!(full, Ok("web-0.web.shop.svc.cluster.local".into()));
        let overridden = json!({"subdomain": "web", "setHostnameAsFQDN": true, "hostnameOverride": "x"});
        assert_eq!(called(overridden), Ok("web-0".into()));
        let long = json!({"subdomain": "w".repeat(40), "setHostnameAsFQDN": true});
        assert_eq!(
            called(long).unwrap_err(),
            format!(
                "failed to construct FQDN from pod hostname and cluster domain, FQDN web-0.{}.shop.svc.cluster.local is too long (64 characters is the max, 69 characters requested)",
                "w".repeat(40)
            )
        );
    }
}
