//! The `EncryptionConfiguration`, from YAML to [`Encryption`].
//! Source: `staging/src/k8s.io/apiserver/pkg/server/options/encryptionconfig/config.go`.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::cipher::Cipher;
use super::file::Source;
use super::key::NamedKey;
use super::names::Name;
use super::validation::errors;
use super::{Encryption, EncryptionError, Provider, Providers};

const API_VERSION: &str = "apiserver.config.k8s.io/v1";
const KIND: &str = "EncryptionConfiguration";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Configuration {
    api_version: String,
    kind: String,
    #[serde(default)]
    pub(super) resources: Vec<ResourceConfiguration>,
}

/// Some resources and how they are stored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceConfiguration {
    #[serde(default)]
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) providers: Vec<ProviderConfiguration>,
}

/// One way to store them: one of these.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderConfiguration {
    pub(super) aesgcm: Option<Keys>,
    pub(super) aescbc: Option<Keys>,
    pub(super) secretbox: Option<Keys>,
    pub(super) identity: Option<Identity>,
    pub(super) kms: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    #[serde(default)]
    pub(super) keys: Vec<KeyConfiguration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyConfiguration {
    #[serde(default)]
    pub(super) name: String,
    /// In base64.
    #[serde(default)]
    pub(super) secret: String,
}

impl ProviderConfiguration {
    /// Its keys, if it is of a kind that has some.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Cipher, &Keys)> {
        let all =
            [(Cipher::AesGcm, &self.aesgcm), (Cipher::AesCbc, &self.aescbc), (Cipher::SecretBox, &self.secretbox)];
        all.into_iter().filter_map(|(cipher, keys)| Some((cipher, keys.as_ref()?)))
    }
}

impl KeyConfiguration {
    /// The secret itself, if it is base64.
    pub(super) fn decoded(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.secret).ok()
    }
}

/// Reads a configuration. Nothing that is wrong with it is answered with a part of a key.
pub(super) fn parse(text: &str, origin: &Path) -> Result<Encryption, EncryptionError> {
    let invalid = |reason: String| EncryptionError::Invalid { path: origin.to_owned(), reason };
    let config: Configuration = serde_yaml::from_str(text).map_err(|error| invalid(located(&error)))?;
    if config.api_version != API_VERSION || config.kind != KIND {
        return Err(invalid(format!(
            "expected kind {KIND:?} of {API_VERSION:?}, not kind {:?} of {:?}",
            config.kind, config.api_version
        )));
    }
    let mut found = errors(&config);
    if found.len() > 1 {
        return Err(invalid(format!("[{}]", found.join(", "))));
    }
    if let Some(only) = found.pop() {
        return Err(invalid(only));
    }
    let mut encryption = Encryption { source: Source::File(origin.to_owned()), ..Encryption::default() };
    for (resource, providers) in merged(&config) {
        let providers: Providers = Arc::from(providers);
        match Name::parse(resource) {
            name if name.is_everything() => encryption.all = Some(providers),
            Name { resource: "*", group } => drop(encryption.groups.insert(group.into(), providers)),
            name => drop(encryption.resources.insert(name.stored().into(), providers)),
        }
    }
    Ok(encryption)
}

/// A message of the parser may quote what it read, which may be a key: only its place is told, and the one thing that is
/// no value, an unknown field.
fn located(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let what = text.find("unknown field").map_or("it can't be parsed", |at| {
        let rest = &text[at..];
        rest.split_once(", expected").map_or("it has an unknown field", |(field, _)| field)
    });
    match error.location() {
        Some(place) => format!("{what} at line {} column {}", place.line(), place.column()),
        None => what.to_owned(),
    }
}

/// Each resource with its providers: those of a resource that is named more than once follow one another, as in Kubernetes.
fn merged(config: &Configuration) -> Vec<(&str, Vec<Provider>)> {
    let mut merged: Vec<(&str, Vec<Provider>)> = Vec::new();
    for part in &config.resources {
        for resource in &part.resources {
            let more = part.providers.iter().flat_map(providers);
            match merged.iter_mut().find(|(known, _)| Name::parse(known) == Name::parse(resource)) {
                Some((_, known)) => known.extend(more),
                None => merged.push((resource, more.collect())),
            }
        }
    }
    merged
}

fn providers(config: &ProviderConfiguration) -> Vec<Provider> {
    let keys = config.keys().flat_map(|(cipher, keys)| keys.keys.iter().map(move |key| (cipher, key)));
    let mut providers: Vec<_> = keys
        .filter_map(|(cipher, key)| Some(Provider::Key(NamedKey::new(cipher, &key.name, &key.decoded()?).into())))
        .collect();
    providers.extend(config.identity.as_ref().map(|_| Provider::Identity));
    providers
}
