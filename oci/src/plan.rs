//! What a name stands for, before anything large is fetched: manifest and configuration, checked against the
//! limits, and the packaging that follows from them.

use crate::config;
use crate::error::{PullError, chain};
use crate::files::{Part, parts};
use crate::format::{Format, container_format, is_container_image, wasm_layer};
use crate::image::{Image, ImageConfig, Layer};
use crate::limits::Limits;
use crate::manifest::{Descriptor, ImageManifest, Manifest, ManifestError};
use crate::remote::{RawManifest, Remote};
use crate::store::Want;

/// An image that is known but not yet here.
pub(crate) struct Plan {
    /// Complete but for module and rootfs.
    pub(crate) image: Image,
    /// Small documents to keep: index, manifest, configuration.
    pub(crate) documents: Vec<Vec<u8>>,
    /// What to fetch.
    pub(crate) fetch: Fetch,
}

/// The blobs an image needs.
pub(crate) enum Fetch {
    /// None: it isn't Wasm.
    NotWasm { platforms: Vec<String> },
    /// One layer, which is the Wasm.
    Module(Descriptor),
    /// Archives to unpack in order; the Wasm is in them.
    Archives(Vec<(Descriptor, Part)>),
    /// What the image's files are made of, and which of it is the Wasm, if any is.
    Files(Vec<(Descriptor, Part)>, Option<Descriptor>),
}

/// Reads manifest and configuration of `name` at `remote`.
pub(crate) async fn plan(
    remote: &Remote,
    name: &str,
    version: &str,
    limits: &Limits,
    want: Want,
) -> Result<Plan, PullError> {
    let checks = Checks { name, limits };
    let top = remote.manifest(version, limits).await?;
    let mut documents = vec![top.bytes.to_vec()];
    let (raw, manifest) = match checks.parse(&top)? {
        Manifest::Image(manifest) => (None, *manifest),
        Manifest::Index(index) => {
            checks.count("manifests in the index", index.manifests.len(), limits.index_manifests)?;
            let chosen = match want {
                Want::Program => index.choose_wasm(),
                Want::Files => index.choose_files(),
            };
            let Some(entry) = chosen else {
                let (format, fetch) = not_wasm(index.platforms());
                return Ok(Plan { image: bare(name, &top, format), documents, fetch });
            };
            let raw = remote.manifest(entry.digest.as_str(), limits).await?;
            documents.push(raw.bytes.to_vec());
            match checks.parse(&raw)? {
                Manifest::Image(manifest) => (Some(raw), *manifest),
                Manifest::Index(_) => return Err(checks.invalid("manifest", "an index in an index")),
            }
        }
    };
    let chosen = raw.as_ref().unwrap_or(&top);
    let size_bytes = checks.size(&manifest, chosen.bytes.len() as u64)?;
    let config = checks.config(remote, &manifest).await?;
    let parsed = match config::parse(&config) {
        Ok(parsed) => parsed,
        Err(error) if is_container_image(&manifest) => {
            return Err(checks.invalid("configuration", &error.to_string()));
        }
        // Artifacts may have any configuration, or one that isn't JSON.
        Err(_) => config::Parsed::default(),
    };
    documents.push(config);
    let (format, fetch) = match want {
        Want::Program => checks.format(&manifest, &parsed)?,
        Want::Files => checks.files(&manifest, &parsed)?,
    };
    let mut image = bare(name, &top, format);
    image.manifest_digest = chosen.digest.to_string();
    image.config_digest = manifest.config.digest.to_string();
    image.size_bytes = size_bytes;
    image.config = parsed.config;
    image.layers = manifest.layers.iter().map(layer).collect();
    image.annotations = manifest.annotations.unwrap_or_default();
    Ok(Plan { image, documents, fetch })
}

fn not_wasm(platforms: Vec<String>) -> (Format, Fetch) {
    (Format::NotWasm { platforms: platforms.clone() }, Fetch::NotWasm { platforms })
}

/// An image of which only the name and the top document are known.
fn bare(name: &str, top: &RawManifest, format: Format) -> Image {
    Image {
        reference: name.to_owned(),
        digest: top.digest.to_string(),
        manifest_digest: top.digest.to_string(),
        config_digest: String::new(),
        size_bytes: top.bytes.len() as u64,
        format,
        config: ImageConfig::default(),
        layers: Vec::new(),
        annotations: Default::default(),
        module: None,
        rootfs: None,
    }
}

