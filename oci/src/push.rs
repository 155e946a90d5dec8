//! Packages a Wasm binary in the CNCF layout and pushes it ("Wasm OCI Artifact layout", TAG Runtime).

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::HeaderValue;
use jiff::Timestamp;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::{Client, RegistryOperation};
use serde_json::json;

use crate::auth::Auth;
use crate::digest::Digest;
use crate::error::chain;
use crate::limits::Limits;
use crate::manifest::{Descriptor, ImageManifest};
use crate::media_type;
use crate::progress::{Meter, Progress};
use crate::reference::Reference;
use crate::registries::{self, Endpoint, Registries};
use crate::wasm::{WasmError, WasmInfo, WasmKind, assemble, inspect_wasm};

/// Pieces in which a blob is handed to the connection; progress is shown after each.
const CHUNK_BYTES: usize = 256 << 10;

/// How to push.
#[derive(Clone, Default)]
pub struct PushOptions {
    /// Credentials for the registry.
    pub auth: Auth,
    /// Where registries are.
    pub registries: Arc<Registries>,
    /// Who is told how far it is.
    pub progress: Option<Arc<dyn Progress>>,
    /// When the artifact was built. Unset, it is 1970 as reproducible builds have it: the same bytes pushed
    /// twice are the same digest, and nodes that have it need not fetch or compile it again.
    pub created: Option<Timestamp>,
    /// The module's largest size.
    pub limits: Limits,
}

impl std::fmt::Debug for PushOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushOptions").field("auth", &self.auth).finish_non_exhaustive()
    }
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The name it has now, normalised.
    pub reference: String,
    /// Digest of the manifest.
    pub digest: String,
    /// Manifest, configuration and layer together, in bytes.
    pub size_bytes: u64,
    /// What the binary is.
    pub info: WasmInfo,
}

/// Why a push failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PushError {
    /// The file is no valid Wasm
    #[error("failed to push {reference:?}: {source}")]
    Wasm {
        /// Where it was to go.
        reference: String,
        /// What is wrong with it.
        source: WasmError,
    },
    /// The module is larger than images may be
    #[error("failed to push {reference:?}: the module has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// Where it was to go.
        reference: String,
        /// Its length.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A push by digest can only be right by chance
    #[error("failed to push {reference:?}: push to a tag, not to a digest")]
    Digest {
        /// Where it was to go.
        reference: String,
    },
    /// The registry wants credentials, or other ones
    #[error(
        "failed to push {reference:?}: push access denied, repository does not exist or may require authorization: {detail}"
    )]
    Unauthorized {
        /// Where it was to go.
        reference: String,
        /// What the registry said.
        detail: String,
    },
    /// The registry can't be reached, or stopped answering
    #[error("failed to push {reference:?}: failed to do request to {host}: {detail}")]
    Unreachable {
        /// Where it was to go.
        reference: String,
        /// Host and port that were tried.
        host: String,
        /// What the connection said.
        detail: String,
    },
    /// The registry refused
    #[error("failed to push {reference:?}: {detail}")]
    Refused {
        /// Where it was to go.
        reference: String,
        /// What it said.
        detail: String,
    },
}

/// Pushes a module or component, binary or WAT text, after validating it.
pub async fn push(wasm: Vec<u8>, reference: &Reference, options: &PushOptions) -> Result<Pushed, PushError> {
    let name = reference.to_string();
    if reference.digest().is_some() {
        return Err(PushError::Digest { reference: name });
    }
    let limit = options.limits.module_bytes;
    // WAT text is about four times its binary: a bound for the parser's memory.
    if wasm.len() as u64 > limit {
        return Err(PushError::TooLarge { reference: name, size: wasm.len() as u64, limit });
    }
    let prepare = move || {
        let binary = assemble(wasm)?;
        let info = inspect_wasm(&binary)?;
        Ok::<_, WasmError>((binary, info))
    };
    let prepared = tokio::task::spawn_blocking(prepare).await;
    let (binary, info) = prepared
        .map_err(|stopped| WasmError::Text(stopped.to_string()))
        .and_then(|result| result)
        .map_err(|source| PushError::Wasm { reference: name.clone(), source })?;
    let artifact = Artifact::new(binary, &info, options.created);
    // The first endpoint that takes pushes: without a configuration of hosts, the one that the name means.
    let endpoints = options.registries.endpoints(reference.registry());
    let endpoints =
        endpoints.map_err(|error| PushError::Refused { reference: name.clone(), detail: error.to_string() })?;
    let Some(endpoint) = endpoints.into_iter().find(|endpoint| endpoint.can.push) else {
        return Err(PushError::Refused { reference: name, detail: "no endpoint".into() });
    };
    let pusher = Pusher::new(name, endpoint, reference, options).await?;
    let meter = Meter::start(options.progress.clone(), &pusher.name, artifact.size_bytes());
    let meter = Arc::new(meter);
    pusher.blob(&artifact.layer, &meter).await?;
    pusher.blob(&artifact.config, &meter).await?;
    pusher.manifest(&artifact.manifest).await?;
    meter.advance(artifact.manifest.len() as u64);
    drop(meter);
    Ok(Pushed {
        reference: pusher.name,
        digest: Digest::of(&artifact.manifest).to_string(),
        size_bytes: artifact.size_bytes(),
        info,
    })
}

