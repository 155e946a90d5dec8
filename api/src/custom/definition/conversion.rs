//! `spec.conversion`.

use serde_json::{Value, json};

use super::{list, text};
use crate::cel::Url;
use crate::field::{FieldError, Path};
use crate::names::dns1035_label;

/// Versions of ConversionReview that are understood.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Errors in the conversion.
pub(super) fn errors(conversion: &Value, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match text(conversion, "strategy") {
        "" => errors.push(FieldError::required(&path.child("strategy"), "")),
        "None" => {
            if conversion.get("webhook").is_some_and(|webhook| !webhook.is_null()) {
                let detail = "should not be set when strategy is not set to Webhook";
                errors.push(FieldError::forbidden(&path.child("webhookClientConfig"), detail));
            }
        }
        "Webhook" => webhook(&conversion["webhook"], path, &mut errors),
        other => errors.push(FieldError::not_supported(&path.child("strategy"), &json!(other), &["None", "Webhook"])),
    }
    errors
}

fn webhook(webhook: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let config_path = path.child("webhookClientConfig");
    let config = &webhook["clientConfig"];
    if !config.is_object() {
        errors.push(FieldError::required(&config_path, "required when strategy is set to Webhook"));
    } else {
        match (config.get("url").and_then(Value::as_str), config.get("service").filter(|service| service.is_object())) {
            (Some(url), None) => url_errors(url, &config_path.child("url"), errors),
            (None, Some(service)) => service_errors(service, &config_path.child("service"), errors),
            _ => errors.push(FieldError::required(&config_path, "exactly one of url or service is required")),
        }
    }
    review_versions(webhook, &path.child("conversionReviewVersions"), errors);
}

fn url_errors(text: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let form = "; desired format: https://host[/path]";
    let value = json!(text);
    let Some(url) = Url::parse(text) else {
        errors.push(FieldError::required(path, &format!("url must be a valid URL: parse {text:?}: invalid URI{form}")));
        return;
    };
    if url.scheme() != "https" {
        let detail = format!("'https' is the only allowed URL scheme{form}");
        errors.push(FieldError::invalid(path, &json!(url.scheme()), &detail));
    }
    if url.host().is_empty() {
        errors.push(FieldError::invalid(path, &json!(url.host()), &format!("host must be specified{form}")));
    }
    for (sign, what) in [('@', "user information"), ('#', "fragments"), ('?', "query parameters")] {
        if text.contains(sign) {
            let detail = format!("{what} {} not permitted in the URL", if sign == '@' { "is" } else { "are" });
            errors.push(FieldError::invalid(path, &value, &detail));
        }
    }
}

fn service_errors(service: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    for (field, what) in [("name", "service name is required"), ("namespace", "service namespace is required")] {
        if text(service, field).is_empty() {
            errors.push(FieldError::required(&path.child(field), what));
        }
    }
    let port = service.get("port").and_then(Value::as_i64).unwrap_or(443);
    if !(1..=65535).contains(&port) {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid(&path.child("port"), &json!(port), detail));
    }
    let Some(url_path) = service.get("path").and_then(Value::as_str).filter(|path| !path.is_empty()) else { return };
    let value = json!(url_path);
    let path = path.child("path");
    if !url_path.starts_with('/') {
        errors.push(FieldError::invalid(&path, &value, "must start with a '/'"));
    }
    if url_path.contains("//") {
        errors.push(FieldError::invalid(&path, &value, "segment may not be empty"));
    }
}

fn review_versions(webhook: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let versions: Vec<&str> = list(webhook, "conversionReviewVersions").iter().filter_map(Value::as_str).collect();
    if versions.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        if versions[..index].contains(version) {
            errors.push(FieldError::invalid(&path.index(index), &json!(version), "duplicate version"));
            continue;
        }
        let details = dns1035_label(version);
        errors.extend(details.iter().map(|detail| FieldError::invalid(&path.index(index), &json!(version), detail)));
    }
    if !versions.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        let detail = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        errors.push(FieldError::invalid(path, &json!(versions), &detail));
    }
}
