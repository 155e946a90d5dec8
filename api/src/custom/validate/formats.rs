//! `format` of strings (`k8s.io/kube-openapi/pkg/validation/strfmt`, `apiextensions-apiserver/pkg/apiserver/validation/formats.go`).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use regex::Regex;

use crate::cel::{Url, parse_duration, parse_timestamp};
use crate::names;

/// Formats that are checked, dashes left out. Others say nothing.
const KNOWN: [&str; 26] = [
    "bsonobjectid",
    "uri",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "cidr",
    "mac",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
    "hexcolor",
    "rgbcolor",
    "byte",
    "password",
    "date",
    "duration",
    "datetime",
    "k8sshortname",
    "k8slongname",
];

/// Whether values are checked by this format. Those of numbers, such as `int32`, are not among them.
pub fn format_is_known(format: &str) -> bool {
    KNOWN.contains(&normalized(format).as_str())
}

/// Whether a text is of the format. Formats that nobody knows fit everything.
pub fn format_matches(format: &str, text: &str) -> bool {
    match normalized(format).as_str() {
        "datetime" => is_date_time(text),
        "date" => is_date(text),
        "duration" => parse_duration(text).is_some(),
        "byte" => !text.is_empty() && STANDARD.decode(text).is_ok(),
        "email" => is_email(text),
        "hostname" => text.len() <= 255 && text.split('.').all(|part| part.len() <= 63) && HOSTNAME.is_match(text),
        "ipv4" => text.contains('.') && text.parse::<IpAddr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => text.parse::<IpNet>().is_ok(),
        "mac" => is_mac(text),
        "uri" => Url::parse(text).is_some(),
        "uuid" => UUID.is_match(text),
        "uuid3" => UUID.is_match(text) && digit(text, 12) == Some('3'),
        "uuid4" => UUID.is_match(text) && digit(text, 12) == Some('4') && has_variant(text),
        "uuid5" => UUID.is_match(text) && digit(text, 12) == Some('5') && has_variant(text),
        "bsonobjectid" => text.len() == 24 && is_hex(text),
        "creditcard" => is_credit_card(text),
        "isbn" => is_isbn(text, 10) || is_isbn(text, 13),
        "isbn10" => is_isbn(text, 10),
        "isbn13" => is_isbn(text, 13),
        "ssn" => ["ddd-dd-dddd", "ddd dd dddd", "ddd-dd dddd", "ddd dd-dddd"].iter().any(|s| matches_shape(text, s)),
        "hexcolor" => is_hex_color(text),
        "rgbcolor" => is_rgb_color(text),
        "k8sshortname" => names::dns1123_label(text).is_empty(),
        "k8slongname" => names::dns1123_subdomain(text).is_empty(),
        _ => true,
    }
}

/// Dashes in names of formats mean nothing.
fn normalized(format: &str) -> String {
    format.replace('-', "")
}

/// A pattern that is written here.
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the expression is a constant that compiles")
}

/// One name with at most one dash, or several with a top-level domain of letters. Symbols of every kind are letters.
static HOSTNAME: LazyLock<Regex> = LazyLock::new(|| {
    let (any, inner) = (r"[a-zA-Z0-9\p{S}\p{L}]", r"[a-zA-Z0-9\-\p{S}\p{L}]");
    constant(&format!(
        r"^({any}((-?{any}{{0,62}})?)|({any}(({inner}{{0,61}}{any})?)(\.)){{1,}}([a-zA-Z\p{{L}}]){{2,63}})$"
    ))
});

