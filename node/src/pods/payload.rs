//! The files in volumes that are made of API objects: ConfigMaps, Secrets, the downward API, tokens.

use std::{collections::BTreeMap, net::IpAddr};

use coracle_api::pod::{FieldRefError, ResourceList, field_value, resource_value};
use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, Pod, Volume, VolumeProjection};

use super::objects::Objects;

/// The mode of files without one (`defaultMode`).
const DEFAULT_MODE: i32 = 0o644;

/// One file of a volume.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Where in the volume.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// What files are made of.
pub struct FileSource<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The pod's address, which its status may not show yet.
    pub pod_ip: IpAddr,
    /// The node's address.
    pub host_ip: IpAddr,
    /// What a container without limits may use.
    pub allocatable: &'a ResourceList,
    /// ConfigMaps, Secrets, tokens.
    pub objects: &'a dyn Objects,
}

/// Why a volume's files can't be made.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// the ConfigMap doesn't exist
    #[error("configmap {0:?} not found")]
    NoConfigMap(String),
    /// the Secret doesn't exist
    #[error("secret {0:?} not found")]
    NoSecret(String),
    /// the object lacks a key
    #[error("references non-existent {kind} key: {key}")]
    NoKey {
        /// `config` or `secret`.
        kind: &'static str,
        /// The key.
        key: String,
    },
    /// the field can't be referred to
    #[error(transparent)]
    Field(#[from] FieldRefError),
    /// the projection is of a kind this node doesn't know
    #[error("projection {0} is not supported by this node yet")]
    Unsupported(String),
    /// the API server could not be asked
    #[error("{0}")]
    Api(#[from] Box<kube::Error>),
}

type Data = BTreeMap<String, Vec<u8>>;

/// The files of a volume made of objects; None if it is of another type.
pub async fn payload(volume: &Volume, from: &FileSource<'_>) -> Result<Option<Vec<File>>, PayloadError> {
    if let Some(source) = &volume.config_map {
        let data = from.config_map(&source.name, source.optional).await?;
        return select("config", data, source.items.as_deref(), source.default_mode, source.optional).map(Some);
    }
    if let Some(source) = &volume.secret {
        let data = from.secret(source.secret_name.as_deref().unwrap_or_default(), source.optional).await?;
        return select("secret", data, source.items.as_deref(), source.default_mode, source.optional).map(Some);
    }
    if let Some(source) = &volume.downward_api {
        return from.downward(source.items.as_deref().unwrap_or_default(), source.default_mode).map(Some);
    }
    let Some(source) = &volume.projected else { return Ok(None) };
    let mut files = Vec::new();
    for projection in source.sources.iter().flatten() {
        files.extend(from.projection(projection, source.default_mode).await?);
    }
    Ok(Some(files))
}

impl FileSource<'_> {
    fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    async fn projection(&self, projection: &VolumeProjection, mode: Option<i32>) -> Result<Vec<File>, PayloadError> {
        if let Some(source) = &projection.config_map {
            let data = self.config_map(&source.name, source.optional).await?;
            return select("config", data, source.items.as_deref(), mode, source.optional);
        }
        if let Some(source) = &projection.secret {
            let data = self.secret(&source.name, source.optional).await?;
            return select("secret", data, source.items.as_deref(), mode, source.optional);
        }
        if let Some(source) = &projection.downward_api {
            return self.downward(source.items.as_deref().unwrap_or_default(), mode);
        }
        if let Some(source) = &projection.service_account_token {
            let token = self.objects.token(self.pod, source.audience.as_deref(), source.expiration_seconds).await;
            let content = token.map_err(Box::new)?.into_bytes();
            return Ok(vec![File { path: source.path.clone(), content, mode: 0o600 }]);
        }
        let fields = serde_json::to_value(projection).unwrap_or_default();
        Err(PayloadError::Unsupported(fields.as_object().and_then(|o| o.keys().next().cloned()).unwrap_or_default()))
    }

    async fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Data, PayloadError> {
        match self.objects.config_map(self.namespace(), name).await.map_err(Box::new)? {
            Some(map) => {
                let text = map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
                Ok(text
                    .chain(map.binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)))
                    .collect())
            }
            None if optional.unwrap_or(false) => Ok(Data::new()),
            None => Err(PayloadError::NoConfigMap(name.to_owned())),
        }
    }

    async fn secret(&self, name: &str, optional: Option<bool>) -> Result<Data, PayloadError> {
        match self.objects.secret(self.namespace(), name).await.map_err(Box::new)? {
            Some(secret) => {
                Ok(secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect())
            }
            None if optional.unwrap_or(false) => Ok(Data::new()),
            None => Err(PayloadError::NoSecret(name.to_owned())),
        }
    }

    fn downward(&self, items: &[DownwardAPIVolumeFile], mode: Option<i32>) -> Result<Vec<File>, PayloadError> {
        items
            .iter()
            .map(|item| {
                let value = match (&item.field_ref, &item.resource_field_ref) {
                    (Some(field), _) => match &*field.field_path {
                        "status.podIP" | "status.podIPs" => self.pod_ip.to_string(),
                        "status.hostIP" | "status.hostIPs" => self.host_ip.to_string(),
                        path => field_value(self.pod, path)?,
                    },
                    (None, Some(field)) => {
                        let name = field.container_name.as_deref().unwrap_or_default();
                        let spec = self.pod.spec.iter();
                        let mut containers =
                            spec.flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
                        let container = containers.find(|container| container.name == name);
                        let container = container.ok_or_else(|| FieldRefError::Resource(field.resource.clone()))?;
                        let divisor = field.divisor.as_ref().map_or("", |divisor| &*divisor.0);
                        resource_value(container, &field.resource, divisor, self.allocatable)?
                    }
                    (None, None) => String::new(),
                };
                Ok(File { path: item.path.clone(), content: value.into_bytes(), mode: bits(item.mode.or(mode)) })
            })
            .collect()
    }
}

/// The keys that are wanted, as files: all of them, or `items`.
fn select(
    kind: &'static str,
    mut data: Data,
    items: Option<&[KeyToPath]>,
    mode: Option<i32>,
    optional: Option<bool>,
) -> Result<Vec<File>, PayloadError> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        return Ok(data.into_iter().map(|(path, content)| File { path, content, mode: bits(mode) }).collect());
    };
    let mut files = Vec::new();
    for item in items {
        match data.remove(&item.key) {
            Some(content) => files.push(File { path: item.path.clone(), content, mode: bits(item.mode.or(mode)) }),
            None if optional.unwrap_or(false) => {}
            None => return Err(PayloadError::NoKey { kind, key: item.key.clone() }),
        }
    }
    Ok(files)
}

fn bits(mode: Option<i32>) -> u32 {
    u32::try_from(mode.unwrap_or(DEFAULT_MODE)).unwrap_or(0o644) & 0o777
}
