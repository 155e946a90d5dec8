//! IP addresses and ranges in fields that are older than strict forms for them (KEP-4858): what is refused, and what is
//! taken with a warning.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::check::Errors;
use crate::field::Path;

const ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const RANGE: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// An address as older parsers read it, to whom leading zeros mean nothing.
pub(super) fn parse_sloppy(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (prefix, dotted) = text.rsplit_once(':').map_or(("", text), |(prefix, rest)| (prefix, rest));
    let mut plain = Vec::new();
    for part in dotted.split('.') {
        let digits = part.trim_start_matches('0');
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) || digits.len() > 3 {
            return None;
        }
        plain.push(if digits.is_empty() { "0" } else { digits });
    }
    let plain = plain.join(".");
    if prefix.is_empty() && !text.contains(':') {
        plain.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    } else {
        format!("{prefix}:{plain}").parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    }
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// Whether the text is an IPv6 address; a mapped IPv4 address is none.
pub(super) fn is_ipv6(text: &str) -> bool {
    parse_sloppy(text).is_some_and(|address| address.is_ipv6() && !is_mapped(address))
}

/// Why the text is no address for this field; one that the field had before is always fine.
pub(super) fn address_error(text: &str, had: &[&str]) -> Option<&'static str> {
    if had.contains(&text) {
        return None;
    }
    match (text.parse::<IpAddr>(), parse_sloppy(text)) {
        (Ok(address), _) if is_mapped(address) => Some("must not be an IPv4-mapped IPv6 address"),
        (Ok(_), _) => None,
        (Err(_), Some(_)) => Some("must not have leading 0s"),
        (Err(_), None) => Some(ADDRESS),
    }
}

/// Records what is wrong with an address.
pub(super) fn address(errors: &mut Errors, path: &Path, text: &str, had: &[&str]) {
    if let Some(detail) = address_error(text, had) {
        errors.invalid(path, &text, detail);
    }
}

/// Records what is wrong with a range of addresses.
pub(super) fn range(errors: &mut Errors, path: &Path, text: &str, had: &[&str]) {
    if had.contains(&text) {
        return;
    }
    let parts = text.split_once('/').and_then(|(address, bits)| {
        let number = bits.bytes().all(|b| b.is_ascii_digit()).then(|| bits.parse::<u8>().ok()).flatten()?;
        Some((
            parse_sloppy(address)?,
            number,
            address.parse::<IpAddr>().is_err() || (bits.len() > 1 && bits.starts_with('0')),
        ))
    });
    let detail = match parts {
        None => RANGE,
        Some((address, bits, _)) if bits > if address.is_ipv4() { 32 } else { 128 } => RANGE,
        Some((_, _, true)) => "must not have leading 0s in IP or prefix length",
        Some((address, ..)) if is_mapped(address) => "must not have an IPv4-mapped IPv6 address",
        Some((address, bits, _)) if ipnet::IpNet::new(address, bits).is_ok_and(|net| net.network() != address) => {
            "must not have bits set beyond the prefix length"
        }
        Some(_) => return,
    };
    errors.invalid(path, &text, detail);
}

/// What is odd about an address that is taken as it is.
pub(super) fn address_warning(path: &str, text: &str) -> Option<String> {
    let address = parse_sloppy(text)?;
    let plain = match address {
        IpAddr::V6(mapped) => mapped.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    if text.parse::<IpAddr>().is_err() || is_mapped(address) {
        return Some(format!(
            "{path}: non-standard IP address {text:?} will be considered invalid in a future Kubernetes release: use \
             \"{plain}\""
        ));
    }
    (plain.is_ipv6() && plain.to_string() != text)
        .then(|| format!("{path}: IPv6 address {text:?} should be in RFC 5952 canonical format (\"{plain}\")"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_strict_unless_they_were_there_before() {
        for (text, expected) in [
            ("10.9.8.7", None),
            ("FE80::0", None),
            ("010.9.8.7", Some("must not have leading 0s")),
            ("::ffff:1.2.3.4", Some("must not be an IPv4-mapped IPv6 address")),
            ("::ffff:01.2.3.4", Some("must not have leading 0s")),
            ("fe80::1%eth0", Some(ADDRESS)),
            ("300.1.1.1", Some(ADDRESS)),
            ("", Some(ADDRESS)),
            ("-1.2.3.4", Some(ADDRESS)),
        ] {
            assert_eq!(address_error(text, &[]), expected, "{text}");
        }
        assert_eq!(address_error("010.9.8.7", &["010.9.8.7"]), None);
    }

    #[test]
    fn ranges_are_strict_too() {
        let complaint = |text: &str| {
            let mut errors = Errors::default();
            range(&mut errors, &Path::root("r"), text, &["10.0.0.1/8"]);
            errors.0.first().map(|e| e.to_string().rsplit(": ").next().unwrap_or_default().to_string())
        };
        let refused = |text: &str, detail: &str| assert_eq!(complaint(text).as_deref(), Some(detail), "{text}");
        assert_eq!((complaint("10.0.0.0/8"), complaint("fd00::/64"), complaint("10.0.0.1/8")), (None, None, None));
        refused("10.0.0.2/8", "must not have bits set beyond the prefix length");
        refused("10.0.0.0/08", "must not have leading 0s in IP or prefix length");
        refused("010.0.0.0/8", "must not have leading 0s in IP or prefix length");
        refused("::ffff:10.0.0.0/104", "must not have an IPv4-mapped IPv6 address");
        for bad in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "x/8"] {
            refused(bad, RANGE);
        }
    }

    #[test]
    fn odd_forms_are_taken_with_a_warning() {
        assert_eq!(address_warning("a", "10.0.0.1"), None);
        assert_eq!(
            address_warning("a", "010.0.0.1").as_deref(),
            Some(
                "a: non-standard IP address \"010.0.0.1\" will be considered invalid in a future Kubernetes release: use \"10.0.0.1\""
            )
        );
        assert_eq!(
            address_warning("a", "FD00::1").as_deref(),
            Some("a: IPv6 address \"FD00::1\" should be in RFC 5952 canonical format (\"fd00::1\")")
        );
    }
}
