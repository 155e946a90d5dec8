//! Node ports out of one range, per protocol.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{NodePort, Taken};

/// The node ports and who has them.
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    pub(super) taken: Taken<NodePort>,
}

/// Why a port cannot be had, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PortError {
    /// Outside of the range.
    #[error("provided port is not in the valid range. The range of valid ports is {low}-{high}")]
    OutOfRange { low: u16, high: u16 },
    /// Another Service has it.
    #[error("provided port is already allocated")]
    Taken,
    /// None is left.
    #[error("range is full")]
    Full,
}

impl Ports {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, taken: Arc::new(Mutex::new(HashMap::new())) }
    }

    /// Takes this port.
    pub(super) fn take(&self, port: NodePort, owner: &str) -> Result<(), PortError> {
        if !self.range.contains(&port.1) {
            return Err(PortError::OutOfRange { low: *self.range.start(), high: *self.range.end() });
        }
        let mut taken = self.taken.lock();
        if taken.contains_key(&port) {
            return Err(PortError::Taken);
        }
        taken.insert(port, owner.to_string());
        Ok(())
    }

    /// Takes any port.
    pub(super) fn take_any(&self, protocol: &'static str, owner: &str) -> Result<u16, PortError> {
        let (low, high) = (u32::from(*self.range.start()), u32::from(*self.range.end()));
        let count = (high + 1).checked_sub(low).filter(|c| *c > 0).ok_or(PortError::Full)?;
        let start = rand::random_range(0..count);
        let mut taken = self.taken.lock();
        let mut candidates = (0..count).map(|step| low + (start + step) % count).filter_map(|p| u16::try_from(p).ok());
        let port = candidates.find(|port| !taken.contains_key(&(protocol, *port))).ok_or(PortError::Full)?;
        taken.insert((protocol, port), owner.to_string());
        Ok(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_run_out_per_protocol() {
        let ports = Ports::new(30000..=30001);
        let mut given = [ports.take_any("TCP", "a").unwrap(), ports.take_any("TCP", "a").unwrap()];
        given.sort_unstable();
        assert_eq!(given, [30000, 30001]);
        assert_eq!(ports.take_any("TCP", "a"), Err(PortError::Full));
        assert!(ports.take_any("UDP", "a").is_ok());
        assert_eq!(ports.take(("TCP", 30000), "b").unwrap_err().to_string(), "provided port is already allocated");
        assert_eq!(
            ports.take(("TCP", 80), "b").unwrap_err().to_string(),
            "provided port is not in the valid range. The range of valid ports is 30000-30001"
        );
    }
}
