//! How long the ways to change an object take, one after the other.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::target::{Connection, Target};
use crate::bench::statistics::Sample;

/// Changes of each kind.
const CHANGES: u32 = 500;

const APPLY: &str = "application/apply-patch+yaml";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

pub async fn measure(target: &Target, namespace: &str) -> anyhow::Result<()> {
    let connection = target.connect().await?;
    let bench = Bench { connection, path: format!("/apis/apps/v1/namespaces/{namespace}/deployments") };
    let applied = |name: &str| format!("{name}?fieldManager=bench");
    bench
        .run("apply, creating", APPLY, |i| (applied(&format!("apply-{i}")), deployment(&format!("apply-{i}"), 0)))
        .await?;
    bench.run("apply, no change", APPLY, |_| (applied("apply-0"), deployment("apply-0", 0))).await?;
    bench.run("apply, one change", APPLY, |i| (applied("apply-0"), deployment("apply-0", i + 1))).await?;
    bench.run("strategic merge patch", STRATEGIC, |i| ("apply-1".into(), image(i))).await?;
    bench.run("merge patch", MERGE, |i| ("apply-2".into(), annotation(i))).await?;
    bench.run("JSON patch", JSON_PATCH, |i| ("apply-3".into(), json!([
        { "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": format!("example.com/web:{i}") }
    ]))).await
}

struct Bench {
    connection: Connection,
    path: String,
}

impl Bench {
    async fn run(
        &self,
        what: &str,
        media: &'static str,
        change: impl Fn(u32) -> (String, Value),
    ) -> anyhow::Result<()> {
        let mut sample = Sample::default();
        for index in 0..CHANGES {
            sample.push(self.patch(media, change(index)).await?);
        }
        println!("{what}: {}", sample.summary());
        Ok(())
    }

    async fn patch(&self, media: &'static str, (name, body): (String, Value)) -> anyhow::Result<Duration> {
        let path = format!("{}/{name}", self.path);
        Ok(self.connection.timed(Method::PATCH, &path, (media, body.to_string().into())).await?.1)
    }
}

/// A Deployment as people write it. Without replicas, so that nothing but the API is at work.
fn deployment(name: &str, version: u32) -> Value {
    let variable = |i: u32| json!({ "name": format!("VARIABLE_{i}"), "value": format!("{i}") });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "labels": { "app": name, "tier": "web" } },
        "spec": {
            "replicas": 0, "paused": true,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name }, "annotations": { "version": version.to_string() } },
                "spec": { "containers": [{
                    "name": "web", "image": "example.com/web:1",
                    "ports": [{ "name": "http", "containerPort": 8080 }, { "name": "metrics", "containerPort": 9090 }],
                    "env": (0..10).map(variable).collect::<Vec<_>>(),
                    "resources": { "requests": { "cpu": "100m", "memory": "32Mi" }, "limits": { "memory": "64Mi" } },
                    "readinessProbe": { "httpGet": { "path": "/ready", "port": "http" } },
                }] },
            },
        },
    })
}

fn image(version: u32) -> Value {
    let containers = json!([{ "name": "web", "image": format!("example.com/web:{version}") }]);
    json!({ "spec": { "template": { "spec": { "containers": containers } } } })
}

fn annotation(version: u32) -> Value {
    json!({ "metadata": { "annotations": { "version": version.to_string() } } })
}
