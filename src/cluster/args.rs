//! How a cluster is started.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use coracle_node::parse_duration;

use super::{AddressArgs, AdmissionArgs, AuditArgs, EncryptionArgs, NodeArgs};

/// How a cluster is started.
#[derive(Debug, Clone, clap::Args)]
pub struct ClusterArgs {
    /// Where everything is kept [default: /var/lib/coracle as root, the user's data directory otherwise].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Port of the API server; 0 picks a free one [default: the one used before, or 6443].
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Address that the API server listens on.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub bind_address: IpAddr,
    /// Port of the built-in registry; 0 picks a free one [default: the one used before, or 5000 if it is free].
    #[arg(long, value_name = "PORT")]
    pub registry_port: Option<u16>,
    /// Name of the node [default: the host's name].
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// How long events are kept.
    #[arg(long, value_name = "DURATION", default_value = "1h0m0s", value_parser = parse_duration)]
    pub event_ttl: Duration,
    /// Authorities (PEM) that certify the HTTPS ports of nodes that have joined [default: any certificate is believed].
    #[arg(long, value_name = "FILE")]
    pub kubelet_certificate_authority: Option<PathBuf>,
    #[command(flatten)]
    pub node: NodeArgs,
    #[command(flatten)]
    pub addresses: AddressArgs,
    #[command(flatten)]
    pub admission: AdmissionArgs,
    #[command(flatten)]
    pub audit: AuditArgs,
    #[command(flatten)]
    pub encryption: EncryptionArgs,
}

impl ClusterArgs {
    /// The authorities of nodes' certificates, PEM.
    pub fn kubelet_authorities(&self) -> anyhow::Result<Option<String>> {
        let Some(file) = &self.kubelet_certificate_authority else { return Ok(None) };
        let pem = std::fs::read_to_string(file);
        pem.map(Some).with_context(|| format!("--kubelet-certificate-authority: cannot read {}", file.display()))
    }

    /// For a measurement: everything in `directory`, on loopback addresses and free ports.
    pub fn for_bench(directory: &Path) -> Self {
        Self {
            data_dir: Some(directory.to_path_buf()),
            port: Some(0),
            bind_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            registry_port: Some(0),
            node_name: None,
            event_ttl: Duration::from_secs(3600),
            kubelet_certificate_authority: None,
            node: NodeArgs::usual(),
            addresses: AddressArgs::loopback(),
            admission: AdmissionArgs::default(),
            audit: AuditArgs::default(),
            encryption: EncryptionArgs::default(),
        }
    }
}
