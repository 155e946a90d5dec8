//! Why a container was not started.

use coracle_wasi_host::StartError;

use super::{Started, annotation::AnnotationError};
use crate::{
    images::ImageFailure,
    pods::env::EnvError,
    volumes::{ViewError, VolumeImageFailure},
};

/// A run that ended with its postStart hook.
pub struct FailedHook {
    /// The run.
    pub run: Started,
    /// Its end.
    pub exit: coracle_wasi_host::Exit,
}

impl std::fmt::Debug for FailedHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailedHook").field("id", &self.run.id).field("exit", &self.exit).finish_non_exhaustive()
    }
}

/// Why a container was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// its image can't be had or run
    #[error("{0}")]
    Image(#[from] ImageFailure),
    /// the image of a volume it mounts can't be had
    #[error(transparent)]
    VolumeImage(#[from] VolumeImageFailure),
    /// its environment can't be made
    #[error("{0}")]
    Env(#[from] EnvError),
    /// its pod says about its instances what can't be
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// its volumes can't be shown to it, or its files can't be made
    #[error("{0}")]
    View(#[from] ViewError),
    /// the pod ended first
    #[error("the pod is ending")]
    Cancelled,
    /// its postStart hook failed, and it was killed for that
    #[error("PostStartHook failed")]
    Hook(Box<FailedHook>),
    /// its sandbox can't be made; this counts as a run that ended at once
    #[error("failed to start container {id:?}: {source}")]
    Run {
        /// The run's ID.
        id: String,
        /// What the sandbox said.
        #[source]
        source: StartError,
    },
}

impl StartFailure {
    /// `state.waiting.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            StartFailure::Image(failure) => failure.reason(),
            StartFailure::VolumeImage(of) => of.failure.reason(),
            StartFailure::Env(_) | StartFailure::Annotation(_) => "CreateContainerConfigError",
            StartFailure::View(ViewError::Mount(error)) => error.reason(),
            StartFailure::View(ViewError::Files(_)) => "CreateContainerError",
            StartFailure::Run { .. } => "RunContainerError",
            StartFailure::Cancelled => "ContainerCreating",
            StartFailure::Hook(_) => "PostStartHookError",
        }
    }
    /// What is wrong with an image, and whether that is a volume's.
    pub fn image(&self) -> Option<(&ImageFailure, Option<&str>)> {
        match self {
            StartFailure::Image(failure) => Some((failure, None)),
            StartFailure::VolumeImage(of) => Some((&of.failure, Some(&of.image))),
            _ => None,
        }
    }
}
