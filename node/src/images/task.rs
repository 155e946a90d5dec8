//! The task that collects images.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::gc::{CollectError, PERIOD};
use crate::{events::of_node, machine::Disk, shared::Shared};

/// Keeps the disk from filling up with images that no pod uses, until `shutdown`.
pub async fn run_image_gc(shared: Arc<Shared>, name: String, shutdown: CancellationToken) {
    let subject = of_node(&name);
    // The first look comes before the node knows its pods: it takes note of what is here and judges no disk.
    if collect_images(&shared, Disk::default()).await.is_none() {
        return;
    }
    let known = tokio::time::timeout(PERIOD, shared.live.complete());
    if shutdown.run_until_cancelled(known).await.is_none() {
        return;
    }
    while let Some(freed) = collect_images(&shared, Disk::of(&shared.pods_dir)).await {
        match freed {
            Ok(_) => {}
            Err(error @ CollectError::TooLittle { .. }) => {
                shared.events.warning(&subject, "FreeDiskSpaceFailed", error.to_string());
            }
            Err(error) => shared.events.warning(&subject, "ImageGCFailed", error.to_string()),
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_none() {
            return;
        }
    }
}

/// One pass, on a thread that may block. None: the runtime ends, or the pass failed; the log then says why.
async fn collect_images(shared: &Arc<Shared>, disk: Disk) -> Option<Result<u64, CollectError>> {
    let shared = Arc::clone(shared);
    let pass = tokio::task::spawn_blocking(move || {
        let in_use: Vec<String> = shared.live.all().iter().flat_map(|pod| pod.images()).collect();
        shared.images.collect(&in_use, disk)
    });
    pass.await.inspect_err(|error| tracing::debug!(%error, "images are no longer collected")).ok()
}
