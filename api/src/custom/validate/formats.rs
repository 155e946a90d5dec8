//! `format` of strings (`k8s.io/kube-openapi/pkg/validation/strfmt`, `apiextensions-apiserver/pkg/apiserver/validation/formats.go`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use regex::Regex;

use crate::cel::{Url, parse_duration, parse_timestamp};
use crate::names;

/// Whether a text is of the format. Formats that nobody knows fit everything.
pub fn format_matches(format: &str, text: &str) -> bool {
    match normalized(format).as_str() {
        "datetime" => text.len() > 10 && parse_timestamp(text).is_some(),
        "date" => text.len() == 10 && parse_timestamp(text).is_some(),
        "duration" => parse_duration(text).is_some(),
        "byte" => STANDARD.decode(text).is_ok(),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "ip" => text.parse::<IpAddr>().is_ok(),
        "cidr" => text.parse::<IpNet>().is_ok(),
        "mac" => is_mac(text),
        "uri" => Url::parse(text).is_some(),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(text, normalized(format).as_bytes().get(4).copied()),
        "bsonobjectid" => text.len() == 24 && is_hex(text),
        "creditcard" => is_digits(text, 13, 19),
        "isbn" => is_isbn(text, 10) || is_isbn(text, 13),
        "isbn10" => is_isbn(text, 10),
        "isbn13" => is_isbn(text, 13),
        "ssn" => matches_shape(text, "ddd-dd-dddd"),
        "hexcolor" => is_hex_color(text),
        "rgbcolor" => is_rgb_color(text),
        "k8sshortname" => names::dns1123_label(text).is_empty(),
        "k8slongname" => names::dns1123_subdomain(text).is_empty(),
        _ => true,
    }
}

/// Dashes in names of formats mean nothing.
pub(super) fn normalized(format: &str) -> String {
    format.replace('-', "")
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_digits(text: &str, least: usize, most: usize) -> bool {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    (least..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let fits = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let dotted = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
    !name.is_empty() && dotted && name.chars().all(fits) && is_hostname(domain)
}

fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        !label.is_empty() && label.len() <= 63 && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    !text.is_empty() && text.len() <= 255 && text.split('.').all(label)
}

fn is_mac(text: &str) -> bool {
    let separator = if text.contains(':') { ':' } else { '-' };
    let parts: Vec<&str> = text.split(separator).collect();
    matches!(parts.len(), 6 | 8 | 20) && parts.iter().all(|part| part.len() == 2 && is_hex(part))
}

/// A UUID, with or without dashes; `version` is the digit that says which.
fn is_uuid(text: &str, version: Option<u8>) -> bool {
    let plain = text.replace('-', "");
    let shape = plain.len() == 32 && is_hex(&plain) && (plain.len() == text.len() || text.len() == 36);
    let variant = |byte: Option<&u8>| matches!(byte, Some(b'8' | b'9' | b'a' | b'b' | b'A' | b'B'));
    shape
        && match version {
            None => true,
            Some(b'3') => plain.as_bytes()[12] == b'3',
            Some(digit) => plain.as_bytes()[12] == digit && variant(plain.as_bytes().get(16)),
        }
}

fn is_isbn(text: &str, length: usize) -> bool {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| if c == 'X' && length == 10 { Some(10) } else { c.to_digit(10) })
        .collect::<Option<_>>()
        .unwrap_or_default();
    if digits.len() != length {
        return false;
    }
    let weight = |index: usize| if length == 10 { 10 - index as u32 } else { 1 + 2 * (index as u32 % 2) };
    let sum: u32 = digits.iter().enumerate().map(|(index, digit)| digit * weight(index)).sum();
    sum.is_multiple_of(if length == 10 { 11 } else { 10 })
}

/// Whether the text has the shape, `d` standing for a digit.
fn matches_shape(text: &str, shape: &str) -> bool {
    let pair = |(c, wanted): (char, char)| if wanted == 'd' { c.is_ascii_digit() } else { c == wanted };
    text.chars().count() == shape.len() && text.chars().zip(shape.chars()).all(pair)
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && is_hex(digits)
}

static RGB: LazyLock<Regex> = LazyLock::new(|| {
    let part = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*";
    Regex::new(&format!(r"^rgb\({part},{part},{part}\)$")).expect("the expression is a constant that compiles")
});

fn is_rgb_color(text: &str) -> bool {
    RGB.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (format, good, bad) in [
            ("date-time", "2020-01-01T00:00:00Z", "2020-01-01"),
            ("date", "2020-02-29", "2020-02-30"),
            ("duration", "1h30m", "1x"),
            ("duration", "3 days", "days"),
            ("byte", "aGk=", "a"),
            ("email", "a@b.c", "a"),
            ("hostname", "a.b-c", "-a"),
            ("ipv4", "1.2.3.4", "1.2.3"),
            ("ipv6", "::1", "1.2.3.4"),
            ("cidr", "10.0.0.0/8", "10.0.0.0"),
            ("mac", "01:23:45:67:89:ab", "01:23"),
            ("uri", "https://a.b/c", "a b"),
            ("uuid", "8a1f0c1e-3f3c-4f6b-9d6a-0d7f2f9f6a1b", "8a1f"),
            ("uuid4", "8a1f0c1e-3f3c-4f6b-9d6a-0d7f2f9f6a1b", "8a1f0c1e-3f3c-5f6b-9d6a-0d7f2f9f6a1b"),
            ("isbn", "0321751043", "0321751044"),
            ("isbn13", "978-0321751041", "978-0321751042"),
            ("ssn", "111-11-1111", "111"),
            ("hexcolor", "#fff", "#ffff"),
            ("rgbcolor", "rgb(1, 2, 255)", "rgb(1, 2, 256)"),
            ("k8s-short-name", "a-b", "A"),
        ] {
            assert!(format_matches(format, good), "{format} {good}");
            assert!(!format_matches(format, bad), "{format} {bad}");
        }
        assert!(format_matches("what", "ever"));
    }
}
