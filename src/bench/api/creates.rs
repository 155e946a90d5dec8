//! Durable creates: how many a second, and how long one takes, with 1, 8 and 64 clients.

use std::time::Instant;

use futures::future::try_join_all;
use http::Method;
use serde_json::json;

use super::target::{Connection, Target};
use crate::bench::statistics::Sample;

/// Clients at the same time, and objects that each of them creates.
const ROUNDS: [(u32, u32); 3] = [(1, 1_000), (8, 500), (64, 250)];

pub async fn measure(target: &Target, namespace: &str) -> anyhow::Result<()> {
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let first = target.connect().await?;
    // The first connection's handshake, and whatever is made on first use.
    create(&first, &path, "warm-up", 50).await?;
    for (clients, each) in ROUNDS {
        let connections = target.connections(clients).await?;
        try_join_all(connections.iter().map(|c| c.get("/version"))).await?;
        let begun = Instant::now();
        let work = connections.iter().enumerate().map(|(index, connection)| {
            let (connection, path) = (connection.clone(), path.clone());
            let prefix = format!("c{clients}-{index}");
            tokio::spawn(async move { create(&connection, &path, &prefix, each).await })
        });
        let mut sample = Sample::default();
        for samples in try_join_all(work).await? {
            sample.extend(samples?);
        }
        let rate = f64::from(clients * each) / begun.elapsed().as_secs_f64();
        println!("durable creates, {clients} clients: {rate:.0}/s, {}", sample.summary());
    }
    Ok(())
}

/// Creates so many ConfigMaps one after the other, and says how long each took.
pub async fn create(connection: &Connection, path: &str, prefix: &str, count: u32) -> anyhow::Result<Sample> {
    let mut sample = Sample::default();
    for index in 0..count {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("{prefix}-{index}") },
            "data": { "k": "v".repeat(100) },
        });
        let body = ("application/json", object.to_string().into_bytes());
        sample.push(connection.timed(Method::POST, path, body).await?.1);
    }
    Ok(sample)
}
