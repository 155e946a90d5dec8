//! `/stats/summary` in kubelet's shape (`k8s.io/kubelet/pkg/apis/stats/v1alpha1`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    disk::{DiskUse, PodDisk},
    reading::{ContainerReading, PodReading},
};
use crate::machine::Disk;

/// The node's own figures.
pub struct NodeReading {
    /// Its name.
    pub name: String,
    /// When the agent started.
    pub started: Timestamp,
    /// The time of all figures.
    pub now: Timestamp,
    /// CPU time of the machine since it started, and how much of it is used now.
    pub cpu: (u64, Option<u64>),
    /// The same of this process.
    pub own_cpu: (u64, Option<u64>),
    /// Memory of the machine, in use by processes, and in use at all.
    pub memory: [u64; 3],
    /// This process's resident memory.
    pub resident_bytes: u64,
    /// The file system under the node's directory.
    pub disk: Disk,
    /// What images have on it.
    pub image_bytes: u64,
    /// The highest process number, and the processes there are.
    pub processes: [u64; 2],
}

/// The whole document. `brief`: CPU and memory only, which is what metrics-server once asked for.
pub fn summary(node: &NodeReading, pods: &[PodReading], brief: bool) -> Value {
    let pods: Vec<Value> = pods.iter().map(|reading| pod(node, reading, brief)).collect();
    json!({ "node": node_stats(node, brief), "pods": pods })
}

fn cpu(now: Timestamp, used_nanos: u64, nano_cores: Option<u64>) -> Value {
    let mut cpu = json!({ "time": now, "usageCoreNanoSeconds": used_nanos });
    if let Some(nano_cores) = nano_cores {
        cpu["usageNanoCores"] = nano_cores.into();
    }
    cpu
}

fn node_stats(node: &NodeReading, brief: bool) -> Value {
    let [all, working, used] = node.memory;
    let now = node.now;
    let own_memory = json!({ "time": now, "usageBytes": node.resident_bytes, "workingSetBytes": node.resident_bytes, "rssBytes": node.resident_bytes });
    let mut stats = json!({
        "nodeName": node.name,
        "startTime": node.started,
        "cpu": cpu(now, node.cpu.0, node.cpu.1),
        "memory": {
            "time": now, "availableBytes": all.saturating_sub(working), "usageBytes": used, "workingSetBytes": working,
            "rssBytes": working,
        },
        // Guests run in the agent's own process: there is nothing else to tell apart.
        "systemContainers": [{
            "name": "kubelet", "startTime": node.started, "cpu": cpu(now, node.own_cpu.0, node.own_cpu.1),
            "memory": own_memory,
        }],
    });
    if !brief {
        let used = node.disk.capacity_bytes.saturating_sub(node.disk.available_bytes);
        let inodes_used = node.disk.inodes.saturating_sub(node.disk.inodes_free);
        stats["fs"] = file_system(node, DiskUse { bytes: used, inodes: inodes_used });
        let image_fs = file_system(node, DiskUse { bytes: node.image_bytes, inodes: inodes_used });
        stats["runtime"] = json!({ "imageFs": image_fs, "containerFs": image_fs });
        stats["rlimit"] = json!({ "time": now, "maxpid": node.processes[0], "curproc": node.processes[1] });
    }
    stats
}

/// A part of the node's file system, which is what everything lies on.
fn file_system(node: &NodeReading, used: DiskUse) -> Value {
    json!({
        "time": node.now, "availableBytes": node.disk.available_bytes, "capacityBytes": node.disk.capacity_bytes,
        "usedBytes": used.bytes, "inodesFree": node.disk.inodes_free, "inodes": node.disk.inodes,
        "inodesUsed": used.inodes,
    })
}

fn pod(node: &NodeReading, reading: &PodReading, brief: bool) -> Value {
    let now = node.now;
    let memory = reading.memory_bytes();
    let containers: Vec<Value> = reading.containers.iter().map(|it| container(node, reading, it, brief)).collect();
    let mut stats = json!({
        "podRef": { "name": reading.name, "namespace": reading.namespace, "uid": reading.uid },
        "containers": containers,
        "cpu": cpu(now, nanos(reading.cpu()), reading.nano_cores()),
        "memory": { "time": now, "usageBytes": memory, "workingSetBytes": memory, "rssBytes": memory },
    });
    if let Some(started) = reading.started {
        stats["startTime"] = json!(started);
    }
    if brief {
        return stats;
    }
    stats["process_stats"] = json!({ "process_count": 0 });
    if let Some(disk) = &reading.disk {
        stats["ephemeral-storage"] = file_system(node, ephemeral(reading, disk));
        let volumes = disk.volumes.iter().map(|(name, used)| {
            let mut volume = file_system(node, *used);
            volume["name"] = json!(name);
            if let Some((_, claim)) = reading.claims.iter().find(|(volume, _)| volume == name) {
                volume["pvcRef"] = json!({ "name": claim, "namespace": reading.namespace });
            }
            volume
        });
        stats["volume"] = volumes.collect();
    }
    stats
}

fn ephemeral(reading: &PodReading, disk: &PodDisk) -> DiskUse {
    let is_claim = |name: &str| reading.claims.iter().any(|(volume, _)| volume == name);
    let mut all = DiskUse::default();
    disk.containers.iter().flat_map(|it| [it.rootfs, it.logs]).for_each(|used| all += used);
    disk.volumes.iter().filter(|(name, _)| !is_claim(name)).for_each(|(_, used)| all += *used);
    all
}

fn container(node: &NodeReading, pod: &PodReading, reading: &ContainerReading, brief: bool) -> Value {
    let now = node.now;
    let memory = reading.memory_bytes;
    let mut stats = json!({
        "name": reading.name,
        "cpu": cpu(now, nanos(reading.cpu), reading.nano_cores),
        "memory": { "time": now, "usageBytes": memory, "workingSetBytes": memory, "rssBytes": memory },
    });
    if let Some(started) = reading.started {
        stats["startTime"] = json!(started);
    }
    let disk = pod.disk.as_ref().and_then(|disk| disk.containers.iter().find(|it| it.name == reading.name));
    if let Some(disk) = disk.filter(|_| !brief) {
        stats["rootfs"] = file_system(node, disk.rootfs);
        stats["logs"] = file_system(node, disk.logs);
    }
    stats
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