/// With or without each of its dashes.
static UUID: LazyLock<Regex> =
    LazyLock::new(|| constant(r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"));

/// A digit of a UUID, dashes not counted.
fn digit(text: &str, index: usize) -> Option<char> {
    text.chars().filter(|c| *c != '-').nth(index)
}

fn has_variant(uuid: &str) -> bool {
    matches!(digit(uuid, 16), Some('8' | '9' | 'a' | 'b' | 'A' | 'B'))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && parse_timestamp(text).is_some()
}

static TIME: LazyLock<Regex> =
    LazyLock::new(|| constant(r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$"));

/// A day, `T` and a time, all in either case.
fn is_date_time(text: &str) -> bool {
    let text = text.to_lowercase();
    let Some((day, time)) = text.split_once('t') else { return false };
    let Some(parts) = TIME.captures(time) else { return false };
    is_date(day) && &parts[1] <= "23" && &parts[2] <= "59" && &parts[3] <= "59"
}

static CREDIT_CARD: LazyLock<Regex> = LazyLock::new(|| {
    let issuers = [
        r"4[0-9]{12}(?:[0-9]{3})?",
        r"5[1-5][0-9]{14}",
        r"6(?:011|5[0-9][0-9])[0-9]{12}",
        r"3[47][0-9]{13}",
        r"3(?:0[0-5]|[68][0-9])[0-9]{11}",
        r"(?:2131|1800|35\d{3})\d{11}",
    ];
    constant(&format!("^(?:{})$", issuers.join("|")))
});

/// A number of an issuer, with whatever between the digits, whose last digit is right (ISO/IEC 7812-1).
fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let doubled = |index: usize, digit: u32| match (index % 2, digit * 2) {
        (0, _) => digit,
        (_, twice) => twice % 10 + twice / 10,
    };
    let sum: u32 = digits.chars().rev().filter_map(|c| c.to_digit(10)).enumerate().map(|(i, d)| doubled(i, d)).sum();
    CREDIT_CARD.is_match(&digits) && sum.is_multiple_of(10)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An address as in the head of a mail: with or without a name before it.
fn is_email(text: &str) -> bool {
    let address = match text.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => match name.trim() {
            quoted if quoted.starts_with('"') => {
                if quoted.len() > 1 && quoted.ends_with('"') {
                    address
                } else {
                    return false;
                }
            }
            name if name.contains(['@', '"', '<', '>', ',', ';', ':', '(', ')']) => return false,
            _ => address,
        },
        None => text.trim(),
    };
    let Some((name, domain)) = address.rsplit_once('@') else { return false };
    let fits = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let is_dotted = |text: &str| text.split('.').all(|part| !part.is_empty() && part.chars().all(fits));
    is_dotted(name) && is_dotted(domain)
}

fn is_mac(text: &str) -> bool {
    let (separator, digits) = match text.chars().find(|c| matches!(c, ':' | '-' | '.')) {
        Some('.') => ('.', 4),
        Some(separator) => (separator, 2),
        None => return false,
    };
    let parts: Vec<&str> = text.split(separator).collect();
    let bytes = parts.len() * digits / 2;
    matches!(bytes, 6 | 8 | 20) && parts.iter().all(|part| part.len() == digits && is_hex(part))
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
    constant(&format!(r"^rgb\({part},{part},{part}\)$"))
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
            ("datetime", "2014-12-15t19:30:20.000z", "2014-12-15T19:30:60Z"),
            ("date-time", "2014-12-15T19:30:20+02:00", "2014-12-15 19:30:20Z"),
            ("date", "2020-02-29", "2020-02-30"),
            ("duration", "1h30m", "1x"),
            ("duration", "3 days", "days"),
            ("byte", "aGk=", "a"),
            ("byte", "aGkh", ""),
            ("email", "a@b.c", "a"),
            ("email", "Jane Doe <jane@example.com>", "Jane <jane@example.com"),
            ("email", "\"Doe, Jane\" <jane@example.com>", "jane@"),
            ("hostname", "a-b.example.com", "-a"),
            ("hostname", "localhost", "a_b.com"),
            ("hostname", "xn--abc.example", "a.b-c"),
            ("ipv4", "1.2.3.4", "1.2.3"),
            ("ipv4", "::ffff:1.2.3.4", "::1"),
            ("ipv6", "::1", "1.2.3.4"),
            ("cidr", "10.0.0.0/8", "10.0.0.0"),
            ("mac", "01:23:45:67:89:ab", "01:23"),
            ("mac", "0123.4567.89ab", "0123456789ab"),
            ("uri", "https://a.b/c", "a b"),
            ("uuid", "8a1f0c1e-3f3c-4f6b-9d6a-0d7f2f9f6a1b", "8a1f"),
            ("uuid", "8A1F0C1E3F3C4F6B9D6A0D7F2F9F6A1B", "8a1f0c1e-3f3c-4f6b-9d6a-0d7f2f9f6a1"),
            ("uuid3", "8a1f0c1e-3f3c-3f6b-0d6a-0d7f2f9f6a1b", "8a1f0c1e-3f3c-4f6b-9d6a-0d7f2f9f6a1b"),
            ("uuid4", "8a1f0c1e-3f3c-4f6b-9d6a-0d7f2f9f6a1b", "8a1f0c1e-3f3c-5f6b-9d6a-0d7f2f9f6a1b"),
            ("uuid5", "8a1f0c1e-3f3c-5f6b-9d6a-0d7f2f9f6a1b", "8a1f0c1e-3f3c-5f6b-cd6a-0d7f2f9f6a1b"),
            ("isbn", "0321751043", "0321751044"),
            ("isbn13", "978-0321751041", "978-0321751042"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("ssn", "111-11-1111", "111"),
            ("ssn", "111 11 1111", "111111111"),
            ("hexcolor", "#fff", "#ffff"),
            ("rgbcolor", "rgb(1, 2, 255)", "rgb(1, 2, 256)"),
            ("k8s-short-name", "a-b", "A"),
            ("k8s-long-name", "a.b", "a..b"),
            ("bsonobjectid", "507f1f77bcf86cd799439011", "507f1f77bcf86cd79943901"),
        ] {
            assert!(format_matches(format, good), "{format} {good}");
            assert!(!format_matches(format, bad), "{format} {bad}");
            assert!(format_is_known(format), "{format}");
        }
        assert!(format_matches("what", "ever"));
        assert!(!format_is_known("int32") && !format_is_known("what"));
    }
}
