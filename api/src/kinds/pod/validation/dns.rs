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
    let without = spec.dns_policy.as_deref() == Some("None");
    let Some(config) = &spec.dns_config else {
        if without {
            errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        return;
    };
    let (servers_path, searches_path) = (path.child("nameservers"), path.child("searches"));
    let servers = config.nameservers.as_deref().unwrap_or_default();
    if without && servers.is_empty() {
        return errors.required(&servers_path, "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    if servers.len() > NAMESERVERS_LIMIT {
        errors.invalid(&servers_path, &servers, &format!("must not have more than {NAMESERVERS_LIMIT} nameservers"));
    }
    for (index, server) in servers.iter().enumerate() {
        valid_address(errors, &servers_path.index(index), server);
    }
    let searches = config.searches.as_deref().unwrap_or_default();
    if searches.len() > SEARCHES_LIMIT {
        errors.invalid(&searches_path, &searches, &format!("must not have more than {SEARCHES_LIMIT} search paths"));
    }
    if searches.join(" ").len() > SEARCHES_LIMIT_BYTES {
        let detail =
            format!("must not have more than {SEARCHES_LIMIT_BYTES} characters (including spaces) in the search list");
        errors.invalid(&searches_path, &searches, &detail);
    }
    for (index, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        errors.named(&searches_path.index(index), search, names::subdomain_with_underscores);
    }
    for (index, option) in config.options.iter().flatten().enumerate() {
        if option.name.as_deref().unwrap_or_default().is_empty() {
            errors.required(&path.child("options").index(index), "must not be empty");
        }
    }
}
