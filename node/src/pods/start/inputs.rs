//! What a container is started with and has to be fetched: its image, and what its variables say.

use std::time::Duration;

use coracle_client::about;

use super::{
    Attempt, StartFailure,
    command::{program_name, working_dir},
};
use crate::{
    images::{ImageRequest, Keyring, PulledImage, ReadyImage},
    pods::{
        env::{EnvError, EnvSources, Environment, environment},
        service_env::service_variables,
    },
    volumes::{Downward, Objects, VolumeImageFailure},
};

/// How long a registry has to answer while the API server is away: it may be the cluster's own, or on the same lost network.
const PULL_PATIENCE: Duration = Duration::from_secs(2);

/// What a container is started with.
pub struct Inputs {
    /// The image, ready to run.
    pub image: ReadyImage,
    /// The variables.
    pub env: Environment,
}

impl Attempt {
    /// With `only_declared` the node adds no variables of its own.
    pub(super) async fn inputs(&self, only_declared: bool) -> Result<Inputs, StartFailure> {
        let keyring = self.keyring().await;
        self.volume_images(&keyring).await?;
        let request = ImageRequest {
            image: self.container.image.as_deref().unwrap_or_default(),
            policy: self.container.image_pull_policy.as_deref(),
            keyring: &keyring,
            ran: self.ran.as_deref(),
            patience: (!self.shared.link.is_up()).then_some(PULL_PATIENCE),
            subject: &self.subject,
        };
        let image = self.shared.images.ensure(&request).await?;
        let env = self.environment(&image, only_declared).await?;
        let command = program_name(&self.container, &env.own);
        let dir = working_dir(&self.container, &image.image.config.working_dir).unwrap_or_default().to_owned();
        let image = self.shared.images.ready(image, command, dir).await?;
        Ok(Inputs { image, env })
    }

    /// The images of the pod's volumes come before the container's own. One that can't be had keeps only those waiting
    /// that mount it.
    async fn volume_images(&self, keyring: &Keyring) -> Result<(), VolumeImageFailure> {
        let volumes = &self.prepared.volumes;
        volumes.pull_images(&self.shared.images, keyring, &about(&*self.pod)).await;
        volumes.image_failure(&self.container).map_or(Ok(()), Err)
    }

    /// The credentials of the pod's pull secrets. One that is missing is told and left out, as kubelet does: the image
    /// may be public.
    async fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::default();
        let objects = self.shared.objects.of(&self.live.uid);
        for reference in self.spec().iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten()) {
            let problem = match objects.secret(&self.live.namespace, &reference.name).await {
                Ok(Some(secret)) => keyring.add(&secret).err().map(|error| error.to_string()),
                Ok(None) => Some(format!("secret {:?} not found", reference.name)),
                Err(error) => Some(error.to_string()),
            };
            if let Some(problem) = problem {
                let message = format!(
                    "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed: {problem}",
                    reference.name
                );
                self.shared.events.warning(&self.subject, "FailedToRetrieveImagePullSecret", message);
            }
        }
        keyring
    }

    async fn environment(&self, image: &PulledImage, only_declared: bool) -> Result<Environment, EnvError> {
        let links = self.spec().and_then(|spec| spec.enable_service_links).unwrap_or(true);
        let sources = EnvSources {
            about: Downward {
                pod: &self.pod,
                pod_ip: self.prepared.address,
                host_ip: self.shared.address,
                allocatable: &self.shared.allocatable,
            },
            hostname: (!only_declared).then_some(&*self.prepared.called),
            services: if only_declared {
                Vec::new()
            } else {
                service_variables(&self.shared.services, &self.live.namespace, links)
            },
            image: &image.image.config.env,
            objects: &self.shared.objects.of(&self.live.uid),
            volumes: &self.prepared.volumes,
        };
        let env = environment(&self.container, &sources).await?;
        for skipped in &env.skipped {
            self.shared.events.warning(&self.subject, "InvalidEnvironmentVariableNames", skipped);
        }
        Ok(env)
    }
}
