//! The pod's context: what its containers share. Made once it is bound, kept until it is over.

use std::{net::IpAddr, sync::Arc};

use coracle_wasi_host::{PodConfig, PodContext};
use k8s_openapi::api::core::v1::{Pod, PodSpec};

use super::{live::LivePod, resources::memory_limit, runtime::RuntimeError, worker::subject};
use crate::{
    network::{AddressError, Dns, HostPorts, PodNetwork},
    shared::Shared,
    volumes::{Downward, Setting, VOLUMES_DIR, VolumeError, Volumes},
};

/// The longest hostname (RFC 1123; Linux has the same limit less one).
const HOSTNAME_LIMIT: usize = 63;

/// A pod's context and what belongs to it.
pub struct Prepared {
    /// Where its containers start.
    pub context: PodContext,
    /// Its address.
    pub address: IpAddr,
    /// The name it knows itself by.
    pub hostname: String,
    /// Its volumes.
    pub volumes: Volumes,
    /// Ports of the node that lead to it.
    _host_ports: Option<HostPorts>,
}

/// Why a pod has no context.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// no address
    #[error("Failed to create pod sandbox: {0}")]
    Address(#[from] AddressError),
    /// no runtime, or no sandbox by it
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// a volume can't even be found
    #[error(
        "Unable to attach or mount volumes: unmounted volumes=[{volume}], unattached volumes=[], failed to process volumes=[{volume}]: {source}"
    )]
    Unprocessed {
        /// Its name.
        volume: String,
        /// What is wrong.
        #[source]
        source: VolumeError,
    },
    /// a volume is missing
    #[error("MountVolume.SetUp failed for volume {volume:?} : {source}")]
    Volume {
        /// Its name.
        volume: String,
        /// What is wrong.
        #[source]
        source: VolumeError,
    },
}

impl PrepareError {
    /// The event's reason.
    pub fn reason(&self) -> &'static str {
        match self {
            PrepareError::Address(_) | PrepareError::Runtime(_) => "FailedCreatePodSandBox",
            PrepareError::Volume { .. } | PrepareError::Unprocessed { .. } => "FailedMount",
        }
    }
}

/// Makes the context of `pod`. Its address comes first and stays, whatever else fails.
pub async fn prepare(shared: Arc<Shared>, pod: Arc<Pod>, live: Arc<LivePod>) -> Result<Prepared, PrepareError> {
    let spec = pod.spec.clone().unwrap_or_default();
    let address =
        if spec.host_network.unwrap_or(false) { shared.address } else { shared.addresses.allocate(&live.uid)? };
    let volumes = volumes(&shared, &pod, &live, address).await?;
    let hostname = hostname(&spec, &live.name);
    let dns = Dns::of(&spec, &live.namespace, &shared.cluster_domain);
    let names = own_names(&spec, &hostname, address, &live.namespace, &shared.cluster_domain);
    let network = PodNetwork::new(Arc::clone(&shared.services), Arc::clone(&shared.cluster_domain), dns, names);
    let config = PodConfig {
        name: format!("{}/{}", live.namespace, live.name),
        hostname: hostname.clone(),
        address,
        network: Arc::new(network),
        memory_limit_bytes: memory_limit(&pod, &spec),
    };
    let context = shared.runtimes.context(&shared.objects.of(&live.uid), &shared.engine, &spec, config).await?;
    let host_ports = HostPorts::open(&shared.services, &pod, subject(&pod, None), address);
    Ok(Prepared { context, address, hostname, volumes, _host_ports: host_ports })
}

async fn volumes(shared: &Shared, pod: &Arc<Pod>, live: &LivePod, address: IpAddr) -> Result<Volumes, PrepareError> {
    let setting = Setting {
        pod,
        about: Downward { pod, pod_ip: address, host_ip: shared.address, allocatable: &shared.allocatable },
        objects: &shared.objects.of(&live.uid),
        keeper: &shared.volumes,
        dir: &live.dir.join(VOLUMES_DIR),
    };
    Volumes::set_up(&setting).await.map_err(|(volume, source)| {
        let unprocessed = source.is_unprocessed();
        if unprocessed { PrepareError::Unprocessed { volume, source } } else { PrepareError::Volume { volume, source } }
    })
}

fn hostname(spec: &PodSpec, name: &str) -> String {
    let given = spec.hostname_override.as_ref().or(spec.hostname.as_ref()).filter(|hostname| !hostname.is_empty());
    let mut hostname = given.map_or(name, |hostname| hostname).to_owned();
    hostname.truncate(HOSTNAME_LIMIT);
    hostname.trim_end_matches(['-', '.']).to_owned()
}

/// What stands in a pod's `/etc/hosts`: itself, with its full name if it has a subdomain, and `hostAliases`.
fn own_names(spec: &PodSpec, hostname: &str, address: IpAddr, namespace: &str, domain: &str) -> Vec<(String, IpAddr)> {
    let mut names = vec![(hostname.to_ascii_lowercase(), address)];
    if let Some(subdomain) = spec.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty()) {
        names.push((format!("{hostname}.{subdomain}.{namespace}.svc.{domain}").to_ascii_lowercase(), address));
    }
    for alias in spec.host_aliases.iter().flatten() {
        let Ok(address) = alias.ip.parse() else { continue };
        names.extend(alias.hostnames.iter().flatten().map(|name| (name.to_ascii_lowercase(), address)));
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    }

    #[test]
    fn the_memory_limit_is_the_pods_own_or_the_sum_of_all() {
        let limit = |spec| {
            let pod = pod(spec);
            memory_limit(&pod, pod.spec.as_ref().unwrap())
        };
        let with = json!({"name": "a", "resources": {"limits": {"memory": "1Ki"}}});
        assert_eq!(limit(json!({"containers": [with, {"name": "b"}]})), None);
        assert_eq!(limit(json!({"containers": [with, with]})), Some(2048));
        assert_eq!(
            limit(json!({"containers": [with, {"name": "b"}], "resources": {"limits": {"memory": "4Ki"}}})),
            Some(4096)
        );
    }

    #[test]
    fn a_pod_knows_its_names() {
        let spec = pod(json!({"containers": [], "hostname": "web-0", "subdomain": "web",
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["Db", "db.local"]}]}));
        let spec = spec.spec.unwrap();
        assert_eq!(hostname(&spec, "pod"), "web-0");
        assert_eq!(hostname(&PodSpec::default(), &format!("{}-x", "a".repeat(62))), "a".repeat(62));
        let names = own_names(&spec, "web-0", "127.64.0.2".parse().unwrap(), "shop", "cluster.local");
        let names: Vec<_> = names.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["web-0", "web-0.web.shop.svc.cluster.local", "db", "db.local"]);
    }
}
