//! The AnyIP route that makes every address of a CIDR bindable on this host: `local CIDR dev lo`.

use std::{process::Stdio, time::Duration};

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
}

impl AnyIpRoutes {
    /// Makes the addresses of `cidrs` bindable. Those inside the loopback network are already.
    pub async fn add(cidrs: &[IpNet]) -> Result<AnyIpRoutes, RouteError> {
        let mut routes = AnyIpRoutes::default();
        for cidr in cidrs.iter().map(IpNet::trunc).filter(|cidr| !is_loopback(cidr)) {
            if !rustix::process::geteuid().is_root() {
                routes.remove().await;
                return Err(RouteError::NotRoot { cidr });
            }
            if let Err(error) = ip_route("replace", cidr).await {
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
            if let Err(error) = ip_route("del", cidr).await {
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

async fn ip_route(verb: &str, cidr: IpNet) -> Result<(), RouteError> {
    let family = if cidr.addr().is_ipv4() { "-4" } else { "-6" };
    let mut command = Command::new("ip");
    command.args([family, "route", verb, "local", &cidr.to_string(), "dev", "lo"]);
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
        let cidrs = ["127.64.0.0/16".parse().unwrap(), "127.96.0.0/12".parse().unwrap()];
        assert!(AnyIpRoutes::add(&cidrs).await.unwrap().added.is_empty());
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
