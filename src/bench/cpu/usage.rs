//! What pods have used, as the node tells it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use http::Request;
use serde_json::Value;

use crate::bench::node::target::Target;

/// The CPU time of each pod by its name, and when that was read.
pub struct Reading {
    at: Instant,
    pods: BTreeMap<String, f64>,
}

impl Reading {
    pub async fn take(target: &Target) -> anyhow::Result<Reading> {
        let node = target.node().await?;
        let path = format!("/api/v1/nodes/{node}/proxy/stats/summary?only_cpu_and_memory=true");
        let summary: Value = target.client.request(Request::get(path).body(Vec::new())?).await?;
        let mut reading = Reading { at: Instant::now(), pods: BTreeMap::new() };
        for pod in summary["pods"].as_array().into_iter().flatten() {
            let name = pod["podRef"]["name"].as_str().context("a pod without a name")?;
            let nanos = pod["cpu"]["usageCoreNanoSeconds"].as_u64().unwrap_or(0);
            reading.pods.insert(name.to_owned(), nanos as f64 / 1e9);
        }
        Ok(reading)
    }

    /// The share of a core that each pod had since an earlier reading.
    pub fn since(&self, earlier: &Reading) -> BTreeMap<String, f64> {
        let seconds = (self.at - earlier.at).as_secs_f64().max(f64::EPSILON);
        let share = |(name, now): (&String, &f64)| Some((name.clone(), (now - earlier.pods.get(name)?) / seconds));
        self.pods.iter().filter_map(share).collect()
    }
}

/// The share of a core that each pod has in this time.
pub async fn shares(target: &Target, window: Duration) -> anyhow::Result<BTreeMap<String, f64>> {
    let before = Reading::take(target).await?;
    tokio::time::sleep(window).await;
    Ok(Reading::take(target).await?.since(&before))
}
