//! What the cluster proves itself with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use coracle_controllers::{Signer, TokenSigner};
use coracle_server::{AccountTokens, FrontProxy, pki};

use super::DataDir;
use super::block::Block;
use super::signer::{ClusterSigner, ClusterTokens};

/// What the cluster proves itself with; made on first start, certificates renewed when they near their end.
pub(super) struct Credentials {
    pub(super) tls: Arc<rustls::ServerConfig>,
    /// The administrator's file.
    pub(super) kubeconfig: PathBuf,
    pub(super) ca_pem: String,
    pub(super) token_key_pem: String,
    pub(super) front_proxy: FrontProxy,
    /// Signs certificates for those who ask by the API.
    pub(super) signer: Signer,
    /// Signs tokens that are to be kept in Secrets.
    pub(super) token_signer: TokenSigner,
    /// How nodes of other processes know the API server.
    pub(super) kubelet_client: pki::Identity,
}

impl Credentials {
    /// Loads what is there, and makes what is missing or near its end.
    pub(super) fn load(directory: &DataDir, block: &Block, api_address: SocketAddr) -> anyhow::Result<Self> {
        let authority = pki::Authority::load_or_create(directory.path("pki")).context("the cluster's certificates")?;
        let server = authority.server("apiserver", &server_names(block, api_address)?)?;
        let admin = authority.client("admin", "kubernetes-admin", "system:masters")?;
        let kubelet_client =
            authority.client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters")?;
        let ca_pem = authority.certificate_pem().to_string();
        let url = format!("https://{}", reachable(api_address));
        let kubeconfig = directory.path("kubeconfig");
        pki::write_private(&kubeconfig, &pki::kubeconfig("coracle", &url, &ca_pem, "kubernetes-admin", &admin))?;
        let token_key_pem = authority.token_key()?;
        Ok(Self {
            tls: authority.tls(&server)?,
            kubeconfig,
            ca_pem,
            token_signer: TokenSigner(Arc::new(ClusterTokens(AccountTokens::from_pem(&token_key_pem)?))),
            token_key_pem,
            signer: Signer(Arc::new(ClusterSigner(authority))),
            kubelet_client,
            front_proxy: FrontProxy::load_or_create(directory.path("pki/front-proxy"))?,
        })
    }
}

/// The names that the API server's certificate is for.
fn server_names(block: &Block, api_address: SocketAddr) -> anyhow::Result<Vec<String>> {
    let service = block.service_cidr.hosts().next().context("the Service network has no addresses")?;
    let mut names: Vec<String> = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        .into_iter()
        .chain(["kubernetes.default.svc.cluster.local", "127.0.0.1", "::1"])
        .map(String::from)
        .collect();
    names.extend([service.to_string(), block.node_ip.to_string(), api_address.ip().to_string()]);
    names.sort();
    names.dedup();
    Ok(names)
}

/// The address that a client on this machine uses for one that may be the wildcard.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}
