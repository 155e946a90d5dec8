//! Which addresses a cluster uses.
//!
//! Everything comes out of one /16 *block*: pods from its lower half, Services from its upper half, and the node
//! itself has the block's first address, so that node ports of clusters side by side never meet. As root the block
//! is `10.N.0.0/16`, made local by one route; otherwise it is `127.N.0.0/16`, which needs nothing.
//!
//! Invariant: two running clusters never choose the same block. The one that uses block N holds a listening socket on
//! `127.N.0.1` (for a routed block too, whose own addresses are not bindable yet); the kernel releases it with the
//! process, however that ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, bail};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// The port of the socket that marks a block as taken: kube-proxy's health port, which nothing here serves.
const CLAIM_PORT: u16 = 10256;
/// Second octets tried, in this order: k3s' habit first for 10.0.0.0/8; 127.0 and a margin are left to the host.
const ROUTED_OCTETS: std::ops::RangeInclusive<u8> = 42..=250;
const LOOPBACK_OCTETS: std::ops::RangeInclusive<u8> = 42..=250;

/// Where the addresses of pods and Services come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Addresses of pods.
    pub cluster_cidr: Ipv4Net,
    /// Addresses of Services.
    pub service_cidr: Ipv4Net,
    /// The node's own address.
    pub node_ip: Ipv4Addr,
}

/// The right to use a block, for as long as this value lives.
#[derive(Debug)]
pub struct Claim {
    _socket: Option<TcpListener>,
}

impl Block {
    fn of(first: u8, second: u8) -> Self {
        let net = |third| Ipv4Net::new(Ipv4Addr::new(first, second, third, 0), 17).expect("17 is a prefix length");
        Self { cluster_cidr: net(0), service_cidr: net(128), node_ip: Ipv4Addr::new(first, second, 0, 1) }
    }

    fn from_cidrs(cluster_cidr: Ipv4Net, service_cidr: Ipv4Net, node_ip: Option<Ipv4Addr>) -> anyhow::Result<Self> {
        if cluster_cidr.contains(&service_cidr) || service_cidr.contains(&cluster_cidr) {
            bail!("--cluster-cidr {cluster_cidr} and --service-cidr {service_cidr} overlap");
        }
        let first = cluster_cidr.hosts().next().context("--cluster-cidr has no addresses")?;
        Ok(Self { cluster_cidr, service_cidr, node_ip: node_ip.unwrap_or(first) })
    }

    /// Claims the block that was used before; addresses of pods and Services must survive a restart.
    pub fn reclaim(self) -> anyhow::Result<Claim> {
        self.claim().with_context(|| {
            format!("the addresses of this cluster ({}) are in use: does another cluster use them?", self.cluster_cidr)
        })
    }

    fn claim(&self) -> std::io::Result<Claim> {
        let [first, second, ..] = self.cluster_cidr.addr().octets();
        if first != 10 && first != 127 {
            // Addresses that somebody chose by hand outside our blocks are theirs to keep apart.
            return Ok(Claim { _socket: None });
        }
        let marker = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, second, 0, 1)), CLAIM_PORT);
        Ok(Claim { _socket: Some(TcpListener::bind(marker)?) })
    }
}

/// What the flags say about addresses.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AddressArgs {
    /// Addresses for pods [default: half of a free 10.N.0.0/16 as root, of a free 127.N.0.0/16 otherwise; a network
    /// inside 127.0.0.0/8 of prefix length 8 means the latter for root too].
    #[arg(long, value_name = "CIDR")]
    pub cluster_cidr: Option<Ipv4Net>,
    /// Addresses for Services [default: the other half].
    #[arg(long, value_name = "CIDR", requires = "cluster_cidr")]
    pub service_cidr: Option<Ipv4Net>,
    /// Address of the node, where node ports answer [default: the first address of the pods' network].
    #[arg(long, value_name = "ADDRESS")]
    pub node_ip: Option<Ipv4Addr>,
}

impl AddressArgs {
    /// A free block of loopback addresses, for root as well.
    pub fn loopback() -> Self {
        let everything = Ipv4Net::new(Ipv4Addr::new(127, 0, 0, 0), 8).expect("8 is a prefix length");
        Self { cluster_cidr: Some(everything), ..Self::default() }
    }
}

