//! The context of a pod that has a process of its own.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    launch::{Isolation, IsolationError},
    link::Link,
    message::Setup,
    remote::Remote,
    starting,
};
use crate::{ContainerConfig, Engine, PodConfig, PodLimits, StartError};

/// What a pod is, and the process that it has at the moment.
pub(crate) struct IsolatedPod {
    pub(super) engine: Engine,
    pub(super) config: PodConfig,
    isolation: Isolation,
    limits: Mutex<PodLimits>,
    link: Mutex<Option<Arc<Link>>>,
    /// One process is made at a time.
    turn: tokio::sync::Mutex<()>,
}

impl IsolatedPod {
    pub(crate) async fn new(
        engine: &Engine,
        config: PodConfig,
        isolation: &Isolation,
    ) -> Result<IsolatedPod, IsolationError> {
        let pod = IsolatedPod {
            engine: engine.clone(),
            limits: Mutex::new(config.limits),
            config,
            isolation: isolation.clone(),
            link: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        };
        pod.link().await?;
        Ok(pod)
    }

    pub(crate) fn set_limits(&self, limits: PodLimits) {
        *self.limits.lock() = limits;
        if let Some(link) = self.living() {
            link.limit(limits);
        }
    }

    /// Starts a container: in the pod's process, or in a new one if that is gone.
    pub(crate) async fn start(&self, spec: ContainerConfig) -> Result<Remote, StartError> {
        let link = self.link().await.map_err(|error| StartError::Isolated(error.to_string()))?;
        starting::start(self, link, spec).await
    }

    fn living(&self) -> Option<Arc<Link>> {
        self.link.lock().clone().filter(|link| !link.is_over())
    }

    async fn link(&self) -> Result<Arc<Link>, IsolationError> {
        let _turn = self.turn.lock().await;
        if let Some(link) = self.living() {
            return Ok(link);
        }
        let limits = *self.limits.lock();
        let link = Link::start(&self.isolation, &self.setup(limits), Arc::clone(&self.config.network)).await?;
        *self.link.lock() = Some(Arc::clone(&link));
        // They may have been changed meanwhile, when there was nobody to tell.
        link.limit(*self.limits.lock());
        Ok(link)
    }

    fn setup(&self, limits: PodLimits) -> Setup {
        let engine = self.engine.config();
        Setup {
            name: self.config.name.clone(),
            hostname: self.config.hostname.clone(),
            address: self.config.address,
            limits,
            max_memory_bytes: engine.max_memory_bytes,
            epoch_tick: engine.epoch_tick,
            wasi_p3: engine.wasi_p3,
            key: rand::random(),
        }
    }
}
