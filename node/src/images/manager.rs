//! Makes sure an image is here and ready to run, telling the pod's events what is going on.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use coracle_oci::{Files, Image, ImageStore, PullError, PullOptions, Reference, Registries, StoreError};
use coracle_wasi_host::Program;
use parking_lot::Mutex;

use super::{
    access::{Access, PullSecret},
    credentials::{Credential, Keyring},
    gc::{CollectError, Collector, ImageGcPolicy},
    programs::{ProgramError, Programs},
};
use crate::{
    events::{EventRecorder, Subject},
    go_duration,
    machine::Disk,
};

/// What a container, or a volume, wants.
pub struct ImageRequest<'a> {
    /// The image, as the pod names it.
    pub image: &'a str,
    /// `imagePullPolicy` of a container, `pullPolicy` of a volume.
    pub policy: Option<&'a str>,
    /// Credentials of the pod's pull secrets.
    pub keyring: &'a Keyring,
    /// The image that the container ran before: it does while the registry can't be reached, whatever the policy.
    pub ran: Option<&'a str>,
    /// How long the registry has to answer, if something speaks for its being away.
    pub patience: Option<Duration>,
    /// The container, for events; the pod for a volume.
    pub subject: &'a Subject,
}

/// What of an image is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Program,
    Files,
}

/// An image that is here for a container.
pub struct PulledImage {
    /// What is in it.
    pub image: Image,
    /// Keeps the image's files, if it has any, even when its name comes to stand for another one.
    pub files: Option<Files>,
}

/// An image that can be run.
#[derive(Clone)]
pub struct ReadyImage {
    /// What is in it.
    pub image: Arc<Image>,
    /// The program.
    pub program: Program,
    /// Keeps the image's files.
    pub files: Option<Files>,
}

/// Why an image can't be run: `state.waiting.reason` and its message.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImageFailure {
    /// the name is no image reference
    #[error("Failed to apply default image tag {image:?}: couldn't parse image name {image:?}: {message}")]
    InvalidName {
        /// The name.
        image: String,
        /// What is wrong with it.
        message: String,
    },
    /// the image isn't here and must not be pulled
    #[error("Container image {0:?} is not present with pull policy of Never")]
    NeverPull(String),
    /// the pull failed
    #[error("{0}")]
    Pull(PullError),
    /// the image is here and can't be run
    #[error("{0}")]
    Program(ProgramError),
}

impl ImageFailure {
    /// The reason, as kubelet gives it.
    pub fn reason(&self) -> &'static str {
        match self {
            ImageFailure::InvalidName { .. } => "InvalidImageName",
            ImageFailure::NeverPull(_) => "ErrImageNeverPull",
            // What a container runtime says of an image that is not for its platform.
            ImageFailure::Pull(_) | ImageFailure::Program(ProgramError::NotWasm { .. }) => "ErrImagePull",
            ImageFailure::Program(_) => "CreateContainerError",
        }
    }

    /// Whether the next attempt is a pull too, with its own back-off and reason.
    pub fn is_pull(&self) -> bool {
        self.reason() == "ErrImagePull"
    }
}

/// The images of this node.
pub struct ImageManager {
    store: ImageStore,
    registries: Arc<Registries>,
    programs: Programs,
    events: Arc<EventRecorder>,
    collector: Mutex<Collector>,
    access: Arc<Access>,
}

impl ImageManager {
    /// Images of `store`, pulled from `registries`; `access` says for whom they are.
    pub fn new(
        store: ImageStore,
        registries: Arc<Registries>,
        programs: Programs,
        events: Arc<EventRecorder>,
        policy: ImageGcPolicy,
        access: Access,
    ) -> ImageManager {
        let collector = Mutex::new(Collector::new(policy));
        ImageManager { store, registries, programs, events, collector, access: Arc::new(access) }
    }

    /// All images that are here.
    pub fn list(&self) -> Vec<Image> {
        self.store.list()
    }

    /// What the images take on disk. Walks them: call it where blocking is allowed.
    pub fn usage_bytes(&self) -> u64 {
        self.store.usage_bytes()
    }