/// Whether the address asked for is this machine's: node ports could not listen on another one. An address inside the
/// cluster's own block becomes this machine's only when the cluster starts.
pub fn check_node_ip(args: &AddressArgs) -> anyhow::Result<()> {
    let Some(node_ip) = args.node_ip else { return Ok(()) };
    if args.cluster_cidr.is_some_and(|block| block.contains(&node_ip)) {
        return Ok(());
    }
    TcpListener::bind((node_ip, 0)).map(drop).with_context(|| format!("--node-ip {node_ip} is not usable here"))
}

/// Chooses and claims a block for a new cluster.
pub fn choose(args: &AddressArgs, root: bool) -> anyhow::Result<(Block, Claim)> {
    match (args.cluster_cidr, args.service_cidr) {
        (Some(cluster), Some(service)) => {
            let block = Block::from_cidrs(cluster, service, args.node_ip)?;
            let claim = block.reclaim()?;
            Ok((block, claim))
        }
        (Some(cluster), None) if cluster.addr().is_loopback() && cluster.prefix_len() == 8 => first_free(127, args),
        (Some(cluster), None) => bail!("--cluster-cidr {cluster} needs --service-cidr too"),
        (None, _) if root => first_free(10, args),
        (None, _) => first_free(127, args),
    }
}

fn first_free(first: u8, args: &AddressArgs) -> anyhow::Result<(Block, Claim)> {
    let octets = if first == 127 { LOOPBACK_OCTETS } else { ROUTED_OCTETS };
    // Clusters started at the same moment should not all try the same block first.
    let span = u32::from(octets.end() - octets.start()) + 1;
    let start = std::process::id() % span;
    for offset in 0..span {
        let second = octets.start() + u8::try_from((start + offset) % span).expect("less than 256");
        let mut block = Block::of(first, second);
        if first != 127 && is_routed(block.node_ip) {
            continue;
        }
        if let Ok(claim) = block.claim() {
            block.node_ip = args.node_ip.unwrap_or(block.node_ip);
            return Ok((block, claim));
        }
    }
    bail!("no free network {first}.N.0.0/16 for pods and Services: name one with --cluster-cidr and --service-cidr")
}

/// Whether the host already has a use for this address: one of its own, or a route of another cluster.
fn is_routed(address: Ipv4Addr) -> bool {
    TcpListener::bind(SocketAddr::new(IpAddr::V4(address), 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_address_must_be_this_machines() {
        let args = |ip: &str| AddressArgs { node_ip: Some(ip.parse().unwrap()), ..AddressArgs::default() };
        assert!(check_node_ip(&args("127.0.0.1")).is_ok());
        // TEST-NET-1 belongs to no machine.
        let refused = check_node_ip(&args("192.0.2.1")).unwrap_err().to_string();
        assert_eq!(refused, "--node-ip 192.0.2.1 is not usable here");
    }

    #[test]
    fn halves_of_a_block_do_not_overlap() {
        let block = Block::of(127, 99);
        assert_eq!(block.cluster_cidr.to_string(), "127.99.0.0/17");
        assert_eq!(block.service_cidr.to_string(), "127.99.128.0/17");
        assert_eq!(block.node_ip, Ipv4Addr::new(127, 99, 0, 1));
    }

    #[test]
    fn a_claimed_block_is_not_given_twice() {
        let args = AddressArgs { cluster_cidr: "127.0.0.0/8".parse().ok(), ..AddressArgs::default() };
        let (one, _claim) = choose(&args, false).unwrap();
        let (two, _other) = choose(&args, false).unwrap();
        assert_ne!(one, two);
        assert!(one.reclaim().is_err());
    }

    #[test]
    fn overlapping_networks_are_refused() {
        let args = AddressArgs {
            cluster_cidr: "127.9.0.0/16".parse().ok(),
            service_cidr: "127.9.128.0/17".parse().ok(),
            node_ip: None,
        };
        assert!(choose(&args, false).unwrap_err().to_string().contains("overlap"));
    }
}
