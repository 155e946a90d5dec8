//! Where a webhook is: a URL or a Service (`k8s.io/apiserver/pkg/util/webhook/validation.go`).

use serde_json::Value;

use super::check::Errors;
use super::json::{has, integer, part, text};
use crate::field::Path;
use crate::names;

const FORM: &str = "; desired format: https://host[/path]";

/// Exactly one of `url` and `service`.
pub(super) fn validate(errors: &mut Errors, config: &Value, path: &Path) {
    match (has(config, "url"), has(config, "service")) {
        (true, false) => url(errors, text(config, "url"), &path.child("url")),
        (false, true) => service(errors, &part(config, "service"), &path.child("service")),
        _ => errors.required(path, "exactly one of url or service is required"),
    }
}

fn url(errors: &mut Errors, url: &str, path: &Path) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if scheme != "https" {
        errors.invalid(path, &scheme, &format!("'https' is the only allowed URL scheme{FORM}"));
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if host.is_empty() || scheme.is_empty() {
        errors.invalid(path, &"", &format!("host must be specified{FORM}"));
    }
    for (part, what) in [
        (user, "user information is not permitted in the URL"),
        (fragment, "fragments are not permitted in the URL"),
        (query, "query parameters are not permitted in the URL"),
    ] {
        if !part.is_empty() {
            errors.invalid(path, &part, what);
        }
    }
}

fn service(errors: &mut Errors, service: &Value, path: &Path) {
    if text(service, "name").is_empty() {
        errors.required(&path.child("name"), "service name is required");
    }
    if text(service, "namespace").is_empty() {
        errors.required(&path.child("namespace"), "service namespace is required");
    }
    let port = if has(service, "port") { integer(service, "port") } else { 443 };
    let details = names::port_number(port);
    if !details.is_empty() {
        errors.invalid(&path.child("port"), &port, &format!("port is not valid: {}", details.join(",")));
    }
    url_path(errors, text(service, "path"), &path.child("path"));
}

fn url_path(errors: &mut Errors, url_path: &str, path: &Path) {
    match url_path {
        "" | "/" => return,
        "//" => return errors.invalid(path, &url_path, "segment[0] may not be empty"),
        _ => {}
    }
    let Some(segments) = url_path.strip_prefix('/') else {
        return errors.invalid(path, &url_path, "must start with a '/'");
    };
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    for (index, segment) in segments.split('/').enumerate() {
        if segment.is_empty() {
            errors.invalid(path, &url_path, &format!("segment[{index}] may not be empty"));
            continue;
        }
        for detail in names::dns1123_subdomain(segment) {
            errors.invalid(path, &url_path, &format!("segment[{index}]: {detail}"));
        }
    }
}
