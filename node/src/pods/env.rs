//! The environment of a container: the image's, the ConfigMaps' and Secrets', the pod's own, the Services'.

use std::{collections::HashMap, net::IpAddr};

use coracle_api::pod::{FieldRefError, ResourceList, expand, field_value, resource_value};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Container, EnvFromSource, EnvVarSource, Pod, Secret},
};

use super::objects::Objects;

/// What a container's environment is made of.
pub struct EnvSources<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The pod's address, which its status may not show yet.
    pub pod_ip: IpAddr,
    /// The node's address.
    pub host_ip: IpAddr,
    /// The name the pod knows itself by.
    pub hostname: &'a str,
    /// What a container without limits may use.
    pub allocatable: &'a ResourceList,
    /// Variables of Services.
    pub services: Vec<(String, String)>,
    /// Variables of the image.
    pub image: &'a [(String, String)],
    /// ConfigMaps and Secrets.
    pub objects: &'a dyn Objects,
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
    Field(#[from] FieldRefError),
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

/// The variables of `container`, in an order that doesn't change from start to start.
pub async fn environment(container: &Container, sources: &EnvSources<'_>) -> Result<Vec<(String, String)>, EnvError> {
    let mut env = Variables::default();
    env.set("HOSTNAME".to_owned(), sources.hostname.to_owned());
    sources.image.iter().for_each(|(name, value)| env.set(name.clone(), value.clone()));
    for from in container.env_from.iter().flatten() {
        for (name, value) in sources.all_keys(from).await? {
            env.set(name, value);
        }
    }
    let services: HashMap<&str, &str> = sources.services.iter().map(|(name, value)| (&**name, &**value)).collect();
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            Some(source) => sources.value_from(source, &variable.name, container).await?,
            None => {
                let known = |name: &str| env.get(name).or_else(|| services.get(name).copied()).map(str::to_owned);
                Some(expand(variable.value.as_deref().unwrap_or_default(), known))
            }
        };
        if let Some(value) = value {
            env.set(variable.name.clone(), value);
        }
    }
    for (name, value) in &sources.services {
        if env.get(name).is_none() {
            env.set(name.clone(), value.clone());
        }
    }
    Ok(env.list)
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
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    async fn all_keys(&self, from: &EnvFromSource) -> Result<Vec<(String, String)>, EnvError> {
        let mut pairs = Vec::new();
        let prefix = from.prefix.as_deref().unwrap_or_default();
        if let Some(reference) = &from.config_map_ref
            && let Some(map) = self.config_map(&reference.name, reference.optional).await?
        {
            pairs.extend(map.data.into_iter().flatten().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
        if let Some(reference) = &from.secret_ref
            && let Some(secret) = self.secret(&reference.name, reference.optional).await?
        {
            for (key, value) in secret.data.into_iter().flatten() {
                let value = self.text(value, &key, &reference.name)?;
                pairs.push((format!("{prefix}{key}"), value));
            }
        }
        // A name with '=' can't be a variable's; kubelet leaves such keys out.
        pairs.retain(|(name, _)| !name.is_empty() && !name.contains(['=', '\0']));
        Ok(pairs)
    }

    async fn value_from(
        &self,
        from: &EnvVarSource,
        name: &str,
        container: &Container,
    ) -> Result<Option<String>, EnvError> {
        if let Some(field) = &from.field_ref {
            return self.field(&field.field_path).map(Some);
        }
        if let Some(field) = &from.resource_field_ref {
            let other = field.container_name.as_deref().filter(|other| !other.is_empty() && *other != container.name);
            let containers = self
                .pod
                .spec
                .iter()
                .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
            let target =
                other.and_then(|other| containers.into_iter().find(|it| it.name == other)).unwrap_or(container);
            let divisor = field.divisor.as_ref().map_or("", |divisor| &*divisor.0);
            return Ok(Some(resource_value(target, &field.resource, divisor, self.allocatable)?));
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
        Err(EnvError::Unsupported(name.to_owned()))
    }

    /// A field of the pod; addresses are known here before its status has them.
    fn field(&self, path: &str) -> Result<String, EnvError> {
        Ok(match path {
            "status.podIP" | "status.podIPs" => self.pod_ip.to_string(),
            "status.hostIP" | "status.hostIPs" => self.host_ip.to_string(),
            path => field_value(self.pod, path)?,
        })
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

#[cfg(test)]
#[path = "env_tests.rs"]
mod tests;
