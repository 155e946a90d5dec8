//! How soon the end of a container is seen in the API: pods end all the time while others run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;

use super::guests;
use super::target::Target;
use crate::bench::statistics::Sample;

/// Requests under way at once while pods are created.
const CREATES: usize = 16;
/// The first pod ends this long after its start, the last one so much later.
const FIRST_MS: u32 = 8_000;
const SPREAD_MS: u32 = 10_000;

/// Measures and prints.
pub async fn measure(target: &Target, pods: u32) -> anyhow::Result<()> {
    let image = target.push("sleeper", guests::sleeper()).await?;
    let create = |index: u32| {
        let milliseconds = FIRST_MS + index * SPREAD_MS / pods;
        let container = json!({ "name": "main", "image": image, "args": [milliseconds.to_string()] });
        async move { target.create(&format!("sleeper-{index}"), container).await }
    };
    futures::stream::iter(0..pods).map(create).buffer_unordered(CREATES).try_collect::<Vec<()>>().await?;
    let mut sample = Sample::default();
    let mut seen = std::collections::HashSet::new();
    target
        .watch(|pod| {
            let status = pod.status.as_ref();
            let ended = status
                .and_then(|status| status.container_statuses.as_ref()?.first()?.state.as_ref()?.terminated.as_ref());
            if let Some(ended) = ended.filter(|_| seen.insert(pod.metadata.name.clone())) {
                sample.push(since(ended.exit_code));
            }
            seen.len() >= pods as usize
        })
        .await?;
    println!("end of a container to its status on a watch, {pods} pods: {}", sample.summary());
    target.clear().await
}

/// How long ago the guest exited, which wrote the low eight bits of the clock into its exit code. Longer than 255 ms
/// can't be told from less; the budget is 50.
fn since(code: i32) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let low = i32::try_from(now & 0xff).unwrap_or_default();
    Duration::from_millis(u64::try_from((low - code).rem_euclid(256)).unwrap_or_default())
}
