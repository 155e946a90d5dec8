//! A node's place in its cluster: its address, its pods' addresses, the addresses of Services. Found once, then kept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};
use coracle_server::pki::write_private;
use http::Uri;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{args::Args, cluster};
use crate::cluster::{AddressArgs, Block, Claim, DataDir, check_node_ip, choose_block, is_root};

/// Where the place is kept in the data directory.
const FILE: &str = "place.json";

/// The addresses.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Place {
    /// What they are; those of Services are the cluster's.
    pub block: Block,
    /// Whether the pods' addresses are of a block that this node has chosen, and must claim.
    chosen: bool,
}

/// The place that the node had, or a new one. One that is kept is taken without asking: a node starts again while its
/// API server can't be reached.
pub async fn find(
    directory: &DataDir,
    args: &Args,
    name: &str,
    client: &kube::Client,
    server: &Uri,
) -> anyhow::Result<(Place, Option<Claim>)> {
    let addresses = AddressArgs { node_ip: args.node_ip, cluster_cidr: args.pod_cidr, ..AddressArgs::default() };
    check_node_ip(&addresses)?;
    let file = directory.path(FILE);
    if let Some(mut place) = load(&file)? {
        place.agrees_with(args)?;
        place.block.node_ip = args.node_ip.unwrap_or(place.block.node_ip);
        let claim = place.chosen.then(|| place.block.reclaim()).transpose()?;
        return Ok((place, claim));
    }
    if cluster::is_alive(client, name).await? {
        bail!("the cluster has a node {name} already, and it is alive; choose another name with --hostname-override");
    }
    let services = match args.service_cidr {
        Some(services) => services,
        None => cluster::service_cidr(client).await?,
    };
    let given = match args.pod_cidr {
        Some(pods) => Some(pods),
        None => cluster::pod_cidr(client, name, &args.register_with_taints).await?,
    };
    let (place, claim) = match given {
        Some(pods) => (Place::given(pods, services, args.node_ip, server)?, None),
        None => {
            let (place, claim) = Place::choose(services, args.node_ip, server)?;
            (place, Some(claim))
        }
    };
    write_private(&file, &serde_json::to_string_pretty(&place)?)?;
    Ok((place, claim))
}

impl Place {
    /// With addresses for pods that the cluster or the user has named.
    fn given(pods: Ipv4Net, services: Ipv4Net, wanted: Option<Ipv4Addr>, server: &Uri) -> anyhow::Result<Place> {
        let first = pods.hosts().next().context("the network of the node's pods has no addresses")?;
        let node_ip = wanted.unwrap_or_else(|| own_address(server, first));
        Ok(Place { block: Block { cluster_cidr: pods, service_cidr: services, node_ip }, chosen: false })
    }

    /// With addresses that nobody on this machine uses. Services at loopback addresses mean that the whole cluster is on
    /// this machine.
    fn choose(services: Ipv4Net, wanted: Option<Ipv4Addr>, server: &Uri) -> anyhow::Result<(Place, Claim)> {
        let loopback = services.addr().is_loopback();
        let addresses = if loopback { AddressArgs::loopback() } else { AddressArgs::default() };
        let (mut block, claim) = choose_block(&addresses, is_root())?;
        block.service_cidr = services;
        block.node_ip = wanted.unwrap_or_else(|| own_address(server, block.node_ip));
        Ok((Place { block, chosen: true }, claim))
    }

    /// Flags that contradict what is kept are refused: pods have these addresses.
    fn agrees_with(&self, args: &Args) -> anyhow::Result<()> {
        let contradicts = args.pod_cidr.is_some_and(|pods| pods != self.block.cluster_cidr)
            || args.service_cidr.is_some_and(|services| services != self.block.service_cidr);
        anyhow::ensure!(
            !contradicts,
            "this node's pods are in {} and its cluster's Services in {}; that can't be changed after the first start",
            self.block.cluster_cidr,
            self.block.service_cidr
        );
        Ok(())
    }
}

fn load(file: &Path) -> anyhow::Result<Option<Place>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is damaged; restore it, or remove it to join anew", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// The address by which this machine reaches the API server; `first` if that is a loopback address, or of IPv6.
fn own_address(server: &Uri, first: Ipv4Addr) -> Ipv4Addr {
    match towards(server) {
        Some(IpAddr::V4(own)) if !own.is_loopback() && !first.is_loopback() => own,
        _ => first,
    }
}

/// No packet is sent: a datagram socket that is connected has been given its own address.
fn towards(server: &Uri) -> Option<IpAddr> {
    use std::net::{ToSocketAddrs as _, UdpSocket};
    let host = server.host()?.trim_matches(['[', ']']);
    let there: SocketAddr =
        (host, server.port_u16().unwrap_or(443)).to_socket_addrs().ok()?.find(SocketAddr::is_ipv4)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(there).ok()?;
    socket.local_addr().ok().map(|own| own.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_this_machine_says_nothing_about_the_nodes_address() {
        let server = Uri::from_static("https://127.0.0.1:6443");
        let first: Ipv4Addr = "10.43.0.1".parse().unwrap();
        assert_eq!(own_address(&server, first), first);
    }

    #[test]
    fn a_place_has_the_clusters_services_and_pods_of_its_own() {
        let server = Uri::from_static("https://127.0.0.1:6443");
        let services = "127.9.128.0/17".parse().unwrap();
        let (one, _claim) = Place::choose(services, None, &server).unwrap();
        let (two, _other) = Place::choose(services, None, &server).unwrap();
        assert_eq!((one.block.service_cidr, two.block.service_cidr), (services, services));
        assert_ne!(one.block.cluster_cidr, two.block.cluster_cidr);
        assert!(one.block.cluster_cidr.contains(&one.block.node_ip));
        let given = Place::given("127.8.1.0/24".parse().unwrap(), services, None, &server).unwrap();
        assert_eq!((given.block.node_ip, given.chosen), ("127.8.1.1".parse().unwrap(), false));
    }
}
