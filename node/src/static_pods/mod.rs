//! Static pods: manifests in a directory that this node runs whether there is an API server or not, each with a mirror
//! in the API by which the others see it.
//!
//! Invariant: nothing that happens to a mirror changes the pod; only its file does.

mod directory;
mod file;
mod mirror;
mod mirrors;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use mirror::run_mirrors;
pub use mirrors::{Mirrors, Target, is_mirror};

use crate::{events::of_node, shared::Shared};
use directory::{Directory, Reading};

/// Identifies what a static pod was made of.
const HASH: &str = "kubernetes.io/config.hash";
/// Where a pod comes from.
pub const SOURCE: &str = "kubernetes.io/config.source";
/// The source of pods that are the API's.
pub const FROM_API: &str = "api";
/// When it was first seen.
const SEEN: &str = "kubernetes.io/config.seen";

/// Whether a pod is not the API's: it was made of a file.
pub fn is_static(pod: &Pod) -> bool {
    let source = pod.metadata.annotations.as_ref().and_then(|all| all.get(SOURCE));
    source.is_some_and(|source| source != FROM_API)
}

/// How often the directory is looked at (kubelet: 20 s, and by notification).
const PERIOD: Duration = Duration::from_secs(2);

/// All static pods there are; None until the directory was read once.
pub type StaticPods = Option<Arc<[Arc<Pod>]>>;

/// Reads the directory until `shutdown`, and tells of every change.
pub async fn run_static_pods(
    shared: Arc<Shared>,
    path: PathBuf,
    node: String,
    pods: watch::Sender<StaticPods>,
    shutdown: CancellationToken,
) {
    let subject = of_node(&node);
    let mut directory = Directory::new(path, node);
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let reading = directory.read(Timestamp::now());
            (directory, reading)
        });
        let reading;
        (directory, reading) = match read.await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "static pods are no longer read");
                return;
            }
        };
        if let Some(Reading { pods: all, complaints }) = reading {
            for complaint in complaints {
                tracing::warn!(complaint, "a static pod is left out");
                shared.events.warning(&subject, "FailedValidation", format!("Can't process manifest file {complaint}"));
            }
            shared.mirrors.want(&all);
            pods.send_replace(Some(all.into()));
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_none() {
            return;
        }
    }
}
