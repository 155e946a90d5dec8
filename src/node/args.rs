//! Flags of `coracle node`, under the names that kubelet has for them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use coracle_node::ServeConfig;
use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::Taint;

use crate::cluster::{self, NodeArgs};

/// The kubelet's port.
const DEFAULT_PORT: u16 = 10250;
/// What a taint may do.
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// How a node joins.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The cluster, and as whom the node speaks to it: a user with a node's rights. Written by a bootstrap.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: PathBuf,
    /// The cluster, and a user who may ask for the node's certificate (a bootstrap token): used when the kubeconfig is not
    /// there, or has no client certificate that counts [default: none].
    #[arg(long, value_name = "FILE")]
    pub bootstrap_kubeconfig: Option<PathBuf>,
    /// Whether the node asks for a new client certificate before its own ends.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set,
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub rotate_certificates: bool,
    /// Whether the node asks the cluster for the certificate of its own API, and for a new one before that ends. Somebody
    /// has to approve the requests.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", conflicts_with = "tls_cert_file")]
    pub rotate_server_certificates: bool,
    /// Where everything of the node is kept [default: /var/lib/coracle-node as root, coracle-node in the user's data
    /// directory otherwise].
    #[arg(long, visible_alias = "root-dir", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Name of the node [default: the host's name].
    #[arg(long, visible_alias = "node-name", value_name = "NAME")]
    pub hostname_override: Option<String>,
    /// Labels of the node.
    #[arg(long, value_name = "KEY=VALUE,…", value_delimiter = ',', value_parser = label)]
    pub node_labels: Vec<(String, String)>,
    /// Taints that the node has from the beginning [default: none].
    #[arg(long, value_name = "KEY[=VALUE]:EFFECT,…", value_delimiter = ',', value_parser = taint)]
    pub register_with_taints: Vec<Taint>,
    /// Address of the node, where node ports answer [default: the one by which this machine reaches the API server; the
    /// first of the pods' addresses if that is a loopback address].
    #[arg(long, value_name = "ADDRESS")]
    pub node_ip: Option<Ipv4Addr>,
    /// Addresses for the node's pods [default: what the cluster gives to the node as `spec.podCIDR`; half of a free
    /// 10.N.0.0/16 if it gives none, or of a free 127.N.0.0/16 without root, or where Services have loopback addresses].
    #[arg(long, value_name = "CIDR")]
    pub pod_cidr: Option<Ipv4Net>,
    /// Addresses that the cluster has for Services [default: what its ServiceCIDR `kubernetes` says].
    #[arg(long, value_name = "CIDR")]
    pub service_cidr: Option<Ipv4Net>,
    /// The domain below which the cluster's Services have names.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,
    /// Port of the node's own API, for the API server: logs, exec, statistics; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    pub port: u16,
    /// Address that the node's own API listens on [default: the node's].
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<IpAddr>,
    /// Authorities of the certificates by which clients of the node's own API are known [default: what the cluster
    /// publishes in the ConfigMap kube-system/extension-apiserver-authentication].
    #[arg(long, value_name = "FILE")]
    pub client_ca_file: Option<PathBuf>,
    /// Certificate that the node's own API shows [default: one that it signs itself].
    #[arg(long, value_name = "FILE", requires = "tls_private_key_file")]
    pub tls_cert_file: Option<PathBuf>,
    /// Key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    pub tls_private_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub node: NodeArgs,
}

impl Args {
    /// How the API of the node at `node_ip` is served; `pki` is where certificates are kept.
    pub fn serve(&self, node_ip: Ipv4Addr, pki: PathBuf) -> ServeConfig {
        let address = self.address.unwrap_or(IpAddr::V4(node_ip));
        ServeConfig {
            address: SocketAddr::new(address, self.port),
            client_ca_file: self.client_ca_file.clone(),
            certificate: self.tls_cert_file.clone().zip(self.tls_private_key_file.clone()),
            requested: self.rotate_server_certificates.then_some(pki),
        }
    }
}

/// Where a node lives when nobody says otherwise: beside a whole cluster's directory, which it must not be.
pub fn default_data_dir() -> PathBuf {
    cluster::default_data_dir().with_file_name("coracle-node")
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err(format!("{text:?} should be KEY=VALUE")),
    }
}

fn taint(text: &str) -> Result<Taint, String> {
    let wrong = || format!("{text:?} should be KEY=VALUE:EFFECT or KEY:EFFECT; effects are {}", EFFECTS.join(", "));
    let (front, effect) = text.rsplit_once(':').ok_or_else(wrong)?;
    let (key, value) = front.split_once('=').map_or((front, None), |(key, value)| (key, Some(value)));
    if key.is_empty() || !EFFECTS.contains(&effect) {
        return Err(wrong());
    }
    Ok(Taint { key: key.into(), value: value.map(str::to_owned), effect: effect.into(), time_added: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_a_key() {
        assert_eq!(label("zone=north").unwrap(), ("zone".into(), "north".into()));
        assert_eq!(label("empty=").unwrap(), ("empty".into(), String::new()));
        assert!(label("=north").is_err());
        assert_eq!(label("zone").unwrap_err(), "\"zone\" should be KEY=VALUE");
    }

    #[test]
    fn taints_have_a_key_and_an_effect() {
        let edge = taint("example.com/edge=yes:NoSchedule").unwrap();
        assert_eq!((&*edge.key, edge.value.as_deref(), &*edge.effect), ("example.com/edge", Some("yes"), "NoSchedule"));
        assert_eq!(taint("edge:NoExecute").unwrap().value, None);
        for wrong in ["edge", ":NoExecute", "edge=yes", "edge:Never"] {
            let error = taint(wrong).unwrap_err();
            assert!(error.ends_with("effects are NoSchedule, PreferNoSchedule, NoExecute"), "{error}");
        }
    }
}
