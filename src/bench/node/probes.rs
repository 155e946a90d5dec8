//! What probes cost: the processor time of the same idle pods with a probe a second, and without.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::target::Target;

/// Requests under way at once while pods are created.
const CREATES: usize = 16;
/// How long the processor time is counted.
const WINDOW: Duration = Duration::from_secs(10);
/// The server that is probed.
const SERVER: &str = "samples/hello/hello.wasm";

/// Measures and prints.
pub async fn measure(target: &Target, pods: u32) -> anyhow::Result<()> {
    let image = target.push("server", std::fs::read(SERVER)?).await?;
    let idle = cost(target, &image, pods, None).await?;
    let tcp = json!({ "tcpSocket": { "port": 8080 }, "periodSeconds": 1 });
    let http = json!({ "httpGet": { "port": 8080, "path": "/" }, "periodSeconds": 1 });
    for (name, probe) in [("tcpSocket", tcp), ("httpGet", http)] {
        let probed = cost(target, &image, pods, Some(probe)).await?;
        println!(
            "{pods} {name} probes a second: {:.1} % of a core ({:.1} % without; an httpGet runs the guest too)",
            (probed - idle) * 100.0,
            idle * 100.0
        );
    }
    Ok(())
}

/// The share of a core that the cluster uses with so many pods.
async fn cost(target: &Target, image: &str, pods: u32, probe: Option<Value>) -> anyhow::Result<f64> {
    let create = |index: u32| {
        let mut container = json!({ "name": "main", "image": image, "ports": [{ "containerPort": 8080 }] });
        if let Some(probe) = &probe {
            container["livenessProbe"] = probe.clone();
        }
        async move { target.create(&format!("probed-{index}"), container).await }
    };
    futures::stream::iter(0..pods).map(create).buffer_unordered(CREATES).try_collect::<Vec<()>>().await?;
    target.wait("Running", pods as usize).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = target.up.cpu_time()?;
    tokio::time::sleep(WINDOW).await;
    let used = target.up.cpu_time()?.saturating_sub(before);
    target.clear().await?;
    Ok(used.as_secs_f64() / WINDOW.as_secs_f64())
}
