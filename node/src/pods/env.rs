//! The environment of a container: the image's, the ConfigMaps' and Secrets', the pod's own, the Services'.

use std::collections::HashMap;

use coracle_api::pod::expand;
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Container, EnvFromSource, EnvVarSource, FileKeySelector, Secret},
};

use crate::volumes::{Downward, DownwardError, Objects, Volumes};

/// What a container's environment is made of.
pub struct EnvSources<'a> {
    /// The pod, for the downward API.
    pub about: Downward<'a>,
    /// The name the pod knows itself by, if it is to be told.
    pub hostname: Option<&'a str>,
    /// Variables of Services.
    pub services: Vec<(String, String)>,
    /// Variables of the image.
    pub image: &'a [(String, String)],
    /// ConfigMaps and Secrets.
    pub objects: &'a dyn Objects,
    /// Files.
    pub volumes: &'a Volumes,
}

/// Why a container has no environment: kubelet's `CreateContainerConfigError`, in its words.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// the ConfigMap doesn't exist
    #[error("configmap {0:?} not found")]
    NoConfigMap(String),
    /// the Secret doesn't exist
    #[error("secret {0:?} not found")]
    NoSecret(String),
    /// the object has no such key
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    NoKey {
        /// The key.
        key: String,
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// the value is no text
    #[error("the value of key {key} in Secret {namespace}/{name} is not UTF-8 text; mount it as a file instead")]
    NotText {
        /// The key.
        key: String,
        /// Where the Secret is.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// the field can't be referred to
    #[error(transparent)]
    Field(#[from] DownwardError),
    /// the file has no such key
    #[error("environment variable key {key:?} not found in file {path:?}")]
    NoFileKey {
        /// The key.
        key: String,
        /// The file, in its volume.
        path: String,
    },
    /// the file can't be read
    #[error("couldn't parse env file: {0}")]
    File(#[source] std::io::Error),
    /// the source is of a kind this node doesn't know
    #[error("environment variable {0:?} has a source that this node does not support")]
    Unsupported(String),
    /// the API server could not be asked
    #[error("failed to sync {kind} cache: {source}")]
    Api {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
}

/// The variables of a container, in an order that doesn't change from start to start.
#[derive(Debug)]
pub struct Environment {
    /// What the image and the host give, as far as the pod doesn't say otherwise. `$(NAME)` doesn't see these.
    pub given: Vec<(String, String)>,
    /// What the pod's YAML and the Services give: what `$(NAME)` may name.
    pub own: Vec<(String, String)>,
    /// How many of these, from the first on, are the YAML's.
    pub declared: usize,
    /// What is to be told of keys that can't be variables.
    pub skipped: Vec<String>,
}

impl Environment {
    /// All variables.
    pub fn all(self) -> Vec<(String, String)> {
        let mut all = self.given;
        all.extend(self.own);
        all
    }
}

/// Makes the variables of `container`.
pub async fn environment(container: &Container, sources: &EnvSources<'_>) -> Result<Environment, EnvError> {
    let mut env = Variables::default();
    let mut skipped = Vec::new();
    for from in container.env_from.iter().flatten() {
        for (name, value) in sources.all_keys(from, &mut skipped).await? {
            env.set(name, value);
        }
    }
    let services: HashMap<&str, &str> = sources.services.iter().map(|(name, value)| (&**name, &**value)).collect();
    for variable in container.env.iter().flatten() {
        let text = variable.value.as_deref().filter(|text| !text.is_empty());
        let value = match (text, &variable.value_from) {
            (None, Some(source)) => sources.value_from(source, &variable.name, container).await?,
            (text, _) => {
                let known = |name: &str| env.get(name).or_else(|| services.get(name).copied()).map(str::to_owned);
                Some(expand(text.unwrap_or_default(), known))
            }
        };
        if let Some(value) = value {
            env.set(variable.name.clone(), value);
        }
    }
    let declared = env.list.len();
    for (name, value) in &sources.services {
        if env.get(name).is_none() {
            env.set(name.clone(), value.clone());
        }
    }
    let mut given = Variables::default();
    sources.hostname.into_iter().for_each(|name| given.set("HOSTNAME".to_owned(), name.to_owned()));
    sources.image.iter().for_each(|(name, value)| given.set(name.clone(), value.clone()));
    given.list.retain(|(name, _)| env.get(name).is_none());
    Ok(Environment { given: given.list, own: env.list, declared, skipped })
}

/// Replaces `$(NAME)` in a command or argument.
pub fn expand_words(words: &[String], env: &[(String, String)]) -> Vec<String> {
    let lookup = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    words.iter().map(|word| expand(word, lookup)).collect()
}

#[derive(Default)]
struct Variables {
    list: Vec<(String, String)>,
    places: HashMap<String, usize>,
}

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        self.places.get(name).map(|place| &*self.list[*place].1)
    }

    fn set(&mut self, name: String, value: String) {
        match self.places.get(&name) {
            Some(place) => self.list[*place].1 = value,
            None => {
                self.places.insert(name.clone(), self.list.len());
                self.list.push((name, value));
            }
        }
    }
}

impl EnvSources<'_> {
    fn namespace(&self) -> &str {
        self.about.namespace()
    }

    /// All keys of an object as variables. Those that can't be are told of and left out.
    async fn all_keys(
        &self,
        from: &EnvFromSource,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<(String, String)>, EnvError> {
        let mut pairs = Vec::new();
        let prefix = from.prefix.as_deref().unwrap_or_default();
        let mut of = ("configMap", String::new());
        if let Some(reference) = &from.config_map_ref
            && let Some(map) = self.config_map(&reference.name, reference.optional).await?
        {
            of.1.clone_from(&reference.name);
            pairs.extend(map.data.into_iter().flatten().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
        if let Some(reference) = &from.secret_ref
            && let Some(secret) = self.secret(&reference.name, reference.optional).await?
        {
            of = ("secret", reference.name.clone());
            for (key, value) in secret.data.into_iter().flatten() {
                let value = self.text(value, &key, &reference.name)?;
                pairs.push((format!("{prefix}{key}"), value));
            }
        }
        let (good, bad): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| is_variable_name(name));
        if !bad.is_empty() {
            let mut names: Vec<String> = bad.into_iter().map(|(name, _)| name).collect();
            names.sort();
            let (kind, name) = of;
            skipped.push(format!(
                "Keys [{}] from the EnvFrom {kind} {}/{name} were skipped since they are considered invalid environment variable names.",
                names.join(", "),
                self.namespace()
            ));
        }
        Ok(good)
    }

    async fn value_from(
        &self,
        from: &EnvVarSource,
        name: &str,
        container: &Container,
    ) -> Result<Option<String>, EnvError> {
        if let Some(field) = &from.field_ref {
            return Ok(Some(self.about.field(field)?));
        }
        if let Some(field) = &from.resource_field_ref {
            return Ok(Some(self.about.resource(field, Some(container))?));
        }
        let missing = |key: &str, kind, object: &str| EnvError::NoKey {
            key: key.to_owned(),
            kind,
            namespace: self.namespace().to_owned(),
            name: object.to_owned(),
        };
        if let Some(selector) = &from.config_map_key_ref {
            let map = self.config_map(&selector.name, selector.optional).await?;
            let value = map.and_then(|map| map.data.unwrap_or_default().remove(&selector.key));
            let optional = selector.optional.unwrap_or(false);
            return if value.is_some() || optional {
                Ok(value)
            } else {
                Err(missing(&selector.key, "ConfigMap", &selector.name))
            };
        }
        if let Some(selector) = &from.secret_key_ref {
            let secret = self.secret(&selector.name, selector.optional).await?;
            let value = secret.and_then(|secret| secret.data.unwrap_or_default().remove(&selector.key));
            return match value {
                Some(value) => self.text(value, &selector.key, &selector.name).map(Some),
                None if selector.optional.unwrap_or(false) => Ok(None),
                None => Err(missing(&selector.key, "Secret", &selector.name)),
            };
        }
        match &from.file_key_ref {
            Some(selector) => self.file_key(selector),
            None => Err(EnvError::Unsupported(name.to_owned())),
        }
    }

    fn file_key(&self, selector: &FileKeySelector) -> Result<Option<String>, EnvError> {
        let FileKeySelector { key, path, volume_name, optional } = selector;
        let value = self.volumes.variable(volume_name, path, key).map_err(EnvError::File)?;
        if value.is_none() && !optional.unwrap_or(false) {
            return Err(EnvError::NoFileKey { key: key.clone(), path: path.clone() });
        }
        Ok(value)
    }

    fn text(&self, value: ByteString, key: &str, name: &str) -> Result<String, EnvError> {
        let (namespace, name, key) = (self.namespace().to_owned(), name.to_owned(), key.to_owned());
        String::from_utf8(value.0).map_err(|_| EnvError::NotText { key, namespace, name })
    }

    async fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Option<ConfigMap>, EnvError> {
        let found = self.objects.config_map(self.namespace(), name).await;
        let found = found.map_err(|source| EnvError::Api { kind: "configmap", source: Box::new(source) })?;
        let needed = !optional.unwrap_or(false);
        if found.is_none() && needed { Err(EnvError::NoConfigMap(name.to_owned())) } else { Ok(found) }
    }

    async fn secret(&self, name: &str, optional: Option<bool>) -> Result<Option<Secret>, EnvError> {
        let found = self.objects.secret(self.namespace(), name).await;
        let found = found.map_err(|source| EnvError::Api { kind: "secret", source: Box::new(source) })?;
        let needed = !optional.unwrap_or(false);
        if found.is_none() && needed { Err(EnvError::NoSecret(name.to_owned())) } else { Ok(found) }
    }
}

/// Whether a key can name a variable (Kubernetes since 1.34: printable ASCII without `=`).
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=')
}

#[cfg(test)]
#[path = "env_tests.rs"]
mod tests;