    /// Whether a container of the image has nothing to wait for: no registry, no compiler.
    pub fn is_at_hand(&self, image: &str, policy: Option<&str>) -> bool {
        let found = || self.store.resolve(&Reference::from_str(image).ok()?);
        policy != Some("Always") && found().is_some_and(|found| self.programs.is_loaded(&found))
    }

    /// Frees the disk of what nobody uses, if it is too full; see [`Collector`]. Blocks on the disk.
    pub fn collect(&self, in_use: &[String], disk: Disk) -> Result<u64, CollectError> {
        let freed = self.collector.lock().collect(&self.store, in_use, disk, tokio::time::Instant::now());
        self.sweep();
        freed
    }

    /// Frees the disk of all that nobody uses: the node is short of it. Blocks on the disk.
    pub fn collect_unused(&self, in_use: &[String]) -> Result<u64, StoreError> {
        let freed = self.collector.lock().collect_unused(&self.store, in_use, tokio::time::Instant::now());
        self.sweep();
        freed
    }

    fn sweep(&self) {
        if let Err(error) = self.programs.sweep() {
            tracing::warn!(%error, "compiled programs of former images could not be removed");
        }
        let here = || self.store.list().into_iter().map(|image| image.digest).collect();
        if self.access.retain(here) {
            self.access.save();
        }
    }

    /// The image, pulled if the policy says so.
    pub async fn ensure(&self, request: &ImageRequest<'_>) -> Result<PulledImage, ImageFailure> {
        let image = self.obtain(Want::Program, request).await?;
        let files = image.rootfs.as_ref().and_then(|_| self.store.files(&image));
        Ok(PulledImage { image, files })
    }

    /// The image with what a container of it runs: the file that the first word of its command names from the directory
    /// `dir`, or the image's own program.
    pub async fn ready(
        &self,
        pulled: PulledImage,
        command: Option<String>,
        dir: String,
    ) -> Result<ReadyImage, ImageFailure> {
        let PulledImage { image, files } = pulled;
        let image = self.of_command(image, command, dir).await.map_err(ImageFailure::Program)?;
        let program = self.programs.get(&image).await.map_err(ImageFailure::Program)?;
        Ok(ReadyImage { image: Arc::new(image), program, files })
    }

    async fn of_command(&self, image: Image, command: Option<String>, dir: String) -> Result<Image, ProgramError> {
        if image.rootfs.is_none() {
            return Ok(image);
        }
        let (store, name) = (self.store.clone(), image.reference.clone());
        let find = move || store.for_command(image, command.as_deref(), &dir);
        let found = tokio::task::spawn_blocking(find).await;
        found.map_err(|error| ProgramError::Internal { image: name, message: error.to_string() })?.map_err(Into::into)
    }

    /// The image's files, pulled if the policy says so. While they are held no collection takes them.
    pub async fn ensure_files(&self, request: &ImageRequest<'_>) -> Result<Files, ImageFailure> {
        let found = self.obtain(Want::Files, request).await?;
        let removed = || ImageFailure::Pull(PullError::NotFound { reference: found.reference.clone() });
        self.store.files(&found).ok_or_else(removed)
    }

    async fn obtain(&self, want: Want, request: &ImageRequest<'_>) -> Result<Image, ImageFailure> {
        let image = request.image;
        let reference = Reference::from_str(image).map_err(|error| {
            let failure = ImageFailure::InvalidName { image: image.to_owned(), message: error.to_string() };
            self.events.warning(request.subject, "InspectFailed", failure.to_string());
            failure
        })?;
        if request.policy == Some("Always") {
            return self.pull_newest(want, request, &reference).await;
        }
        let found = match want {
            Want::Program => self.store.resolve(&reference),
            Want::Files => self.store.find_files(&reference).await,
        };
        match found {
            Some(found) if self.is_open_to(request, &reference, &found) => {
                let message =
                    format!("Container image {image:?} already present on machine and can be accessed by the pod");
                self.events.normal(request.subject, "Pulled", message);
                Ok(found)
            }
            // For this pod it is not here.
            _ if request.policy == Some("Never") => {
                let failure = ImageFailure::NeverPull(image.to_owned());
                self.events.warning(request.subject, "ErrImageNeverPull", failure.to_string());
                Err(failure)
            }
            Some(_) => self.pull_newest(want, request, &reference).await,
            None => self.pull(want, request, &reference).await,
        }
    }

