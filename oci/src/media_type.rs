//! The media types this crate knows, each with where it is defined.

/// OCI image-spec: manifest, index, configuration, "nothing here".
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Docker's image manifest V2, schema 2.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// CNCF TAG Runtime, "Wasm OCI Artifact layout".
pub(crate) const WASM_CONFIG_V0: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const WASM: &str = "application/wasm";
/// What wasm-to-oci, Krustlet and containerd's shims used before it.
pub(crate) const WASM_CONTENT_V1: &str = "application/vnd.wasm.content.layer.v1+wasm";
pub(crate) const WASM_MODULE_CONTENT_V1: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// runwasi's first layer type for components.
pub(crate) const COMPONENT_V0: &str = "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm";

/// Manifests we ask for, best first.
pub(crate) const ACCEPT_MANIFESTS: &str = concat!(
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, ",
    "application/vnd.docker.distribution.manifest.v2+json, ",
    "application/vnd.docker.distribution.manifest.list.v2+json"
);

/// Whether a layer is a module or a component.
pub(crate) fn is_wasm(media_type: &str) -> bool {
    matches!(media_type, WASM | WASM_CONTENT_V1 | WASM_MODULE_CONTENT_V1 | COMPONENT_V0)
}

/// How the tar archive of a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Whether a layer is a tar archive, and how it is compressed.
pub(crate) fn tar_compression(media_type: &str) -> Option<Compression> {
    match media_type {
        "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar"
        | "application/vnd.docker.image.rootfs.diff.tar" => Some(Compression::None),
        "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Some(Compression::Gzip),
        "application/vnd.oci.image.layer.v1.tar+zstd"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
        | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Some(Compression::Zstd),
        _ => None,
    }
}
