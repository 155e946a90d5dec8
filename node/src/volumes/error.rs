//! Why a pod has no volumes, in kubelet's words.

use std::{io, path::PathBuf};

use super::{claim::ClaimError, payload::PayloadError};

/// Why a volume isn't there: the end of kubelet's `MountVolume.SetUp failed for volume "x" : …`.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// this node can't make volumes of this type
    #[error("no volume plugin matched: volume type {0} is not supported by this node")]
    Unsupported(String),
    /// emptyDir on something else than disk or memory
    #[error("storage medium {0:?} is not supported by this node")]
    Medium(String),
    /// what is to be in it can't be had
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// the claim has no volume, or none of this node's
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// a persistent volume can't be mounted; kubelet calls it by its own name
    #[error("MountVolume.{step} failed for volume {volume:?} : {problem}")]
    Persistent {
        /// What failed.
        step: &'static str,
        /// The persistent volume.
        volume: String,
        /// What is wrong.
        problem: String,
    },
    /// the host's path isn't what it should be
    #[error("hostPath type check failed: {path} is not a {expected}")]
    HostPath {
        /// The path.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
    /// the type of the host's path is none of Kubernetes'
    #[error("{0} is an invalid volume type")]
    HostPathType(String),
    /// a file would stand outside of the volume
    #[error("invalid path {path:?}: {why}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// the disk refused
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl VolumeError {
    /// Whether something is missing that may come: nobody made it yet.
    pub fn is_missing(&self) -> bool {
        matches!(self, VolumeError::Payload(error) if error.is_missing())
    }
}