    /// Whether the pod may use an image that is here: its registry has once given it for credentials that the pod has.
    fn is_open_to(&self, request: &ImageRequest<'_>, reference: &Reference, found: &Image) -> bool {
        let credentials = request.keyring.for_image(reference).into_iter();
        self.access.allows(&reference.name(), &found.digest, credentials.filter_map(|credential| credential.secret))
    }

    /// Remembers for whom the image is.
    async fn remember(&self, reference: &Reference, pulled: &Image, secret: Option<PullSecret>) {
        if self.access.add(&reference.name(), &pulled.digest, secret) {
            let access = Arc::clone(&self.access);
            // A runtime that ends before it is written has the registry asked again.
            let _ = tokio::task::spawn_blocking(move || access.save()).await;
        }
    }

    /// Pulls the image although there is one, which is kept if the registry is away: what ran goes on running.
    async fn pull_newest(
        &self,
        want: Want,
        request: &ImageRequest<'_>,
        reference: &Reference,
    ) -> Result<Image, ImageFailure> {
        let ran = |found: &Image| request.ran.is_some_and(|ran| ran == found.repo_digest());
        let Some(here) = self.store.resolve(reference).filter(ran) else {
            return self.pull(want, request, reference).await;
        };
        let pull = self.pull(want, request, reference);
        let pulled = match request.patience {
            Some(patience) => tokio::time::timeout(patience, pull).await.ok(),
            None => Some(pull.await),
        };
        match pulled {
            None | Some(Err(ImageFailure::Pull(PullError::Unreachable { .. }))) => {
                let image = request.image;
                let message = format!(
                    "Registry of image {image:?} can't be reached; the image that the container ran before is used"
                );
                self.events.normal(request.subject, "Pulled", message);
                Ok(here)
            }
            Some(answer) => answer,
        }
    }

    async fn pull(&self, want: Want, request: &ImageRequest<'_>, reference: &Reference) -> Result<Image, ImageFailure> {
        let (image, started) = (request.image, Instant::now());
        self.events.normal(request.subject, "Pulling", format!("Pulling image {image:?}"));
        let mut failure = None;
        for Credential { auth, secret } in request.keyring.for_image(reference) {
            let options = PullOptions { auth, registries: Arc::clone(&self.registries), progress: None };
            let pulled = match want {
                Want::Program => self.store.pull(reference, &options).await,
                Want::Files => self.store.pull_files(reference, &options).await,
            };
            match pulled {
                Ok(found) => {
                    self.remember(reference, &found, secret).await;
                    let (took, size) = (go_duration::show(started.elapsed()), found.size_bytes);
                    let message = format!(
                        "Successfully pulled image {image:?} in {took} ({took} including waiting). Image size: {size} bytes."
                    );
                    self.events.normal(request.subject, "Pulled", message);
                    return Ok(found);
                }
                Err(error @ PullError::Unauthorized { .. }) => failure = Some(error),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let failure = match failure.unwrap_or_else(|| PullError::NotFound { reference: reference.to_string() }) {
            PullError::NotWasm { platforms, .. } if want == Want::Program => {
                ImageFailure::Program(ProgramError::NotWasm { image: image.to_owned(), platforms })
            }
            other => ImageFailure::Pull(other),
        };
        self.events.warning(request.subject, "Failed", format!("Failed to pull image {image:?}: {failure}"));
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_kubelets_reasons() {
        let not_found = PullError::NotFound { reference: "a/b:c".into() };
        assert_eq!(ImageFailure::Pull(not_found).reason(), "ErrImagePull");
        assert_eq!(ImageFailure::NeverPull("x".into()).reason(), "ErrImageNeverPull");
        let program = ProgramError::NotWasm { image: "nginx".into(), platforms: vec!["linux/amd64".into()] };
        let failure = ImageFailure::Program(program);
        assert_eq!(failure.reason(), "ErrImagePull");
        let text = failure.to_string();
        assert!(text.contains("no match for platform in manifest") && text.contains("no CRI runtime"), "{text}");
        let broken = ProgramError::Compile { image: "x".into(), message: "no".into() };
        assert!(!ImageFailure::Program(broken).is_pull());
    }
}