/// The three documents of an artifact.
struct Artifact {
    layer: Bytes,
    config: Bytes,
    manifest: Bytes,
}

impl Artifact {
    fn new(binary: Vec<u8>, info: &WasmInfo, created: Option<Timestamp>) -> Artifact {
        let layer = Descriptor::new(media_type::WASM, Digest::of(&binary), binary.len() as u64);
        let mut config = json!({
            "created": created.unwrap_or(Timestamp::UNIX_EPOCH),
            "architecture": "wasm",
            "os": info.os(),
            "layerDigests": [layer.digest],
        });
        if info.kind == WasmKind::Component {
            config["component"] = json!({ "exports": info.exports, "imports": info.imports });
        }
        let config = config.to_string().into_bytes();
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config: Descriptor::new(media_type::WASM_CONFIG_V0, Digest::of(&config), config.len() as u64),
            layers: vec![layer],
            subject: None,
            annotations: None,
        };
        let manifest = serde_json::to_vec(&manifest).expect("strings and numbers always serialize");
        Artifact { layer: binary.into(), config: config.into(), manifest: manifest.into() }
    }

    fn size_bytes(&self) -> u64 {
        (self.layer.len() + self.config.len() + self.manifest.len()) as u64
    }
}

struct Pusher {
    name: String,
    host: String,
    client: Client,
    target: oci_client::Reference,
}

impl Pusher {
    async fn new(
        name: String,
        endpoint: Endpoint,
        reference: &Reference,
        options: &PushOptions,
    ) -> Result<Pusher, PushError> {
        registries::install_crypto_provider();
        let client = Client::try_from(endpoint.client_config())
            .map_err(|error| PushError::Refused { reference: name.clone(), detail: chain(&error) })?;
        let target = oci_client::Reference::with_tag(
            endpoint.host.clone(),
            reference.repository().to_owned(),
            reference.version().to_owned(),
        );
        let pusher = Pusher { name, host: endpoint.host, client, target };
        let auth = options.auth.to_registry_auth();
        let token = pusher.client.auth(&pusher.target, &auth, RegistryOperation::Push).await;
        token.map_err(|error| pusher.error(error))?;
        Ok(pusher)
    }

    /// Sends a blob unless the repository has it.
    async fn blob(&self, bytes: &Bytes, meter: &Arc<Meter>) -> Result<(), PushError> {
        let digest = Digest::of(bytes);
        let exists = self.client.blob_exists(&self.target, digest.as_str()).await;
        if exists.map_err(|error| self.error(error))? {
            meter.advance(bytes.len() as u64);
            return Ok(());
        }
        let pieces: Vec<Bytes> = bytes.chunks(CHUNK_BYTES).map(|piece| bytes.slice_ref(piece)).collect();
        let meter = meter.clone();
        let stream = futures::stream::iter(pieces).map(move |piece| {
            meter.advance(piece.len() as u64);
            Ok(piece)
        });
        let size = Some(bytes.len() as u64);
        let push = self.client.push_blob_stream(&self.target, stream, digest.as_str(), size);
        push.await.map(drop).map_err(|error| self.error(error))
    }

    async fn manifest(&self, bytes: &Bytes) -> Result<(), PushError> {
        let content_type = HeaderValue::from_static(media_type::OCI_MANIFEST);
        let push = self.client.push_manifest_raw(&self.target, bytes.clone(), content_type);
        push.await.map(drop).map_err(|error| self.error(error))
    }

    fn error(&self, error: OciDistributionError) -> PushError {
        let (reference, detail) = (self.name.clone(), chain(&error));
        match kind(&error) {
            Kind::Unauthorized => PushError::Unauthorized { reference, detail },
            Kind::Unreachable => PushError::Unreachable { reference, host: self.host.clone(), detail },
            Kind::Refused => PushError::Refused { reference, detail },
        }
    }
}

enum Kind {
    Unauthorized,
    Unreachable,
    Refused,
}

/// oci-client reports one thing in several ways, by which of its requests it happened in.
fn kind(error: &OciDistributionError) -> Kind {
    use OciDistributionError as E;
    let denied = |code: u16| matches!(code, 401 | 403);
    match error {
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => Kind::Unauthorized,
        E::ServerError { code, .. } if denied(*code) => Kind::Unauthorized,
        E::RegistryError { envelope, .. } => {
            let denied = |code: &OciErrorCode| matches!(code, OciErrorCode::Unauthorized | OciErrorCode::Denied);
            match envelope.errors.iter().any(|error| denied(&error.code)) {
                true => Kind::Unauthorized,
                false => Kind::Refused,
            }
        }
        E::RequestError(error) => match error.status() {
            Some(status) if denied(status.as_u16()) => Kind::Unauthorized,
            Some(_) => Kind::Refused,
            None => Kind::Unreachable,
        },
        E::IoError(_) => Kind::Unreachable,
        _ => Kind::Refused,
    }
}

#[cfg(test)]
mod tests;
