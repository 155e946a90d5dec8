//! `coracle status`: what is going on in a cluster, on one screen.

use std::fmt::Write as _;
use std::process::ExitCode;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Node, Pod, Service};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use crate::kubeconfig::ClientArgs;

/// Pods shown at most; `kubectl get pods -A` shows all.
const MAX_PODS: usize = 20;
/// Warnings shown at most, the newest.
const MAX_WARNINGS: usize = 5;

/// Flags of `coracle status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    client: ClientArgs,
}

/// Prints the status.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.client.client().await?;
    let version = client.apiserver_version().await?;
    let nodes: Vec<Node> = Api::all(client.clone()).list(&ListParams::default()).await?.items;
    let pods: Vec<Pod> = Api::all(client.clone()).list(&ListParams::default()).await?.items;
    let deployments: Vec<Deployment> = Api::all(client.clone()).list(&ListParams::default()).await?.items;
    let services: Vec<Service> = Api::all(client.clone()).list(&ListParams::default()).await?.items;
    let events: Vec<Event> = Api::all(client).list(&ListParams::default().fields("type=Warning")).await?.items;
    say!("server {}\n\n{}", version.git_version, self::nodes(&nodes));
    say!("{}", summary(&pods, &deployments, &services));
    if !pods.is_empty() {
        say!("\n{}", self::pods(&pods));
    }
    if let Some(warnings) = warnings(events) {
        say!("\n{warnings}");
    }
    Ok(ExitCode::SUCCESS)
}

/// `3 pods (3 ready), 1 deployment (1 available), 2 services`
fn summary(pods: &[Pod], deployments: &[Deployment], services: &[Service]) -> String {
    let running = pods.iter().filter(|p| is_ready(p)).count();
    let available = deployments.iter().filter(|d| {
        let wanted = d.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        d.status.as_ref().and_then(|s| s.available_replicas).unwrap_or(0) >= wanted
    });
    format!(
        "{} ({running} ready), {} ({} available), {}",
        count(pods.len(), "pod"),
        count(deployments.len(), "deployment"),
        available.count(),
        count(services.len(), "service"),
    )
}

/// `1 pod`, `2 pods`
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn warnings(mut events: Vec<Event>) -> Option<String> {
    events.sort_by_key(|e| std::cmp::Reverse(e.last_timestamp.clone().map(|t| t.0)));
    let mut table = Table::new(["WARNING", "OBJECT", "MESSAGE"]);
    for event in events.iter().take(MAX_WARNINGS) {
        let object = &event.involved_object;
        let name = format!(
            "{}/{}",
            object.kind.as_deref().unwrap_or_default().to_lowercase(),
            object.name.as_deref().unwrap_or_default()
        );
        table.row([event.reason.clone().unwrap_or_default(), name, event.message.clone().unwrap_or_default()]);
    }
    (!events.is_empty()).then(|| table.to_string())
}

/// The nodes as a table.
pub fn nodes(nodes: &[Node]) -> String {
    let mut table = Table::new(["NODE", "STATUS", "ADDRESS", "RUNTIME"]);
    for node in nodes {
        let status = node.status.clone().unwrap_or_default();
        let ready = status.conditions.unwrap_or_default().iter().any(|c| c.type_ == "Ready" && c.status == "True");
        let runtime = status.node_info.map(|i| i.container_runtime_version).unwrap_or_default();
        table.row([node.name_any(), (if ready { "Ready" } else { "NotReady" }).into(), internal_ip(node), runtime]);
    }
    table.to_string()
}

/// The pods as a table, the first [`MAX_PODS`].
pub fn pods(pods: &[Pod]) -> String {
    let mut table = Table::new(["POD", "READY", "STATUS", "RESTARTS", "ADDRESS"]);
    for pod in pods.iter().take(MAX_PODS) {
        let status = pod.status.clone().unwrap_or_default();
        let containers = status.container_statuses.unwrap_or_default();
        let ready = containers.iter().filter(|c| c.ready).count();
        let restarts: i32 = containers.iter().map(|c| c.restart_count).sum();
        table.row([
            format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any()),
            format!("{ready}/{}", pod.spec.as_ref().map_or(0, |s| s.containers.len())),
            phase(pod).to_string(),
            restarts.to_string(),
            status.pod_ip.unwrap_or_default(),
        ]);
    }
    let mut text = table.to_string();
    if pods.len() > MAX_PODS {
        let _ = write!(text, "\n… and {} more", pods.len() - MAX_PODS);
    }
    text
}

/// The phase of a pod, empty before it has one.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or_default()
}

/// Whether the pod's condition `Ready` holds.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.is_some_and(|list| list.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

/// `pod NAME: REASON`, when the pod is `owner` or one of its pods and a container of it waits for something that may
/// never come.
pub fn stuck(pod: &Pod, owner: &str) -> Option<String> {
    let name = pod.metadata.name.as_deref()?;
    let rest = name.strip_prefix(owner)?;
    if !rest.is_empty() && !rest.starts_with('-') {
        return None;
    }
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let mut waiting = containers.filter_map(|c| c.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    let reason = waiting.find(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing"))?;
    // The two take turns while a pull is tried again and again.
    let reason = if reason == "ErrImagePull" { "ImagePullBackOff" } else { reason };
    Some(format!("pod {name}: {reason}"))
}

/// The node's `InternalIP`, empty when it has none.
pub fn internal_ip(node: &Node) -> String {
    let addresses = node.status.as_ref().and_then(|s| s.addresses.clone()).unwrap_or_default();
    addresses.into_iter().find(|a| a.type_ == "InternalIP").map(|a| a.address).unwrap_or_default()
}

/// Columns padded to their widest cell, as kubectl prints them.
struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    fn new(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(String::from)] }
    }

    fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }
}

impl<const N: usize> std::fmt::Display for Table<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |column: usize| self.rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:width$}   ");
            }
            let end = if index + 1 < self.rows.len() { "\n" } else { "" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_pod_says_why() {
        let pod = |name: &str, reason: &str| -> Pod {
            let state = serde_json::json!({"waiting": {"reason": reason}});
            let container = serde_json::json!({
                "name": "c", "image": "x", "imageID": "", "ready": false, "restartCount": 0, "state": state});
            let status = serde_json::json!({"containerStatuses": [container]});
            serde_json::from_value(serde_json::json!({"metadata": {"name": name}, "status": status})).unwrap()
        };
        let why = |name: &str, reason: &str| stuck(&pod(name, reason), "web");
        assert_eq!(why("web-1-2", "ErrImagePull").as_deref(), Some("pod web-1-2: ImagePullBackOff"));
        assert_eq!(why("web", "CrashLoopBackOff").as_deref(), Some("pod web: CrashLoopBackOff"));
        assert_eq!(why("web-1-2", "ContainerCreating"), None);
        assert_eq!(why("webber-1-2", "CrashLoopBackOff"), None);
    }

    #[test]
    fn one_of_a_kind_has_no_plural() {
        let (pods, deployments) = (vec![Pod::default(), Pod::default()], vec![Deployment::default()]);
        let text = summary(&pods, &deployments, &[]);
        assert_eq!(text, "2 pods (0 ready), 1 deployment (0 available), 0 services");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["A", "B"]);
        table.row(["long".into(), "x".into()]);
        assert_eq!(table.to_string(), "A      B\nlong   x");
    }
}
