//! What requests are worth when all CPUs are busy: two groups of pods, of which one requests three times as much.

use std::time::Duration;

use serde_json::json;

use super::{SETTLE, usage};
use crate::bench::node::target::Target;

/// What a pod of each group requests, in thousandths of a core.
const GROUPS: [u32; 2] = [100, 300];

/// Measures and prints.
pub async fn measure(target: &Target, image: &str, window: Duration) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    for millis in GROUPS {
        for index in 0..cores {
            let requests = json!({ "requests": { "cpu": format!("{millis}m") } });
            let container = json!({ "name": "main", "image": image, "resources": requests });
            target.create(&format!("requests-{millis}m-{index}"), container).await?;
        }
    }
    target.wait("Running", cores * GROUPS.len()).await?;
    tokio::time::sleep(SETTLE).await;
    let shares = usage::shares(target, window).await?;
    let sum = |millis: u32| {
        let prefix = format!("requests-{millis}m-");
        shares.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, share)| share).sum::<f64>()
    };
    let [small, large] = GROUPS.map(sum);
    println!(
        "{cores} busy pods that request {}m beside {cores} of {}m, on {cores} cores: {:.1} % and {:.1} % of a core, 1 : {:.2}",
        GROUPS[0],
        GROUPS[1],
        small * 100.0,
        large * 100.0,
        large / small
    );
    target.clear().await
}
