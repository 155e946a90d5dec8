//! Service addresses out of one network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;

use super::Taken;

/// Addresses looked at for one allocation. Random first, then one after another: in a network that is nearly full
/// the rest is found all the same as long as the network is not larger than this.
const MAX_PROBES: u128 = 1 << 17;

/// The addresses of the service network and who has them.
pub(super) struct Addresses {
    network: IpNet,
    /// Usable addresses: offsets 1 to `count` from the network's own.
    count: u128,
    pub(super) taken: Taken<IpAddr>,
}

/// Why an address cannot be had, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// Outside of the network.
    #[error("the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}")]
    OutOfRange { address: IpAddr, network: IpNet },
    /// Another Service has it.
    #[error("provided IP is already allocated")]
    Taken,
    /// None is left.
    #[error("range is full")]
    Full,
}

impl Addresses {
    /// `None` when the network has no room for a Service beside the first address.
    pub(super) fn new(network: IpNet) -> Option<Self> {
        let network = network.trunc();
        let bits = u32::from(network.max_prefix_len() - network.prefix_len());
        let size = 1_u128.checked_shl(bits).unwrap_or(u128::MAX);
        // Neither the network's own address nor IPv4's broadcast address.
        let reserved = if network.addr().is_ipv4() { 2 } else { 1 };
        let count = size.checked_sub(reserved).filter(|c| *c >= 2)?;
        Some(Self { network, count, taken: Arc::new(Mutex::new(HashMap::new())) })
    }

    pub(super) fn first(&self) -> IpAddr {
        self.at(1)
    }

    /// Takes this address.
    pub(super) fn take(&self, address: IpAddr, owner: &str) -> Result<(), AddressError> {
        let offset = self.offset(address);
        if offset.is_none_or(|offset| offset == 0 || offset > self.count) {
            return Err(AddressError::OutOfRange { address, network: self.network });
        }
        let mut taken = self.taken.lock();
        match taken.get(&address) {
            Some(_) => Err(AddressError::Taken),
            None => {
                taken.insert(address, owner.to_string());
                Ok(())
            }
        }
    }

    /// Takes any address. The lower part of the network is used last: people choose addresses there (KEP-3070).
    pub(super) fn take_any(&self, owner: &str) -> Result<IpAddr, AddressError> {
        let set_aside = self.set_aside();
        let upper = self.count - set_aside;
        let mut taken = self.taken.lock();
        let found = self.search(&taken, set_aside + 1, upper).or_else(|| self.search(&taken, 1, set_aside));
        let address = found.ok_or(AddressError::Full)?;
        taken.insert(address, owner.to_string());
        Ok(address)
    }

    /// How many low addresses are left to people: a sixteenth, between 16 and 256, nothing in a small network.
    fn set_aside(&self) -> u128 {
        let share = (self.count / 16).clamp(16, 256);
        if share >= self.count { 0 } else { share }
    }

    fn search(&self, taken: &HashMap<IpAddr, String>, from: u128, count: u128) -> Option<IpAddr> {
        let start = if count == 0 { return None } else { rand::random_range(0..count) };
        let mut probes = (0..count.min(MAX_PROBES)).map(|step| self.at(from + (start + step) % count));
        probes.find(|address| !taken.contains_key(address))
    }

    fn at(&self, offset: u128) -> IpAddr {
        match self.network.addr() {
            IpAddr::V4(base) => IpAddr::V4((base.to_bits().wrapping_add(offset as u32)).into()),
            IpAddr::V6(base) => IpAddr::V6((base.to_bits().wrapping_add(offset)).into()),
        }
    }

    fn offset(&self, address: IpAddr) -> Option<u128> {
        if !self.network.contains(&address) {
            return None;
        }
        match (self.network.addr(), address) {
            (IpAddr::V4(base), IpAddr::V4(a)) => Some(u128::from(a.to_bits() - base.to_bits())),
            (IpAddr::V6(base), IpAddr::V6(a)) => Some(a.to_bits() - base.to_bits()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Addresses {
        Addresses::new(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn every_address_is_given_once_and_then_the_range_is_full() {
        let addresses = network("10.0.0.0/28");
        let mut given: Vec<IpAddr> = (0..14).map(|_| addresses.take_any("u").unwrap()).collect();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 14);
        assert_eq!(given[0], addresses.first());
        assert_eq!(addresses.take_any("u"), Err(AddressError::Full));
    }

    #[test]
    fn texts_are_kubernetes() {
        let addresses = network("10.96.0.0/16");
        addresses.take("10.96.0.10".parse().unwrap(), "u").unwrap();
        let again = addresses.take("10.96.0.10".parse().unwrap(), "v").unwrap_err();
        assert_eq!(again.to_string(), "provided IP is already allocated");
        let outside = addresses.take("10.97.0.1".parse().unwrap(), "v").unwrap_err();
        assert_eq!(
            outside.to_string(),
            "the provided IP (10.97.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16"
        );
    }

    #[test]
    fn small_and_huge_networks() {
        assert!(Addresses::new("10.0.0.0/31".parse().unwrap()).is_none());
        assert!(network("fd00::/64").take_any("u").unwrap().is_ipv6());
        let low: IpAddr = "10.96.1.0".parse().unwrap();
        assert!(network("10.96.0.0/16").take_any("u").unwrap() > low, "the lower part is set aside");
    }
}
