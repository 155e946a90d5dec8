//! Files of pods: their volumes, and what containers see of them.
//!
//! [`Volumes`] are made once per pod ([`Volumes::set_up`]) and kept as their objects are by the node's one
//! [`VolumeKeeper`]. A container's [`View`] is made at each of its starts: which directories it sees where. WASI knows
//! directories only, so single files are shown in directories of the container's own; see [`view`].
//!
//! Invariant: nothing here is mounted. What a pod has is in its directory (and, in memory, below `/dev/shm`), and
//! [`remove`] removes all of it.

mod atomic;
mod batch;
mod buckets;
mod claim;
mod downward;
mod empty_dir;
mod env_file;
mod error;
mod etc_files;
mod host_path;
mod image;
mod keeper;
mod kept;
mod mount;
mod no_links;
mod objects;
mod ownership;
mod payload;
mod private_dir;
mod resolv_conf;
mod sub_path;
mod tokens;
mod tree;
mod view;
mod volume_set;
mod watches;

use std::{io, path::Path};

pub use downward::{Downward, DownwardError};
pub use error::VolumeError;
pub use etc_files::EtcFiles;
pub use image::{VolumeImageFailure, volume_images};
pub use keeper::VolumeKeeper;
#[cfg(test)]
pub use objects::fake;
pub use objects::{Objects, Token};
#[allow(unused_imports, reason = "who evicts asks `VolumeKeeper::over_limit` for it")]
pub use view::{View, ViewError, ViewRequest};
pub use volume_set::{Setting, Volumes};

/// The part of a pod's directory that its volumes have.
pub const VOLUMES_DIR: &str = "volumes";

/// Removes a pod's directory and everything else its volumes have on this node.
pub fn remove(pod_dir: &Path) -> io::Result<()> {
    remove_volumes(pod_dir)?;
    crate::files::remove_dir(pod_dir)
}

/// Removes what the volumes of a pod have on this node, and nothing else of the pod: it is over, and may be asked for its
/// logs as long as it is in the API.
pub fn remove_volumes(pod_dir: &Path) -> io::Result<()> {
    empty_dir::remove_volumes(&pod_dir.join(VOLUMES_DIR))
}
