//! `spec.conversion`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{list, text};
use crate::cel::Url;
use crate::field::{FieldError, Path};
use crate::names::dns1035_label;

/// Versions of ConversionReview that are understood.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
/// What a certificate begins with in DER.
const DER_SEQUENCE: u8 = 0x30;

/// Errors in the conversion.
pub(super) fn errors(conversion: &Value, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match text(conversion, "strategy") {
        "Webhook" => {
            webhook(&conversion["webhook"], path, &mut errors);
            return errors;
        }
        "None" => {}
        "" => errors.push(FieldError::required(&path.child("strategy"), "")),
        other => errors.push(FieldError::not_supported(&path.child("strategy"), &json!(other), &["None", "Webhook"])),
    }
    let webhook = &conversion["webhook"];
    let is_said = [webhook["clientConfig"].is_object(), !list(webhook, "conversionReviewVersions").is_empty()];
    for (field, _) in ["webhookClientConfig", "conversionReviewVersions"].into_iter().zip(is_said).filter(|pair| pair.1)
    {
        let detail = "should not be set when strategy is not set to Webhook";
        errors.push(FieldError::forbidden(&path.child(field), detail));
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
        let bundle = text(config, "caBundle");
        if let Err(why) = bundle_errors(bundle) {
            let detail = format!("unable to load root certificates: {why}");
            errors.push(FieldError::invalid(&config_path.child("caBundle"), &json!(bundle), &detail));
        }
    }
    review_versions(webhook, &path.child("conversionReviewVersions"), errors);
}

/// What is wrong with a bundle of certificates in base64: none at all is as good as one.
fn bundle_errors(bundle: &str) -> Result<(), &'static str> {
    let (begin, end) = ("-----BEGIN ", "-----END ");
    // What is no base64 at all has been refused when the definition was decoded.
    let pem = STANDARD.decode(bundle).unwrap_or_default();
    let mut rest = &*String::from_utf8_lossy(&pem);
    if rest.is_empty() {
        return Ok(());
    }
    while !rest.is_empty() {
        let block = rest.split_once(begin).and_then(|(_, block)| block.split_once(end));
        let Some((block, after)) = block else { return Err("unable to parse bytes as PEM block") };
        if let Some(body) = block.strip_prefix("CERTIFICATE-----") {
            let der = STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap_or_default();
            // A certificate is a sequence, whatever is in it.
            return if der.first() == Some(&DER_SEQUENCE) { Ok(()) } else { Err("failed to parse certificate") };
        }
        rest = after.split_once('\n').map_or("", |(_, rest)| rest);
    }
    Err("no valid certificate authority data seen")
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
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        if !seen.insert(version) {
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
