//! How a pod resolves names.

use k8s_openapi::api::core::v1::PodSpec;

use super::valid_address;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::names;

const NAMESERVERS_LIMIT: usize = 3;
const SEARCHES_LIMIT: usize = 32;
const SEARCHES_LIMIT_BYTES: usize = 2048;

/// `dnsConfig`
pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let config = spec.dns_config.as_ref();
    let (servers_path, searches_path) = (path.child("nameservers"), path.child("searches"));
    let servers = config.and_then(|c| c.nameservers.as_deref()).unwrap_or_default();
    if spec.dns_policy.as_deref() == Some("None") && servers.is_empty() {
        errors.required(&servers_path, "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    if servers.len() > NAMESERVERS_LIMIT {
        errors.invalid(&servers_path, &servers, &format!("must not have more than {NAMESERVERS_LIMIT} nameservers"));
    }
    for (index, server) in servers.iter().enumerate() {
        valid_address(errors, &servers_path.index(index), server);
    }
    let searches = config.and_then(|c| c.searches.as_deref()).unwrap_or_default();
    if searches.len() > SEARCHES_LIMIT {
        errors.invalid(&searches_path, &searches, &format!("must not have more than {SEARCHES_LIMIT} search paths"));
    }
    if searches.join(" ").len() > SEARCHES_LIMIT_BYTES {
        let detail =
            format!("must not have more than {SEARCHES_LIMIT_BYTES} characters (including spaces) in the search list");
        errors.invalid(&searches_path, &searches, &detail);
    }
    for (index, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        // Underscores and a final dot are what resolvers take and Kubernetes' own names have not.
        let plain = search.strip_suffix('.').unwrap_or(search).replace('_', "-");
        for detail in names::dns1123_subdomain(plain.trim_matches('-')) {
            errors.invalid(&searches_path.index(index), search, &detail);
        }
    }
    for (index, option) in config.and_then(|c| c.options.as_ref()).into_iter().flatten().enumerate() {
        if option.name.as_deref().unwrap_or_default().is_empty() {
            errors.required(&path.child("options").index(index), "must not be empty");
        }
    }
}
