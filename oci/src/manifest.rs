//! Manifests and image indexes as JSON (image-spec, manifest.md and image-index.md; Docker's schema 2 has
//! the same fields). Parsing only: nothing here fetches.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::media_type;

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    /// The bytes aren't the JSON of a manifest
    #[error("{0}")]
    Json(String),
    /// The manifest is of a kind we don't read
    #[error("unsupported media type {0:?}")]
    MediaType(String),
    /// Signed manifests of Docker's first schema are gone from the specification
    #[error("manifest schemaVersion {0} is not supported, only 2 is")]
    SchemaVersion(u64),
    /// A document that is a manifest and an index at once means different things to different readers
    /// (CVE-2021-41190)
    #[error("the document has both `manifests` and `layers`, which is ambiguous")]
    Ambiguous,
}

/// A pointer to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    /// The blob itself, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<String>,
}

impl Descriptor {
    pub(crate) fn new(media_type: &str, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: None,
            platform: None,
            data: None,
        }
    }

    /// The blob, if the manifest brings it along and it is what the digest says.
    pub(crate) fn inline(&self) -> Option<Vec<u8>> {
        let bytes = base64::engine::general_purpose::STANDARD.decode(self.data.as_ref()?).ok()?;
        (Digest::of(&bytes) == self.digest).then_some(bytes)
    }
}

/// What an entry of an index runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// One image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageManifest {
    pub(crate) schema_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

/// Several manifests under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default)]
    pub(crate) manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

impl Index {
    /// What it has, for an error message: attestations (`unknown/unknown`) are no platform.
    pub(crate) fn platforms(&self) -> Vec<String> {
        let platforms = self.manifests.iter().filter_map(|entry| entry.platform.as_ref());
        platforms.filter(|p| p.os != "unknown").map(Platform::to_string).collect()
    }

    /// The entry to run here: `wasi/wasm` (what Docker builds), then WASI by version, then any Wasm; or the
    /// only entry of an index that names no platform at all.
    pub(crate) fn choose_wasm(&self) -> Option<&Descriptor> {
        let rank = |entry: &Descriptor| {
            let platform = entry.platform.as_ref()?;
            let wasm = matches!(platform.architecture.as_str(), "wasm" | "wasm32");
            wasm.then_some(match platform.os.as_str() {
                "wasi" => 0,
                "wasip1" => 1,
                "wasip2" => 2,
                _ => 3,
            })
        };
        let ranked = self.manifests.iter().filter_map(|entry| Some((rank(entry)?, entry)));
        let best = ranked.min_by_key(|(rank, _)| *rank).map(|(_, entry)| entry);
        best.or(match self.manifests.as_slice() {
            [only] if only.platform.is_none() => Some(only),
            _ => None,
        })
    }

    /// The entry whose files are mounted: the one that would run here, or else the one for this machine.
    pub(crate) fn choose_files(&self) -> Option<&Descriptor> {
        let is_host = |platform: &Platform| platform.os == "linux" && platform.architecture == host_architecture();
        let host = || self.manifests.iter().find(|entry| entry.platform.as_ref().is_some_and(is_host));
        self.choose_wasm().or_else(host)
    }
}

/// The machine's architecture, in the names of image indexes (Go's).
fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Either kind of document that a name can stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manifest {
    Image(Box<ImageManifest>),
    Index(Box<Index>),
}

impl Manifest {
    /// Reads a manifest. The media type is the document's own, else that of the answer it came in, else
    /// it follows from the fields.
    pub(crate) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Manifest, ManifestError> {
        let json = |error: serde_json::Error| ManifestError::Json(error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(json)?;
        if head.schema_version != 2 {
            return Err(ManifestError::SchemaVersion(head.schema_version));
        }
        let (is_index, is_image) = (head.manifests.is_some(), head.layers.is_some());
        if is_index && is_image {
            return Err(ManifestError::Ambiguous);
        }
        let of_header = content_type
            .map(|value| value.split(';').next().unwrap_or(value).trim())
            .filter(|value| !matches!(*value, "application/json" | "application/octet-stream" | ""));
        let fallback = if is_index { media_type::OCI_INDEX } else { media_type::OCI_MANIFEST };
        match head.media_type.as_deref().or(of_header).unwrap_or(fallback) {
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST if !is_index => {
                serde_json::from_slice(bytes).map(|image| Manifest::Image(Box::new(image))).map_err(json)
            }
            media_type::OCI_INDEX | media_type::DOCKER_INDEX if !is_image => {
                serde_json::from_slice(bytes).map(|index| Manifest::Index(Box::new(index))).map_err(json)
            }
            other => Err(ManifestError::MediaType(other.to_owned())),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn descriptor(fill: char) -> serde_json::Value {
        let digest = format!("sha256:{}", fill.to_string().repeat(64));
        json!({"mediaType": "application/x", "digest": digest, "size": 1})
    }

    fn parse(document: serde_json::Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(document.to_string().as_bytes(), Some("application/json"))
    }

    #[test]
    fn kind_follows_from_media_type_or_fields() {
        let image = json!({"schemaVersion": 2, "config": descriptor('a'), "layers": []});
        assert!(matches!(parse(image), Ok(Manifest::Image(_))));
        let index = json!({"schemaVersion": 2, "manifests": [descriptor('b')]});
        assert!(matches!(parse(index), Ok(Manifest::Index(_))));
    }

    #[test]
    fn ambiguous_old_and_foreign_documents_are_refused() {
        let both = json!({"schemaVersion": 2, "config": descriptor('a'), "layers": [], "manifests": []});
        assert_eq!(parse(both), Err(ManifestError::Ambiguous));
        assert_eq!(parse(json!({"schemaVersion": 1})), Err(ManifestError::SchemaVersion(1)));
        let foreign = json!({"schemaVersion": 2, "mediaType": "text/plain"});
        assert_eq!(parse(foreign), Err(ManifestError::MediaType("text/plain".into())));
        let bad_digest = json!({"schemaVersion": 2, "layers": [],
            "config": {"mediaType": "x", "digest": "sha256:../../etc", "size": 1}});
        assert!(matches!(parse(bad_digest), Err(ManifestError::Json(_))));
    }

    #[test]
    fn platform_order_is_wasi_then_versions_then_any_wasm() {
        let entry = |fill: char, os: &str, architecture: &str| {
            let mut entry = descriptor(fill);
            entry["platform"] = json!({"os": os, "architecture": architecture});
            entry
        };
        let mut entries = vec![
            entry('1', "linux", "amd64"),
            entry('2', "unknown", "wasm"),
            entry('3', "wasip2", "wasm"),
            entry('4', "wasip1", "wasm"),
            entry('5', "wasi", "wasm"),
        ];
        for expected in ['5', '4', '3', '2'] {
            let index = json!({"schemaVersion": 2, "manifests": entries});
            let Ok(Manifest::Index(index)) = parse(index) else { unreachable!("an index") };
            let chosen = index.choose_wasm().expect("has wasm");
            assert!(chosen.digest.hex().starts_with(expected), "{expected}");
            entries.pop();
        }
        let index = json!({"schemaVersion": 2, "manifests": entries});
        let Ok(Manifest::Index(index)) = parse(index) else { unreachable!("an index") };
        assert_eq!(index.choose_wasm(), None);
        assert_eq!(index.platforms(), ["linux/amd64"]);
    }
}
