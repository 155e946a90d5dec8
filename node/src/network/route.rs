//! The AnyIP route that makes every address of a CIDR bindable on this host: `local CIDR dev lo`.
//!
//! Nodes of one cluster side by side on a host route the same Services. So each node's routes have a metric of their
//! own, made of its pods' network: the kernel keeps one route for each, and a node that goes takes only its own away.

use std::{net::IpAddr, process::Stdio, time::Duration};

use ipnet::IpNet;
use tokio::process::Command;

/// How long the `ip` command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a CIDR can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// the addresses are not this host's and only root can make them so
    #[error(
        "the addresses {cidr} are not this host's, and only root can make them so; run as root or take a CIDR inside 127.0.0.0/8"
    )]
    NotRoot {
        /// The CIDR.
        cidr: IpNet,
    },
    /// the `ip` command (package iproute2) could not be run
    #[error("the `ip` command, which routes {cidr} to this host, could not be run ({source}); install iproute2")]
    Missing {
        /// The CIDR.
        cidr: IpNet,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// the kernel refused the route
    #[error("`ip route replace local {cidr} dev lo` failed: {message}")]
    Refused {
        /// The CIDR.
        cidr: IpNet,
        /// What the command printed.
        message: String,
    },
}

/// The routes this node has added; [`remove`](AnyIpRoutes::remove) takes them away again.
#[derive(Debug, Default)]
pub struct AnyIpRoutes {
    added: Vec<IpNet>,
    metric: u32,
}

impl AnyIpRoutes {
    /// Makes the addresses of the node's pods, and those of the cluster's Services, bindable. Those inside the loopback
    /// network are already.
    pub async fn add(pods: &IpNet, services: &IpNet) -> Result<AnyIpRoutes, RouteError> {
        let mut routes = AnyIpRoutes { added: Vec::new(), metric: metric(pods) };
        for cidr in [pods, services].into_iter().map(IpNet::trunc).filter(|cidr| !is_loopback(cidr)) {
            if !rustix::process::geteuid().is_root() {
                routes.remove().await;
                return Err(RouteError::NotRoot { cidr });
            }
            if let Err(error) = ip_route("replace", cidr, routes.metric).await {
                routes.remove().await;
                return Err(error);
            }
            routes.added.push(cidr);
        }
        Ok(routes)
    }

    /// Takes the routes away.
    pub async fn remove(&mut self) {
        for cidr in self.added.drain(..) {
            if let Err(error) = ip_route("del", cidr, self.metric).await {
                tracing::warn!(%error, "a route could not be removed");
            }
        }
    }
}

fn is_loopback(cidr: &IpNet) -> bool {
    match cidr {
        IpNet::V4(cidr) => cidr.prefix_len() >= 8 && cidr.network().is_loopback(),
        IpNet::V6(cidr) => cidr.prefix_len() == 128 && cidr.network().is_loopback(),
    }
}

/// A number that no other node of the host has: the start of its pods' network. Never 0, which means no metric.
fn metric(pods: &IpNet) -> u32 {
    match pods.network() {
        IpAddr::V4(network) => u32::from(network).max(1),
        IpAddr::V6(network) => {
            let bits = u128::from(network);
            (0..4).fold(0, |sum, word| sum ^ (bits >> (32 * word)) as u32).max(1)
        }
    }
}

async fn ip_route(verb: &str, cidr: IpNet, metric: u32) -> Result<(), RouteError> {
    let family = if cidr.addr().is_ipv4() { "-4" } else { "-6" };
    let mut command = Command::new("ip");
    command.args([family, "route", verb, "local", &cidr.to_string(), "dev", "lo", "metric", &metric.to_string()]);
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(COMMAND_TIMEOUT, run).await {
        Ok(Ok(output)) => output,
        Ok(Err(source)) => return Err(RouteError::Missing { cidr, source }),
        Err(_) => return Err(RouteError::Refused { cidr, message: "timed out".to_owned() }),
    };
    if output.status.success() {
        return Ok(());
    }
    Err(RouteError::Refused { cidr, message: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_loopback_network_needs_no_route() {
        let (pods, services) = ("127.64.0.0/16".parse().unwrap(), "127.96.0.0/12".parse().unwrap());
        assert!(AnyIpRoutes::add(&pods, &services).await.unwrap().added.is_empty());
    }

    #[test]
    fn nodes_side_by_side_have_metrics_of_their_own() {
        let of = |pods: &str| metric(&pods.parse().unwrap());
        assert_eq!(of("10.42.0.0/17"), 0x0a2a_0000);
        assert_ne!(of("10.42.0.0/17"), of("10.43.0.0/17"));
        assert_ne!(of("fd00:1::/64"), of("fd00:2::/64"));
        assert_eq!(of("0.0.0.0/0"), 1);
    }

    #[test]
    fn only_what_lies_wholly_in_the_loopback_network_counts() {
        for (cidr, loopback) in
            [("127.0.0.0/8", true), ("126.0.0.0/7", false), ("10.0.0.0/8", false), ("::1/128", true)]
        {
            assert_eq!(is_loopback(&cidr.parse().unwrap()), loopback, "{cidr}");
        }
    }
}