fn layer(descriptor: &Descriptor) -> Layer {
    Layer {
        digest: descriptor.digest.to_string(),
        media_type: descriptor.media_type.clone(),
        size_bytes: descriptor.size,
    }
}

/// The checks of one image, which report its name.
struct Checks<'a> {
    name: &'a str,
    limits: &'a Limits,
}

impl Checks<'_> {
    fn parse(&self, raw: &RawManifest) -> Result<Manifest, PullError> {
        match Manifest::parse(&raw.bytes, raw.content_type.as_deref()) {
            Ok(manifest) => Ok(manifest),
            Err(ManifestError::MediaType(media_type)) => Err(self.unsupported("the manifest", &media_type)),
            Err(error) => Err(self.invalid("manifest", &chain(&error))),
        }
    }

    /// What the whole image takes; sizes in a manifest are claims, so adding them up must not overflow.
    fn size(&self, manifest: &ImageManifest, manifest_bytes: u64) -> Result<u64, PullError> {
        self.count("layers", manifest.layers.len(), self.limits.layers)?;
        let blobs = manifest.layers.iter().chain([&manifest.config]);
        let total = blobs.fold(manifest_bytes, |sum, blob| sum.saturating_add(blob.size));
        self.within("image (bytes)", total, self.limits.image_bytes)?;
        Ok(total)
    }

    async fn config(&self, remote: &Remote, manifest: &ImageManifest) -> Result<Vec<u8>, PullError> {
        if let Some(bytes) = manifest.config.inline() {
            return Ok(bytes);
        }
        let limit = self.limits.config_bytes;
        Ok(remote.small_blob(&manifest.config, "configuration", limit).await?.to_vec())
    }

    fn format(&self, manifest: &ImageManifest, parsed: &config::Parsed) -> Result<(Format, Fetch), PullError> {
        if let Some((format, layer)) = wasm_layer(manifest) {
            self.within("module (bytes)", layer.size, self.limits.module_bytes)?;
            return Ok((format, Fetch::Module(layer.clone())));
        }
        if !is_container_image(manifest) {
            let kind = manifest.artifact_type.as_ref().unwrap_or(&manifest.config.media_type);
            return Err(self.unsupported("the artifact, which has no Wasm layer", kind));
        }
        match container_format(manifest, &parsed.config) {
            Format::Compat => Ok((Format::Compat, Fetch::Archives(parts(self.name, manifest, &parsed.diff_ids)?))),
            Format::NotWasm { platforms } => Ok(not_wasm(platforms)),
            // No other format has archives.
            other => Err(self.unsupported("the artifact", &other.to_string())),
        }
    }

    /// Everything has files; what it could run is noted on the way, so that it need not be pulled again for that.
    fn files(&self, manifest: &ImageManifest, parsed: &config::Parsed) -> Result<(Format, Fetch), PullError> {
        let parts = parts(self.name, manifest, &parsed.diff_ids)?;
        let wasm = wasm_layer(manifest).filter(|(_, layer)| layer.size <= self.limits.module_bytes);
        let format = match &wasm {
            Some((format, _)) => format.clone(),
            None if is_container_image(manifest) => container_format(manifest, &parsed.config),
            None => Format::Artifact {
                kind: manifest.artifact_type.clone().unwrap_or_else(|| manifest.config.media_type.clone()),
            },
        };
        Ok((format, Fetch::Files(parts, wasm.map(|(_, layer)| layer.clone()))))
    }

    fn count(&self, what: &str, count: usize, limit: usize) -> Result<(), PullError> {
        self.within(what, count as u64, limit as u64)
    }

    fn within(&self, what: &str, size: u64, limit: u64) -> Result<(), PullError> {
        match size <= limit {
            true => Ok(()),
            false => Err(PullError::TooLarge { reference: self.name.to_owned(), what: what.to_owned(), size, limit }),
        }
    }

    fn invalid(&self, what: &str, detail: &str) -> PullError {
        PullError::Invalid { reference: self.name.to_owned(), what: what.to_owned(), detail: detail.to_owned() }
    }

    fn unsupported(&self, what: &str, media_type: &str) -> PullError {
        PullError::UnsupportedMediaType {
            reference: self.name.to_owned(),
            what: what.to_owned(),
            media_type: media_type.to_owned(),
        }
    }
}
