//! Many watchers of many updates: how many events reach them, and how late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use http::Method;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::target::{Connection, Target};
use crate::bench::statistics::Sample;

/// Objects that are updated in turn.
const OBJECTS: u32 = 100;
/// Clients that update.
const WRITERS: u32 = 16;
/// How long they do.
const DURATION: Duration = Duration::from_secs(5);
/// The annotation that says when an update began: microseconds since the measurement did.
const STAMP: &str = "bench-stamp";
/// How often arrivals are looked at.
const POLL: Duration = Duration::from_millis(2);
/// How long the last event is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all watchers have seen.
struct Seen {
    events: AtomicU64,
    /// How long after its update began an event came, as one of them saw it.
    late: Mutex<Sample>,
    begun: Instant,
}

pub async fn measure(target: &Target, namespace: &str, watchers: u32, updates: u32) -> anyhow::Result<()> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets");
    let from = objects(target, &path).await?;
    let seen = Arc::new(Seen { events: AtomicU64::new(0), late: Mutex::default(), begun: Instant::now() });
    let mut tasks = JoinSet::new();
    for index in 0..watchers {
        let path = format!("{path}?watch=1&resourceVersion={from}&timeoutSeconds=600");
        let answer = target.connect().await?.send(Method::GET, &path, ("application/json", Vec::new())).await?;
        tasks.spawn(follow(answer.into_body(), seen.clone(), index == 0));
    }
    let (start, cpu) = (Instant::now(), target.cpu_time()?);
    let sent = update(target, &path, updates, &seen).await?;
    let sending = start.elapsed().as_secs_f64();
    let wanted = u64::from(sent) * u64::from(watchers);
    let all = timeout(PATIENCE, async {
        while seen.events.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(POLL).await;
        }
    });
    let _ = all.await;
    let took = start.elapsed().as_secs_f64();
    let cpu = match (cpu, target.cpu_time()?) {
        (Some(before), Some(after)) => {
            format!(", server at {:.0} % of a core", (after - before).as_secs_f64() / took * 100.0)
        }
        _ => String::new(),
    };
    tasks.shutdown().await;
    let events = seen.events.load(Ordering::Relaxed);
    let late = seen.late.lock().unwrap_or_else(PoisonError::into_inner).summary();
    let (rate, delivered) = (f64::from(sent) / sending, events as f64 / took);
    println!(
        "{watchers} watchers, {rate:.0} updates/s: {delivered:.0} events/s ({events} of {wanted}){cpu}, late by {late}"
    );
    Ok(())
}

/// The objects that are updated, and the revision that has them all.
async fn objects(target: &Target, path: &str) -> anyhow::Result<String> {
    let connection = target.connect().await?;
    for index in 0..OBJECTS {
        let object = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": format!("s-{index}") } });
        connection.create(path, &object).await?;
    }
    let (list, _) = connection.get(&format!("{path}?limit=1")).await?;
    let list: Value = serde_json::from_slice(&list)?;
    Ok(list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_string())
}

/// Counts the events of a watch, for as long as it lasts.
async fn follow(mut body: Body, seen: Arc<Seen>, measures: bool) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(piece) = frame.into_data() else { continue };
        let events = piece.iter().filter(|byte| **byte == b'\n').count();
        seen.events.fetch_add(events as u64, Ordering::Relaxed);
        if measures && let Some(sent) = stamp(&piece) {
            let late = seen.begun.elapsed().saturating_sub(sent);
            seen.late.lock().unwrap_or_else(PoisonError::into_inner).push(late);
        }
    }
}

/// When the update began that the last event in these bytes tells of.
fn stamp(piece: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(piece).ok()?;
    let (_, after) = text.rsplit_once(&format!("\"{STAMP}\":\""))?;
    after.split('"').next()?.parse().ok().map(Duration::from_micros)
}

/// Updates the objects in turn, as often as wanted or as fast as the server can. Returns how many updates there were.
async fn update(target: &Target, path: &str, updates: u32, seen: &Arc<Seen>) -> anyhow::Result<u32> {
    let total = updates * u32::try_from(DURATION.as_secs())?;
    let pause = Duration::from_secs(1) * WRITERS / updates;
    let writers = target.connections(WRITERS).await?.into_iter().enumerate().map(|(writer, connection)| {
        let (path, seen, writer) = (path.to_string(), seen.clone(), writer as u32);
        tokio::spawn(
            async move { write(&connection, &path, &seen, (writer..total).step_by(WRITERS as usize), pause).await },
        )
    });
    for outcome in try_join_all(writers).await? {
        outcome?;
    }
    Ok(total)
}

async fn write(
    connection: &Connection,
    path: &str,
    seen: &Seen,
    turns: impl Iterator<Item = u32>,
    pause: Duration,
) -> anyhow::Result<()> {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for turn in turns {
        ticks.tick().await;
        let stamp = seen.begun.elapsed().as_micros().to_string();
        let patch = json!({ "metadata": { "annotations": { STAMP: stamp } } });
        let path = format!("{path}/s-{}", turn % OBJECTS);
        let body = ("application/merge-patch+json", patch.to_string().into_bytes());
        connection.timed(Method::PATCH, &path, body).await?;
    }
    Ok(())
}
