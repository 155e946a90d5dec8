//! The pod's context: what its containers share. Made once it is bound, kept until it is over.

use std::{net::IpAddr, sync::Arc};

use coracle_wasi_host::{PodConfig, PodContext};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use rustix::system::uname;

use super::{
    full_name::{NameError, called, domain},
    live::LivePod,
    resources::pod_limits,
    runtime::RuntimeError,
    worker::subject,
};
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
    /// Its name among those of its domain.
    pub hostname: String,
    /// Its domain.
    pub domain: Option<String>,
    /// The name it knows itself by.
    pub called: String,
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
    /// a name that is too long for a machine
    #[error("Failed to create pod sandbox: {0}")]
    Name(#[from] NameError),
    /// a persistent volume can't be mounted
    #[error(transparent)]
    Persistent(VolumeError),
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
            PrepareError::Address(_) | PrepareError::Name(_) | PrepareError::Runtime(_) => "FailedCreatePodSandBox",
            PrepareError::Volume { .. } | PrepareError::Persistent(_) | PrepareError::Unprocessed { .. } => {
                "FailedMount"
            }
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
    let domain = domain(&spec, &live.namespace, &shared.cluster_domain);
    let called = called(&spec, &hostname, domain.as_deref())?;
    let names = own_names(&spec, &hostname, domain.as_deref(), address);
    let network = PodNetwork::new(Arc::clone(&shared.services), Arc::clone(&shared.cluster_domain), dns, names);
    let config = PodConfig {
        name: format!("{}/{}", live.namespace, live.name),
        hostname: hostname.clone(),
        address,
        network: Arc::new(network),
        limits: pod_limits(&pod, &spec),
    };
    let context = shared.runtimes.context(&shared.objects.of(&live.uid), &shared.engine, &spec, config).await?;
    let host_ports = HostPorts::open(&shared.services, &pod, subject(&pod, None), address);
    Ok(Prepared { context, address, hostname, domain, called, volumes, _host_ports: host_ports })
}

async fn volumes(shared: &Shared, pod: &Arc<Pod>, live: &LivePod, address: IpAddr) -> Result<Volumes, PrepareError> {
    let setting = Setting {
        pod,
        about: Downward { pod, pod_ip: address, host_ip: shared.address, allocatable: &shared.allocatable },
        objects: &shared.objects.of(&live.uid),
        keeper: &shared.volumes,
        dir: &live.dir.join(VOLUMES_DIR),
    };
    Volumes::set_up(&setting).await.map_err(|(volume, source)| match source {
        VolumeError::Claim(_) => PrepareError::Unprocessed { volume, source },
        VolumeError::Persistent { .. } => PrepareError::Persistent(source),
        _ => PrepareError::Volume { volume, source },
    })
}

/// The name a pod knows itself by. One of the node's network has the node's, unless the override says otherwise.
fn hostname(spec: &PodSpec, name: &str) -> String {
    if spec.host_network == Some(true) && spec.hostname_override.is_none() {
        return uname().nodename().to_string_lossy().into_owned();
    }
    let given = spec.hostname_override.as_ref().or(spec.hostname.as_ref()).filter(|hostname| !hostname.is_empty());
    let mut hostname = given.map_or(name, |hostname| hostname).to_owned();
    hostname.truncate(HOSTNAME_LIMIT);
    hostname.trim_end_matches(['-', '.']).to_owned()
}

/// What stands in a pod's `/etc/hosts`: itself, with its full name if it has a domain, and `hostAliases`.
fn own_names(spec: &PodSpec, hostname: &str, domain: Option<&str>, address: IpAddr) -> Vec<(String, IpAddr)> {
    let mut names = vec![(hostname.to_ascii_lowercase(), address)];
    names.extend(domain.map(|domain| (format!("{hostname}.{domain}").to_ascii_lowercase(), address)));
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
    fn a_pod_knows_its_names() {
        let spec = pod(json!({"containers": [], "hostname": "web-0", "subdomain": "web",
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["Db", "db.local"]}]}));
        let spec = spec.spec.unwrap();
        assert_eq!(hostname(&spec, "pod"), "web-0");
        let in_the_nodes = |spec: &PodSpec| PodSpec { host_network: Some(true), ..spec.clone() };
        assert_eq!(hostname(&in_the_nodes(&spec), "pod"), uname().nodename().to_string_lossy());
        let overridden = PodSpec { hostname_override: Some("own".into()), ..in_the_nodes(&spec) };
        assert_eq!(hostname(&overridden, "pod"), "own");
        assert_eq!(hostname(&PodSpec::default(), &format!("{}-x", "a".repeat(62))), "a".repeat(62));
        let domain = domain(&spec, "shop", "cluster.local");
        let names = own_names(&spec, "web-0", domain.as_deref(), "127.64.0.2".parse().unwrap());
        let names: Vec<_> = names.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["web-0", "web-0.web.shop.svc.cluster.local", "db", "db.local"]);
    }
}
