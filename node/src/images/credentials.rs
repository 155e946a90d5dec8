//! Image pull secrets: which credentials fit which image.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use coracle_oci::{Auth, Reference};
use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::access::PullSecret;

/// Credentials of one pod's pull secrets, in the order they are tried.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    entries: Vec<(String, Credential)>,
}

/// What a registry may be told, and where it comes from.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What it is told.
    pub auth: Auth,
    /// The Secret that it is of; None if it is nothing secret.
    pub secret: Option<PullSecret>,
}

/// A pull secret that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// the Secret is of another type
    #[error("secret {0:?} is not of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg")]
    Type(String),
    /// the Secret's content is malformed
    #[error("secret {name:?} holds no valid registry configuration: {message}")]
    Malformed {
        /// The Secret.
        name: String,
        /// What is wrong with it.
        message: String,
    },
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    auth: String,
    #[serde(default)]
    registrytoken: String,
}

impl Keyring {
    /// Adds the credentials of a Secret.
    pub fn add(&mut self, secret: &Secret) -> Result<(), CredentialsError> {
        let name = secret.metadata.name.clone().unwrap_or_default();
        let data = |key: &str| secret.data.as_ref().and_then(|data| data.get(key));
        let malformed =
            |error: serde_json::Error| CredentialsError::Malformed { name: name.clone(), message: error.to_string() };
        let entries = if let Some(json) = data(".dockerconfigjson") {
            serde_json::from_slice::<DockerConfig>(&json.0).map_err(malformed)?.auths
        } else if let Some(json) = data(".dockercfg") {
            serde_json::from_slice::<BTreeMap<String, Entry>>(&json.0).map_err(malformed)?
        } else {
            return Err(CredentialsError::Type(name));
        };
        for (registry, entry) in entries {
            let message = || format!("the entry of {registry:?} has no user name and password");
            let auth =
                entry.auth().ok_or_else(|| CredentialsError::Malformed { name: name.clone(), message: message() })?;
            let metadata = &secret.metadata;
            let object = [&metadata.uid, &metadata.namespace, &metadata.name].map(|it| it.clone().unwrap_or_default());
            let credential = Credential { secret: Some(PullSecret { object, hash: hash(&auth) }), auth };
            self.entries.push((normalise(&registry), credential));
        }
        Ok(())
    }

    /// The credentials to try for an image, the most specific first; none at all comes last.
    pub fn for_image(&self, reference: &Reference) -> Vec<Credential> {
        let image = normalise(&reference.name());
        let mut fitting: Vec<_> = self.entries.iter().filter(|(pattern, _)| matches(pattern, &image)).collect();
        fitting.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.len()));
        let nobody = Credential { auth: Auth::Anonymous, secret: None };
        fitting.into_iter().map(|(_, credential)| credential.clone()).chain([nobody]).collect()
    }
}

