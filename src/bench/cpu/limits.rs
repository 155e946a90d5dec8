//! How exactly a limit is kept beside a neighbour that takes all it can get.

use std::time::Duration;

use serde_json::json;

use super::{SETTLE, usage::shares};
use crate::bench::node::target::Target;

/// Limits in thousandths of a core. One guest is one thread, so the last one is not reached by it.
const LIMITS: [u32; 4] = [100, 250, 500, 1500];

/// Measures and prints.
pub async fn measure(target: &Target, image: &str, windows: u32, window: Duration) -> anyhow::Result<()> {
    for millis in LIMITS {
        let limited = json!({ "name": "main", "image": image, "resources": {
            "limits": { "cpu": format!("{millis}m") }, "requests": { "cpu": "1m" },
        } });
        target.create("limited", limited).await?;
        target.create("neighbour", json!({ "name": "main", "image": image })).await?;
        target.wait("Running", 2).await?;
        tokio::time::sleep(SETTLE).await;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for _ in 0..windows {
            let shares = shares(target, window).await?;
            let percent = |name: &str| format!("{:.1}", shares.get(name).copied().unwrap_or(0.0) * 100.0);
            own.push(percent("limited"));
            others.push(percent("neighbour"));
        }
        println!(
            "a limit of {millis}m beside a busy neighbour, in % of a core, {windows} windows of {} s: {} (neighbour {})",
            window.as_secs(),
            own.join(" "),
            others.join(" ")
        );
        target.clear().await?;
    }
    Ok(())
}
