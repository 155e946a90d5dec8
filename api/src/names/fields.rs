//! Names that stand in the fields of an object: keys, variables, ports, headers.

use super::{SUBDOMAIN_MAX_BYTES, length_errors, lower_or_digit, out_of_range};

const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
     or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
const HTTP_HEADER: &str = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', \
     regex used for validation is '[-A-Za-z0-9]+')";

/// The name of an environment variable (relaxed since Kubernetes 1.34, KEP-4369).
pub fn env_var_name(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec!["environment variable name must be non-empty".to_string()];
    }
    let allowed = text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=');
    if allowed { Vec::new() } else { vec![ENV_NAME.to_string()] }
}

/// A key of a ConfigMap or Secret, which becomes a file name.
pub fn config_map_key(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, SUBDOMAIN_MAX_BYTES);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(allowed) {
        errors.push(CONFIG_KEY.to_string());
    }
    match text {
        "." => errors.push("must not be '.'".to_string()),
        ".." => errors.push("must not be '..'".to_string()),
        _ if text.starts_with("..") => errors.push("must not start with '..'".to_string()),
        _ => {}
    }
    errors
}

/// The name of a port (IANA service name, RFC 6335, in lower case).
pub fn port_name(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, 15);
    if text.is_empty() || !text.bytes().all(|b| lower_or_digit(b) || b == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_string());
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_string());
    }
    if text.contains("--") {
        errors.push("must not contain consecutive hyphens".to_string());
    }
    if text.starts_with('-') || text.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_string());
    }
    errors
}

/// A port number.
pub fn port_number(port: i64) -> Vec<String> {
    if (1..=65535).contains(&port) { Vec::new() } else { vec![out_of_range(1, 65535)] }
}

/// The name of an HTTP header.
pub fn http_header_name(text: &str) -> Vec<String> {
    let allowed = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if allowed { Vec::new() } else { vec![HTTP_HEADER.to_string()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_fields() {
        assert_eq!(
            port_name("--"),
            [
                "must contain at least one letter (a-z)",
                "must not contain consecutive hyphens",
                "must not begin or end with a hyphen",
            ]
        );
        assert_eq!(config_map_key("..x"), ["must not start with '..'"]);
        assert_eq!(env_var_name("A=B").len(), 1);
        assert!(env_var_name("my.env-name 1").is_empty());
    }
}
