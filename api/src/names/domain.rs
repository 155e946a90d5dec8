//! Names that begin with the domain of who has chosen them.

use serde_json::json;

use super::dns1123_subdomain;
use crate::field::{FieldError, Path};

/// Signs of a path in a URL besides letters and digits.
const PATH_SIGNS: &[u8] = b"/-._~%!$&'()*+,;=:";
const INVALID_PATH: &str = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/// What is wrong with a name that should be like `example.com/name` (`IsDomainPrefixedPath`).
pub fn domain_path(path: &Path, text: &str) -> Vec<FieldError> {
    let invalid = |part: &str, detail: &str| FieldError::invalid(path, &json!(part), detail);
    match text.split_once('/') {
        _ if text.is_empty() => vec![FieldError::required(path, "")],
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            let mut errors: Vec<_> = dns1123_subdomain(domain).iter().map(|detail| invalid(domain, detail)).collect();
            if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || PATH_SIGNS.contains(&b)) {
                errors.push(invalid(rest, INVALID_PATH));
            }
            errors
        }
        _ => vec![invalid(text, "must be a domain-prefixed path (such as \"acme.io/foo\")")],
    }
}
