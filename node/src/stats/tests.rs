//! What is told, as a whole.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    disk::{ContainerDisk, DiskUse, PodDisk},
    reading::{ContainerReading, PodReading},
    resource::resource_metrics,
    summary::{NodeReading, summary},
    text::Form,
};
use crate::machine::Disk;

fn node() -> NodeReading {
    NodeReading {
        name: "n1".into(),
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        now: "2026-01-01T01:00:00Z".parse().unwrap(),
        cpu: (90_500_000_000, Some(1_250_000_000)),
        own_cpu: (7, None),
        memory: [1000, 400, 600],
        resident_bytes: 50,
        disk: Disk { capacity_bytes: 2000, available_bytes: 500, inodes: 100, inodes_free: 40 },
        image_bytes: 30,
        processes: [4000, 80],
    }
}

fn pod() -> PodReading {
    let used = |bytes| DiskUse { bytes, inodes: 1 };
    PodReading {
        namespace: "ns".into(),
        name: "web".into(),
        uid: "u".into(),
        started: Some("2026-01-01T00:30:00Z".parse().unwrap()),
        claims: vec![("data".into(), "claim".into())],
        containers: vec![ContainerReading {
            name: "c".into(),
            started: Some("2026-01-01T00:30:01.5Z".parse().unwrap()),
            cpu: Duration::from_millis(1500),
            nano_cores: Some(2000),
            memory_bytes: 65_536,
        }],
        disk: Some(Arc::new(PodDisk {
            containers: vec![ContainerDisk { name: "c".into(), rootfs: used(10), logs: used(20) }],
            volumes: vec![("scratch".into(), used(5)), ("data".into(), used(1000))],
        })),
    }
}

#[test]
fn the_summary_has_kubelets_shape() {
    let all = summary(&node(), &[pod()], false);
    let at = |path: &str| all.pointer(path).cloned().unwrap_or_default();
    for (path, wanted) in [
        ("/node/nodeName", json!("n1")),
        ("/node/cpu/usageNanoCores", json!(1_250_000_000)),
        ("/node/cpu/usageCoreNanoSeconds", json!(90_500_000_000_u64)),
        ("/node/memory/availableBytes", json!(600)),
        ("/node/memory/workingSetBytes", json!(400)),
        ("/node/fs/usedBytes", json!(1500)),
        ("/node/fs/inodesUsed", json!(60)),
        ("/node/runtime/imageFs/usedBytes", json!(30)),
        ("/node/rlimit/curproc", json!(80)),
        ("/node/systemContainers/0/memory/rssBytes", json!(50)),
        ("/pods/0/podRef", json!({"name": "web", "namespace": "ns", "uid": "u"})),
        ("/pods/0/startTime", json!("2026-01-01T00:30:00Z")),
        ("/pods/0/cpu/usageNanoCores", json!(2000)),
        ("/pods/0/containers/0/memory/workingSetBytes", json!(65_536)),
        ("/pods/0/containers/0/logs/usedBytes", json!(20)),
        ("/pods/0/containers/0/rootfs/capacityBytes", json!(2000)),
        ("/pods/0/ephemeral-storage/usedBytes", json!(35)),
        ("/pods/0/volume/1/pvcRef/name", json!("claim")),
        ("/pods/0/process_stats/process_count", json!(0)),
    ] {
        assert_eq!(at(path), wanted, "{path}");
    }
    let brief = summary(&node(), &[pod()], true);
    assert!(brief["node"]["fs"].is_null() && brief["pods"][0]["containers"][0]["logs"].is_null());
    assert_eq!(brief["pods"][0]["containers"][0]["cpu"]["usageCoreNanoSeconds"], 1_500_000_000);
}

#[test]
fn resource_metrics_are_kubelets() {
    let golden = "\
# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container=\"c\",namespace=\"ns\",pod=\"web\"} 1.5 1767229200000
# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container=\"c\",namespace=\"ns\",pod=\"web\"} 65536 1767229200000
# HELP container_start_time_seconds [STABLE] Start time of the container since unix epoch in seconds
# TYPE container_start_time_seconds gauge
container_start_time_seconds{container=\"c\",namespace=\"ns\",pod=\"web\"} 1767227401.5
# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 90.5 1767229200000
# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes
# TYPE node_memory_working_set_bytes gauge
node_memory_working_set_bytes 400 1767229200000
# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the pod in core-seconds
# TYPE pod_cpu_usage_seconds_total counter
pod_cpu_usage_seconds_total{namespace=\"ns\",pod=\"web\"} 1.5 1767229200000
# HELP pod_memory_working_set_bytes [STABLE] Current working set of the pod in bytes
# TYPE pod_memory_working_set_bytes gauge
pod_memory_working_set_bytes{namespace=\"ns\",pod=\"web\"} 65536 1767229200000
# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise
# TYPE resource_scrape_error gauge
resource_scrape_error 0
# HELP scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise
# TYPE scrape_error gauge
scrape_error 0
";
    assert_eq!(resource_metrics(&node(), &[pod()], Form::Prometheus), golden);
    let open = resource_metrics(&node(), &[pod()], Form::OpenMetrics);
    assert!(open.contains("# TYPE node_cpu_usage_seconds counter\nnode_cpu_usage_seconds_total 90.5 1767229200\n"));
    assert!(open.ends_with("# EOF\n"));
}
