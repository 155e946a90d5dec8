//! The files in volumes that are made of API objects: ConfigMaps, Secrets, the downward API, tokens.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ServiceAccountTokenProjection, Volume, VolumeProjection,
};

use super::{
    downward::{Downward, DownwardError},
    objects::Objects,
    tokens::Tokens,
};

/// The mode of files without one (`defaultMode`).
const DEFAULT_MODE: i32 = 0o644;
/// The mode of a token that only the pod's group may read besides its owner.
const TOKEN_MODE: u32 = 0o600;

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
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The pod, for the downward API.
    pub about: Downward<'a>,
    /// ConfigMaps, Secrets, tokens, claims.
    pub objects: &'a dyn Objects,
    /// The tokens the pod has already.
    pub tokens: &'a Tokens,
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
    #[error("{prefix}references non-existent {kind} key: {key}", prefix = if *.kind == "config" { "configmap " } else { "" })]
    NoKey {
        /// `config` or `secret`.
        kind: &'static str,
        /// The key.
        key: String,
    },
    /// the field can't be referred to
    #[error(transparent)]
    Field(#[from] DownwardError),
    /// the projection is of a kind this node doesn't know
    #[error("projected volume source {0} is not supported by this node")]
    Unsupported(String),
    /// no token was issued
    #[error("failed to fetch token: {0}")]
    Token(#[source] Box<kube::Error>),
    /// the API server could not be asked
    #[error("{0}")]
    Api(#[from] Box<kube::Error>),
}

impl PayloadError {
    /// Whether an object is missing that may still come.
    pub fn is_missing(&self) -> bool {
        matches!(self, PayloadError::NoConfigMap(_) | PayloadError::NoSecret(_) | PayloadError::NoKey { .. })
    }
}

type Data = BTreeMap<String, Vec<u8>>;

/// Whether the volume's files are made here.
pub fn is_payload(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some()
}

/// The files of a volume made of objects, of which `dir` is the directory; None if it is of another type.
pub async fn payload(volume: &Volume, from: &Sources<'_>, dir: &Path) -> Result<Option<Vec<File>>, PayloadError> {
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
        files.extend(from.projection(projection, source.default_mode, dir).await?);
    }
    Ok(Some(files))
}

impl Sources<'_> {
    async fn projection(
        &self,
        projection: &VolumeProjection,
        mode: Option<i32>,
        dir: &Path,
    ) -> Result<Vec<File>, PayloadError> {
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
            return Ok(vec![self.token(source, mode, dir).await?]);
        }
        // clusterTrustBundle and podCertificate, for now.
        let fields = serde_json::to_value(projection).unwrap_or_default();
        Err(PayloadError::Unsupported(fields.as_object().and_then(|o| o.keys().next().cloned()).unwrap_or_default()))
    }

    /// The token that is there while it is good, otherwise a new one.
    async fn token(
        &self,
        source: &ServiceAccountTokenProjection,
        mode: Option<i32>,
        dir: &Path,
    ) -> Result<File, PayloadError> {
        let grouped = self
            .about
            .pod
            .spec
            .iter()
            .any(|spec| spec.security_context.as_ref().is_some_and(|context| context.fs_group.is_some()));
        let mode = if grouped { TOKEN_MODE } else { bits(mode) };
        let place = dir.join(&source.path);
        let content = match self.tokens.fresh(&place, Timestamp::now()) {
            Some(content) => content,
            None => {
                let issued = self.objects.token(self.about.pod, source.audience.as_deref(), source.expiration_seconds);
                let token = issued.await.map_err(|error| PayloadError::Token(Box::new(error)))?;
                self.tokens.note(place, &token);
                token.text.into_bytes()
            }
        };
        Ok(File { path: source.path.clone(), content, mode })
    }

    async fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Data, PayloadError> {
        match self.objects.config_map(self.about.namespace(), name).await.map_err(Box::new)? {
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
        match self.objects.secret(self.about.namespace(), name).await.map_err(Box::new)? {
            Some(secret) => {
                Ok(secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect())
            }
            None if optional.unwrap_or(false) => Ok(Data::new()),
            None => Err(PayloadError::NoSecret(name.to_owned())),
        }
    }

    fn downward(&self, items: &[DownwardAPIVolumeFile], mode: Option<i32>) -> Result<Vec<File>, PayloadError> {
        let value = |item: &DownwardAPIVolumeFile| match (&item.field_ref, &item.resource_field_ref) {
            (Some(field), _) => self.about.field(field),
            (None, Some(field)) => self.about.resource(field, None),
            (None, None) => Ok(String::new()),
        };
        let file = |item: &DownwardAPIVolumeFile| {
            let content = value(item)?.into_bytes();
            Ok(File { path: item.path.clone(), content, mode: bits(item.mode.or(mode)) })
        };
        items.iter().map(file).collect()
    }
}

/// The keys that are wanted, as files: all of them, or `items`. A key may be wanted at several places.
fn select(
    kind: &'static str,
    data: Data,
    items: Option<&[KeyToPath]>,
    mode: Option<i32>,
    optional: Option<bool>,
) -> Result<Vec<File>, PayloadError> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        return Ok(data.into_iter().map(|(path, content)| File { path, content, mode: bits(mode) }).collect());
    };
    let mut files = Vec::new();
    for item in items {
        match data.get(&item.key).cloned() {
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
