//! A crowd of busy guests: how even their times are, and how soon a server and the API answer meanwhile.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use http::Request;
use serde_json::json;

use super::{SETTLE, usage};
use crate::bench::load::get_once;
use crate::bench::node::target::Target;
use crate::bench::statistics::Sample;

/// Requests under way at once while pods are created.
const CREATES: usize = 16;
/// Between two requests to the server, and to the API.
const PAUSE: Duration = Duration::from_millis(20);
/// The server that is asked.
const SERVER: &str = "samples/hello/hello.wasm";

/// Measures and prints.
pub async fn measure(target: &Target, image: &str, guests: u32, window: Duration) -> anyhow::Result<()> {
    let server = target.push("server", std::fs::read(SERVER)?).await?;
    let container = json!({ "name": "main", "image": server, "ports": [{ "containerPort": 8080 }] });
    target.create("server", container).await?;
    target.wait("Running", 1).await?;
    println!("a server and the API beside nobody: {}", latencies(target, window).await?);
    let create = |index: u32| {
        let container = json!({ "name": "main", "image": image });
        async move { target.create(&format!("busy-{index}"), container).await }
    };
    let begun = Instant::now();
    futures::stream::iter(0..guests).map(create).buffer_unordered(CREATES).try_collect::<Vec<()>>().await?;
    target.wait("Running", guests as usize + 1).await?;
    println!("{guests} busy guests run after {:.1} s", begun.elapsed().as_secs_f64());
    tokio::time::sleep(SETTLE).await;
    // Each has a turn of 10 ms now and then: in a short window a turn more or less would be all the difference.
    let turns = Duration::from_millis(10) * guests * 20 / u32::try_from(std::thread::available_parallelism()?.get())?;
    let (shares, latencies) =
        tokio::try_join!(usage::shares(target, window.max(turns)), latencies(target, window.max(turns)))?;
    let mut times: Vec<f64> =
        shares.iter().filter(|(name, _)| name.starts_with("busy-")).map(|(_, share)| share * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    anyhow::ensure!(!times.is_empty(), "the node tells nothing of the busy pods");
    println!(
        "{} busy guests for {} s, in thousandths of a core: min {:.2} median {:.2} max {:.2}, Jain's index {:.4}",
        times.len(),
        window.max(turns).as_secs(),
        times[0],
        times[times.len() / 2],
        times[times.len() - 1],
        jain(&times)
    );
    println!("a server and the API beside {guests} busy guests: {latencies}");
    target.clear().await
}

/// 1 if all have the same, 1/n if one has all.
fn jain(times: &[f64]) -> f64 {
    let (sum, squares) = times.iter().fold((0.0, 0.0), |(sum, squares), time| (sum + time, squares + time * time));
    if squares == 0.0 { 1.0 } else { sum * sum / (times.len() as f64 * squares) }
}

/// Asks both for a while.
async fn latencies(target: &Target, duration: Duration) -> anyhow::Result<String> {
    let address = target.address("server").await?;
    let end = Instant::now() + duration;
    let server = async {
        let mut sample = Sample::default();
        while Instant::now() < end {
            sample.push(get_once((address, 8080).into()).await?);
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(sample.short())
    };
    let api = async {
        let mut sample = Sample::default();
        while Instant::now() < end {
            let begun = Instant::now();
            target.client.request_text(Request::get("/readyz").body(Vec::new())?).await?;
            sample.push(begun.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(sample.short())
    };
    let (server, api) = tokio::try_join!(server, api)?;
    Ok(format!("server {server}; GET /readyz {api}"))
}

#[cfg(test)]
mod tests {
    use super::jain;

    #[test]
    fn the_index_is_one_for_equals_and_the_nth_part_for_one_alone() {
        assert!((jain(&[3.0, 3.0, 3.0]) - 1.0).abs() < 1e-9);
        assert!((jain(&[5.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-9);
    }
}
