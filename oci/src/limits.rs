//! Every bound this crate keeps, in one place, so that an operator can read and set them together.

use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What an image, a module and the built-in registry may cost. A number from the network is never trusted:
/// each bound is checked against what was announced and again against the bytes that arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// One manifest or image index. 4 MiB is what the distribution spec asks registries to accept at least.
    pub manifest_bytes: u64,
    /// One image configuration.
    pub config_bytes: u64,
    /// One Wasm module or component. Interpreted languages reach tens of MiB.
    pub module_bytes: u64,
    /// All blobs of one image together, as they are transferred.
    pub image_bytes: u64,
    /// Layers in one manifest. Linux's overlayfs stops near 128 and so do the tools.
    pub layers: usize,
    /// Manifests in one image index.
    pub index_manifests: usize,
    /// All layers of one compat image, decompressed (archive headers included: a bomb may be made of them).
    pub unpacked_bytes: u64,
    /// Files, directories and links in one compat image.
    pub unpacked_entries: u64,
    /// Pulls under way at one time; others wait for their turn.
    pub parallel_pulls: usize,
    /// Registry: one blob.
    pub blob_bytes: u64,
    /// Registry: upload sessions open at one time.
    pub uploads: usize,
    /// Registry: an upload session nobody has written to for so long is dropped.
    pub upload_idle: Duration,
    /// Registry: repositories.
    pub repositories: usize,
    /// Registry: manifests and tags in one repository, each.
    pub repository_entries: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            manifest_bytes: 4 * MIB,
            config_bytes: MIB,
            module_bytes: 256 * MIB,
            image_bytes: GIB,
            layers: 128,
            index_manifests: 256,
            unpacked_bytes: 2 * GIB,
            unpacked_entries: 64 * KIB,
            parallel_pulls: 16,
            blob_bytes: GIB,
            uploads: 64,
            upload_idle: Duration::from_secs(60 * 60),
            repositories: 10_000,
            repository_entries: 10_000,
        }
    }
}
