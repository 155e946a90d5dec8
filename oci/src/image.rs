//! What the store knows about an image it holds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::format::Format;

/// An image: what its name led to, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The name it was asked for by, normalised.
    pub reference: String,
    /// Digest of what the name stands for in the registry: the manifest, or the index of a multi-platform
    /// image. With the repository's name in front it is the repo digest.
    pub digest: String,
    /// Digest of the manifest that was chosen; the same as `digest` if there was no index.
    pub manifest_digest: String,
    /// Digest of the configuration: what container runtimes call the image ID.
    pub config_digest: String,
    /// Manifest, configuration and layers as they were transferred, in bytes.
    pub size_bytes: u64,
    /// How the Wasm is packaged.
    pub format: Format,
    /// Defaults for containers made of it.
    pub config: ImageConfig,
    /// Its layers, in order.
    pub layers: Vec<Layer>,
    /// Annotations of the manifest.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The Wasm to run; absent in an image that has none, of which only the files are of use.
    pub module: Option<Module>,
    /// Where the files of a compat image lie, unpacked; read-only by convention: it is shared.
    #[serde(skip)]
    pub rootfs: Option<PathBuf>,
}

impl Image {
    /// The name that always leads to these bytes: `registry/repository@digest`.
    pub fn repo_digest(&self) -> String {
        let bare = self.reference.split('@').next().unwrap_or(&self.reference);
        let path_start = bare.rfind('/').map_or(0, |slash| slash + 1);
        let name_end = bare[path_start..].find(':').map_or(bare.len(), |colon| path_start + colon);
        format!("{}@{}", &bare[..name_end], self.digest)
    }
}

/// The Wasm module or component of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Digest of the bytes themselves: what a compile cache should be keyed by.
    pub digest: String,
    /// Their length.
    pub size_bytes: u64,
    /// Its file in a compat image.
    pub path: Option<String>,
}

/// One layer as the manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Digest of the layer as it is transferred.
    pub digest: String,
    /// What it is.
    pub media_type: String,
    /// Its length as it is transferred.
    pub size_bytes: u64,
}

/// The part of an image's configuration that a container starts from (image-spec, config.md). All empty
/// for artifacts whose configuration has no such part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// What to run, and its first arguments. In a compat image the first word is the module's file.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub cmd: Vec<String>,
    /// Variables, in the image's order.
    pub env: Vec<(String, String)>,
    /// Directory to start in; empty if the image does not say.
    pub working_dir: String,
    /// `user[:group]`, names or numbers; empty if the image does not say.
    pub user: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// When it was built, as written there.
    pub created: Option<String>,
    /// What it was built for, such as `wasip2/wasm`.
    pub platform: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repo_digest_drops_tag_and_digest_but_not_the_port() {
        let image = |reference: &str| Image {
            reference: reference.into(),
            digest: "sha256:d".into(),
            manifest_digest: String::new(),
            config_digest: String::new(),
            size_bytes: 0,
            format: Format::WasmConfigV0,
            config: ImageConfig::default(),
            layers: Vec::new(),
            annotations: BTreeMap::new(),
            module: None,
            rootfs: None,
        };
        for reference in ["x.io:1/a:t", "x.io:1/a@sha256:d", "x.io:1/a:t@sha256:d"] {
            assert_eq!(image(reference).repo_digest(), "x.io:1/a@sha256:d");
        }
    }
}