/// Tells credentials apart without telling them.
fn hash(auth: &Auth) -> String {
    let parts = match auth {
        Auth::Anonymous => ["", "", ""],
        Auth::Basic { username, password } => ["basic", username, password],
        Auth::Bearer { token } => ["bearer", token, ""],
    };
    let mut hasher = Sha256::new();
    for part in parts {
        // With its length in front no part can look like the end of another.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Entry {
    fn auth(&self) -> Option<Auth> {
        if !self.registrytoken.is_empty() {
            return Some(Auth::Bearer { token: self.registrytoken.clone() });
        }
        if !self.username.is_empty() {
            return Some(Auth::Basic { username: self.username.clone(), password: self.password.clone() });
        }
        let decoded = String::from_utf8(STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        Some(Auth::Basic { username: username.to_owned(), password: password.trim_end_matches('\0').to_owned() })
    }
}

/// Host and path of a registry's name, without what `docker login` puts around it.
fn normalise(registry: &str) -> String {
    let bare = registry.split_once("://").map_or(registry, |(_, rest)| rest).trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    match bare.strip_prefix("index.docker.io") {
        Some(rest) => format!("docker.io{rest}"),
        None => bare.to_owned(),
    }
}

/// Whether a label of a host fits a pattern: `*` is any characters, `?` is one. Goes back to the last star only, so that
/// no pattern takes long.
fn glob(pattern: &[u8], label: &[u8]) -> bool {
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < label.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(one) if *one == b'?' || *one == label[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, read) = (place + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
}

/// Kubernetes' matching: `*` stands for a label of the host or a part of one, the path is a prefix in whole components.
fn matches(pattern: &str, image: &str) -> bool {
    let split = |text: &str| match text.split_once('/') {
        Some((host, path)) => (host.to_owned(), path.to_owned()),
        None => (text.to_owned(), String::new()),
    };
    let ((host, path), (image_host, image_path)) = (split(pattern), split(image));
    let labels: Vec<_> = host.split('.').collect();
    let image_labels: Vec<_> = image_host.split('.').collect();
    let hosts = labels.len() == image_labels.len()
        && labels.iter().zip(&image_labels).all(|(label, image)| glob(label.as_bytes(), image.as_bytes()));
    hosts
        && (path.is_empty()
            || image_path.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;

    fn keyring(key: &str, content: serde_json::Value) -> Result<Keyring, CredentialsError> {
        let data = BTreeMap::from([(key.to_owned(), ByteString(content.to_string().into_bytes()))]);
        let mut keyring = Keyring::default();
        keyring.add(&Secret { data: Some(data), ..Secret::default() })?;
        Ok(keyring)
    }

    fn user(credential: &Credential) -> &str {
        match &credential.auth {
            Auth::Basic { username, .. } => username,
            _ => "",
        }
    }

    #[test]
    fn the_most_specific_entry_comes_first_and_nobody_last() {
        let keyring = keyring(
            ".dockerconfigjson",
            json!({"auths": {
                "reg.example.com": {"username": "wide", "password": "p"},
                "https://reg.example.com/team": {"auth": STANDARD.encode("narrow:p:q")},
                "other.example.com": {"username": "other", "password": "p"},
            }}),
        );
        let keyring = keyring.unwrap();
        let users = |image: &str| {
            let found = keyring.for_image(&image.parse().unwrap());
            found.iter().map(|auth| user(auth).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(users("reg.example.com/team/app:1"), ["narrow", "wide", ""]);
        assert_eq!(users("reg.example.com/teams/app:1"), ["wide", ""]);
        assert_eq!(users("elsewhere.example.com/app"), [""]);
    }

    #[test]
    fn docker_hub_and_wildcards_are_known() {
        let hub = keyring(".dockercfg", json!({"https://index.docker.io/v1/": {"username": "hub", "password": "p"}}))
            .unwrap();
        assert_eq!(user(&hub.for_image(&"nginx".parse().unwrap())[0]), "hub");
        assert!(matches("reg*.example.com:5000", "reg-1.example.com:5000/x") && !matches("r?g.io", "rg.io/x"));
        assert!(!matches("reg.example.com:5000", "reg.example.com/x"));
        assert!(matches("*.example.com", "a.example.com/x") && !matches("*.example.com", "a.b.example.com/x"));
    }

    #[test]
    fn credentials_are_known_by_their_secret_and_their_hash() {
        let of = |password: &str| {
            let entry = json!({"auths": {"reg.example.com": {"username": "ann", "password": password}}});
            let found = keyring(".dockerconfigjson", entry).unwrap().for_image(&"reg.example.com/app".parse().unwrap());
            found.into_iter().map(|credential| credential.secret).collect::<Vec<_>>()
        };
        let (one, other) = (of("p"), of("q"));
        assert_eq!(one.len(), 2);
        assert!(one[0] == of("p")[0] && one[0] != other[0] && one[1].is_none());
        assert_eq!(one[0].as_ref().map(|it| (it.hash.len(), it.hash.contains("ann"))), Some((64, false)));
    }

    #[test]
    fn malformed_secrets_are_refused_without_showing_them() {
        let error =
            keyring(".dockerconfigjson", json!({"auths": {"x": {"auth": "c2VjcmV0"}}})).unwrap_err().to_string();
        assert!(error.contains("has no user name") && !error.contains("c2VjcmV0"), "{error}");
        assert!(matches!(keyring("other", json!({})), Err(CredentialsError::Type(_))));
    }
}
