//! How fast one guest may write to its log, with and without somebody who follows.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::AsyncReadExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::json;

use super::guests;
use super::target::Target;

/// What is read from a followed log in one go.
const PIECE_BYTES: usize = 256 * 1024;

/// Measures and prints.
pub async fn measure(target: &Target, mib: u32) -> anyhow::Result<()> {
    let image = target.push("chatty", guests::chatty()).await?;
    for followers in [0, 1, 10] {
        // A run before the one that counts has the image pulled and compiled.
        run(target, &image, 1, 0).await?;
        let cpu = target.up.cpu_time()?;
        let (seconds, read) = run(target, &image, mib, followers).await?;
        let cpu = target.up.cpu_time()?.saturating_sub(cpu).as_secs_f64();
        println!(
            "log of one guest, {mib} MiB in lines of 128 bytes, {followers} followers: {:.0} MB/s, {cpu:.2} s of CPU; followers read {:.0} MB/s each",
            f64::from(mib) * 1.048_576 / seconds,
            read as f64 / 1e6 / seconds / f64::from(followers.max(1)),
        );
    }
    Ok(())
}

/// From the container's start to its end as the API tells it, and what followers have read.
async fn run(target: &Target, image: &str, mib: u32, followers: u32) -> anyhow::Result<(f64, u64)> {
    let container = json!({ "name": "main", "image": image, "args": [mib.to_string()] });
    let begun = Instant::now();
    target.create("chatty", container).await?;
    let following: Vec<_> = (0..followers).map(|_| tokio::spawn(follow(target.pods()))).collect();
    target.wait("Succeeded", 1).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut read = 0;
    for task in following {
        read += task.await??;
    }
    target.clear().await?;
    Ok((seconds, read))
}

/// How long a follower tries.
const PATIENCE: Duration = Duration::from_secs(30);

/// Follows the log to its end.
async fn follow(pods: Api<Pod>) -> anyhow::Result<u64> {
    let begun = Instant::now();
    loop {
        // The container has to be there first; a pod without a node has an empty log.
        match follow_once(&pods).await {
            Ok(0) | Err(_) if begun.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(1)).await,
            ended => return ended,
        }
    }
}

async fn follow_once(pods: &Api<Pod>) -> anyhow::Result<u64> {
    let params = LogParams { follow: true, ..LogParams::default() };
    let mut stream = pin!(pods.log_stream("chatty", &params).await?);
    let (mut buffer, mut sum) = (vec![0; PIECE_BYTES], 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(sum),
            read => sum += read as u64,
        }
    }
}
