//! Which addresses are nobody's business: the machine itself, its neighbourhood, and where clouds keep what they tell only
//! to machines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds answer their machines besides link-local addresses: secrets of the machine, agents that run commands.
const METADATA: [IpAddr; 5] = [
    // AWS, by IPv6
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    // Google Cloud, by IPv6
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    // Alibaba Cloud
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Oracle Cloud
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // Azure
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// The well-known prefix of IPv4 addresses behind a translator (RFC 6052).
const TRANSLATED: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// The address that is meant: IPv4 addresses can be written as IPv6 (RFC 4291 §2.5.5), and are still the same.
pub(crate) fn meant(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [head @ .., high, low] = v6.segments();
    let is_compatible = head == [0; 6] && high != 0;
    if v6.to_ipv4_mapped().is_none() && !is_compatible && head != TRANSLATED {
        return ip;
    }
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// Whether it is this machine's own, in whatever way it is written.
pub(crate) fn is_own(ip: IpAddr) -> bool {
    let ip = meant(ip);
    ip.is_loopback() || ip.is_unspecified() || matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 0)
}

/// Whether nobody is to be sent there: neighbours without a router between, everybody at once, clouds' metadata.
pub(crate) fn is_reserved(ip: IpAddr) -> bool {
    let ip = meant(ip);
    let near = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    near || ip.is_multicast() || METADATA.contains(&ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_the_machines_own_is_so_in_every_spelling() {
        let own = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
        ];
        for text in own {
            assert!(is_own(parsed(text)), "{text}");
        }
        for text in ["10.0.0.1", "192.168.0.1", "8.8.8.8", "fd00::1", "2001:db8::1", "::ffff:10.0.0.1"] {
            assert!(!is_own(parsed(text)) && !is_reserved(parsed(text)), "{text}");
        }
    }

    #[test]
    fn neighbours_groups_and_metadata_are_reserved() {
        let reserved = [
            "169.254.169.254",
            "169.254.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "239.1.1.1",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "::ffff:169.254.169.254",
            "::a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
        ];
        for text in reserved {
            assert!(is_reserved(parsed(text)), "{text}");
        }
    }
}
