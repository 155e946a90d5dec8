//! Host ports: which a node has given away.

use std::collections::HashMap;

pub use coracle_api::pod::{ANY_ADDRESS, HostPort};

/// The host ports in use on one node, counted because a pod may be seen twice while a node is replaced.
#[derive(Debug, Clone, Default)]
pub struct HostPorts {
    used: HashMap<HostPort, usize>,
}

impl HostPorts {
    /// Takes a port.
    pub fn take(&mut self, port: &HostPort) {
        *self.used.entry(port.clone()).or_default() += 1;
    }

    /// Gives a port back.
    pub fn give_back(&mut self, port: &HostPort) {
        if let Some(count) = self.used.get_mut(port) {
            *count -= 1;
            if *count == 0 {
                self.used.remove(port);
            }
        }
    }

    /// Whether somebody already listens where `wanted` would.
    pub fn conflicts(&self, wanted: &HostPort) -> bool {
        if self.used.is_empty() {
            return false;
        }
        if wanted.ip != ANY_ADDRESS {
            let everywhere = HostPort { ip: ANY_ADDRESS.to_owned(), ..wanted.clone() };
            return self.used.contains_key(wanted) || self.used.contains_key(&everywhere);
        }
        self.used.keys().any(|used| used.port == wanted.port && used.protocol == wanted.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, protocol: &str, port: u16) -> HostPort {
        HostPort { ip: ip.to_owned(), protocol: protocol.to_owned(), port }
    }

    #[test]
    fn any_address_conflicts_with_every_address() {
        let mut ports = HostPorts::default();
        ports.take(&port("10.0.0.1", "TCP", 80));
        assert!(ports.conflicts(&port(ANY_ADDRESS, "TCP", 80)));
        assert!(ports.conflicts(&port("10.0.0.1", "TCP", 80)));
        assert!(!ports.conflicts(&port("10.0.0.2", "TCP", 80)));
        assert!(!ports.conflicts(&port(ANY_ADDRESS, "UDP", 80)));
        ports.give_back(&port("10.0.0.1", "TCP", 80));
        ports.take(&port(ANY_ADDRESS, "TCP", 80));
        assert!(ports.conflicts(&port("10.0.0.2", "TCP", 80)));
    }
}
