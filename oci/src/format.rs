//! How Wasm is packaged: decided by media types, platform and annotations, never by looking into layers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::ImageConfig;
use crate::manifest::{Descriptor, ImageManifest};
use crate::media_type;

/// Set by buildah's users on images whose platform says Linux although they hold Wasm (crun's convention).
const COMPAT_ANNOTATION: &str = "module.wasm.image/variant";

/// The packaging of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The CNCF layout: configuration `application/vnd.wasm.config.v0+json`, layer `application/wasm`.
    /// Tools that push the layer with another configuration (ORAS) count as this too.
    WasmConfigV0,
    /// Layer `application/vnd.wasm.content.layer.v1+wasm`, with either older configuration.
    WasmContentLayerV1,
    /// Layer `application/vnd.bytecodealliance.wasm.component.layer.v0+wasm`.
    ComponentLayerV0,
    /// A container image `FROM scratch` for a Wasm platform; its entrypoint names the module's file.
    Compat,
    /// An artifact without Wasm, of which only the files are of use.
    Artifact {
        /// What it is: its artifact type, or its configuration's media type.
        kind: String,
    },
    /// A container image without Wasm.
    NotWasm {
        /// What it would run on, such as `linux/amd64`.
        platforms: Vec<String>,
    },
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::WasmConfigV0 => f.write_str(media_type::WASM),
            Format::WasmContentLayerV1 => f.write_str(media_type::WASM_CONTENT_V1),
            Format::ComponentLayerV0 => f.write_str(media_type::COMPONENT_V0),
            Format::Compat => f.write_str("compat image"),
            Format::Artifact { kind } => write!(f, "artifact {kind}"),
            Format::NotWasm { platforms } => write!(f, "not Wasm ({})", platforms.join(", ")),
        }
    }
}

/// The first layer that is Wasm by its media type. The CNCF layout wants it to be the first of all; older
/// tools did not mind what came before it.
pub(crate) fn wasm_layer(manifest: &ImageManifest) -> Option<(Format, &Descriptor)> {
    manifest.layers.iter().find_map(|layer| {
        let format = match layer.media_type.as_str() {
            media_type::WASM => Format::WasmConfigV0,
            media_type::WASM_CONTENT_V1 | media_type::WASM_MODULE_CONTENT_V1 => Format::WasmContentLayerV1,
            media_type::COMPONENT_V0 => Format::ComponentLayerV0,
            _ => return None,
        };
        Some((format, layer))
    })
}

/// Whether the configuration is that of a container image, whose layers are archives.
pub(crate) fn is_container_image(manifest: &ImageManifest) -> bool {
    matches!(manifest.config.media_type.as_str(), media_type::OCI_CONFIG | media_type::DOCKER_CONFIG)
}

/// Compat or not Wasm, for a container image without a Wasm layer.
pub(crate) fn container_format(manifest: &ImageManifest, config: &ImageConfig) -> Format {
    let (os, architecture) = config.platform.split_once('/').unwrap_or_default();
    let wasm = matches!(architecture, "wasm" | "wasm32") || matches!(os, "wasi" | "wasip1" | "wasip2");
    let annotated = manifest
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(COMPAT_ANNOTATION))
        .is_some_and(|variant| variant.starts_with("compat"));
    match wasm || annotated {
        true => Format::Compat,
        false => Format::NotWasm { platforms: vec![config.platform.clone()] },
    }
}
