//! What a configuration must be, with Kubernetes' words.
//! Source: `staging/src/k8s.io/apiserver/pkg/apis/apiserver/validation/validation_encryption.go`, and for masked rules
//! `pkg/server/options/encryptionconfig/config.go` there.

use super::cipher::Cipher;
use super::config::{Configuration, KeyConfiguration, ProviderConfiguration};
use super::names::Name;

/// Resources of Kubernetes' storage that are no resources of its API.
const NOT_IN_THE_API: [&str; 3] = ["apiserveripinfo", "serviceipallocations", "servicenodeportallocations"];

/// All that is wrong with a configuration.
pub(super) fn errors(config: &Configuration) -> Vec<String> {
    let mut errors = Vec::new();
    if config.resources.is_empty() {
        return vec!["resources: Required value: at least one resources is required".into()];
    }
    for (at, part) in config.resources.iter().enumerate() {
        let (resources, providers) = (format!("resources[{at}].resources"), format!("resources[{at}].providers"));
        if part.resources.is_empty() {
            errors.push(format!("{resources}: Required value: at least one {resources} is required"));
        }
        overlaps(&resources, &part.resources, &mut errors);
        for (at, name) in part.resources.iter().enumerate() {
            errors.extend(name_error(name).map(|error| invalid(&format!("{resources}[{at}]"), name, error)));
        }
        if part.providers.is_empty() {
            errors.push(format!("{providers}: Required value: at least one {providers} is required"));
        }
        for (at, provider) in part.providers.iter().enumerate() {
            provider_errors(&format!("{providers}[{at}]"), provider, &mut errors);
        }
    }
    if errors.is_empty() {
        errors.extend(masked(config));
    }
    errors
}

fn invalid(path: &str, value: &str, error: &str) -> String {
    format!("{path}: Invalid value: {value:?}: {error}")
}

fn overlaps(path: &str, resources: &[String], errors: &mut Vec<String>) {
    let names: Vec<_> = resources.iter().map(|name| Name::parse(name)).collect();
    let pairs = || names.iter().enumerate().flat_map(|(at, one)| names[..at].iter().map(move |other| (one, other)));
    let overlap = |(one, other): (&Name<'_>, &Name<'_>)| {
        let all = one.is_everything() || other.is_everything();
        one != other && (all || one.group == other.group && (one.resource == "*" || other.resource == "*"))
    };
    let mut found = |error: &str| errors.push(format!("{path}: Invalid value: {resources:?}: {error}"));
    if pairs().any(|(one, other)| one == other) {
        found("the same resource cannot be specified multiple times");
    }
    if pairs().any(overlap) {
        found(
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they \
             will be masked",
        );
    }
}

fn name_error(name: &str) -> Option<&'static str> {
    let Name { resource, group } = Name::parse(name);
    if name.to_lowercase() != name {
        return Some("resource name should not contain capital letters");
    }
    match (resource, group) {
        ("*", "") if !name.contains('.') => {
            Some("use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources")
        }
        _ if NOT_IN_THE_API.contains(&name) => Some("resources which do not have REST API/s cannot be encrypted"),
        (_, "events.k8s.io") => Some(
            "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the \
             config file",
        ),
        (_, "extensions") => Some("'extensions' group has been removed and cannot be used for encryption"),
        ("*", "*") => None,
        (_, "*") => Some("encrypting the same resource across groups is not supported"),
        _ => None,
    }
}

/// Rules that an earlier, more general one has made ineffective.
fn masked(config: &Configuration) -> Option<String> {
    let mut earlier: Vec<Name<'_>> = Vec::new();
    for text in config.resources.iter().flat_map(|part| &part.resources) {
        let name = Name::parse(text);
        let masks = |mask: &&Name<'_>| {
            **mask != name && mask.resource == "*" && (mask.group == name.group || mask.is_everything())
        };
        if let Some(mask) = earlier.iter().find(masks) {
            return Some(format!("resource {text:?} is masked by earlier rule {:?}", format!("*.{}", mask.group)));
        }
        earlier.push(name);
    }
    None
}

fn provider_errors(path: &str, provider: &ProviderConfiguration, errors: &mut Vec<String>) {
    let kinds =
        provider.keys().count() + usize::from(provider.identity.is_some()) + usize::from(provider.kms.is_some());
    if kinds > 1 {
        errors.push(format!(
            "{path}: Invalid value: more than one provider specified in a single element, should split into different \
             list elements"
        ));
        return;
    }
    if kinds == 0 {
        errors.push(format!(
            "{path}: Invalid value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, \
             Secretbox, Identity"
        ));
    }
    if provider.kms.is_some() {
        errors.push(format!("{path}.kms: Forbidden: KMS plugins are not supported, only keys in this file"));
    }
    for (cipher, keys) in provider.keys() {
        let path = format!("{path}.{}.keys", cipher.name());
        if keys.keys.is_empty() {
            errors.push(format!("{path}: Required value: at least one keys is required"));
        }
        for (at, key) in keys.keys.iter().enumerate() {
            key_errors(&format!("{path}[{at}]"), cipher, key, errors);
        }
    }
}

fn key_errors(path: &str, cipher: Cipher, key: &KeyConfiguration, errors: &mut Vec<String>) {
    let required = |field: &str| format!("{path}.{field}: Required value: {field} is a mandatory field for a key");
    if key.name.is_empty() {
        errors.push(required("name"));
    }
    if key.secret.is_empty() {
        errors.push(required("secret"));
        return;
    }
    let secret = |error: &str| invalid(&format!("{path}.secret"), "REDACTED", error);
    match key.decoded() {
        None => errors.push(secret("secrets must be base64 encoded")),
        Some(bytes) if !cipher.secret_bytes().contains(&bytes.len()) => {
            let lengths: Vec<_> = cipher.secret_bytes().iter().map(usize::to_string).collect();
            errors.push(secret(&format!(
                "secret is not of the expected length, got {}, expected one of [{}]",
                bytes.len(),
                lengths.join(" ")
            )));
        }
        Some(_) => {}
    }
}
