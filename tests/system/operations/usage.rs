//! `kubectl top`, `metrics.k8s.io`, and what the node itself tells through its proxy.

use serde_json::Value;

use crate::harness::guests::{self, pod, push};
use crate::harness::{Cluster, eventually};

#[test]
fn top_shows_pods_containers_and_nodes() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&pod("ticker", "Always", ""));
    cluster.kubectl("label pod ticker app=clock").ok();
    // The node looks every few seconds, and a rate needs two looks.
    let top = eventually("the pod's usage", || cluster.kubectl("top pod ticker --no-headers").result());
    let columns: Vec<&str> = top.split_whitespace().collect();
    assert!(columns[0] == "ticker" && columns[1].ends_with('m') && columns[2].ends_with("Mi"), "{top}");
    let containers = cluster.kubectl("top pod --containers -l app=clock --no-headers").ok();
    assert!(containers.starts_with("ticker"), "{containers}");
    assert_eq!(containers.split_whitespace().count(), 4);
    let nothing = cluster.kubectl("top pod -l app=other");
    assert!(nothing.stderr.contains("No resources found"), "{}", nothing.stderr);
    let nodes = cluster.kubectl("top node --no-headers").ok();
    assert!(nodes.starts_with("node") && nodes.contains('%'), "{nodes}");

    let error = cluster.kubectl("top pod absent").failed();
    assert!(error.contains("podmetrics.metrics.k8s.io \"default/absent\" not found"), "{error}");
    let table = cluster.kubectl("get podmetrics").ok();
    assert!(table.starts_with("NAME") && table.contains("WINDOW") && table.contains("ticker"), "{table}");
    let service = cluster.kubectl("get apiservice v1beta1.metrics.k8s.io").ok();
    assert!(service.contains("Local") && service.contains("True"), "{service}");
}

#[test]
fn the_node_tells_through_its_proxy() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&pod("ticker", "Always", ""));
    cluster.kubectl("wait --for=condition=Ready pod/ticker --timeout=60s").ok();
    let raw = |path: &str| cluster.kubectl(&format!("get --raw /api/v1/nodes/node/proxy/{path}")).result();
    let summary = eventually("a complete summary", || {
        let summary: Value = serde_json::from_str(&raw("stats/summary")?).map_err(|error| error.to_string())?;
        let pod = &summary["pods"][0];
        let complete = pod["containers"][0]["cpu"]["usageNanoCores"].is_u64() && pod["ephemeral-storage"].is_object();
        if complete { Ok(summary) } else { Err(summary.to_string()) }
    });
    assert_eq!(summary["pods"][0]["podRef"]["name"], "ticker");
    assert!(summary["node"]["fs"]["capacityBytes"].as_u64().unwrap() > 0);
    assert!(summary["pods"][0]["containers"][0]["logs"]["usedBytes"].as_u64().unwrap() > 0, "{summary}");
    let resource = raw("metrics/resource").unwrap();
    let sample = "container_memory_working_set_bytes{container=\"main\",namespace=\"default\",pod=\"ticker\"} ";
    assert!(resource.contains(sample) && resource.contains("\nresource_scrape_error 0\n"), "{resource}");
    let metrics = raw("metrics").unwrap();
    assert!(metrics.contains("# TYPE kubelet_started_containers_total counter\n"), "{metrics}");
    let pods: Value = serde_json::from_str(&raw("pods").unwrap()).unwrap();
    assert_eq!((&pods["kind"], &pods["items"][0]["metadata"]["name"]), (&"PodList".into(), &"ticker".into()));
    assert_eq!(raw("healthz").unwrap().trim(), "ok");
}
