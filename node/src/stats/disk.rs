//! What pods have on the disk: logs, files beside them, volumes. Walked, as `du` does.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use k8s_openapi::api::core::v1::Pod;

/// Files of one pod that are counted; who has more has at least so many.
const FILES_LIMIT: u64 = 1_000_000;
/// Directories inside one another.
const DEPTH_LIMIT: usize = 64;
/// Bytes of a block, as the kernel counts a file's.
const BLOCK_BYTES: u64 = 512;

/// What something has on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes in blocks.
    pub bytes: u64,
    /// Files and directories.
    pub inodes: u64,
}

/// What a container has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerDisk {
    /// Its name.
    pub name: String,
    /// What it can write besides its volumes.
    pub rootfs: DiskUse,
    /// Its logs, with those of its former runs.
    pub logs: DiskUse,
}

/// What a pod has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodDisk {
    /// Of its containers.
    pub containers: Vec<ContainerDisk>,
    /// Of its volumes, by name: those that lie in the pod's own directory.
    pub volumes: Vec<(String, DiskUse)>,
}

impl DiskUse {
    fn add(&mut self, metadata: &fs::Metadata) {
        self.bytes += metadata.blocks() * BLOCK_BYTES;
        self.inodes += 1;
    }
}

impl std::ops::AddAssign for DiskUse {
    fn add_assign(&mut self, other: DiskUse) {
        self.bytes += other.bytes;
        self.inodes += other.inodes;
    }
}

/// Walks the directory of a pod. Blocks on the disk.
pub fn measure(pod: &Pod, dir: &Path) -> PodDisk {
    let Some(spec) = &pod.spec else { return PodDisk::default() };
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|it| &it.name);
    let names = spec.containers.iter().chain(spec.init_containers.iter().flatten()).map(|it| &it.name).chain(ephemeral);
    let volumes = spec.volumes.iter().flatten().filter_map(|volume| {
        let path = dir.join("volumes").join(&volume.name);
        path.is_dir().then(|| (volume.name.clone(), all_below(&path)))
    });
    PodDisk { containers: names.map(|name| container(name, &dir.join(name))).collect(), volumes: volumes.collect() }
}

fn container(name: &str, dir: &Path) -> ContainerDisk {
    let mut disk = ContainerDisk { name: name.to_owned(), rootfs: DiskUse::default(), logs: DiskUse::default() };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            disk.rootfs += all_below(&entry.path());
        } else if is_log(&entry.file_name().to_string_lossy()) {
            disk.logs.add(&metadata);
        } else {
            disk.rootfs.add(&metadata);
        }
    }
    disk
}

/// Whether a file is a log, the present one or one that was rotated: `3.log`, `3.log.20260101-000000`.
fn is_log(name: &str) -> bool {
    name.split_once(".log").is_some_and(|(run, _)| !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A directory and all below it. Links are counted, not followed.
fn all_below(dir: &Path) -> DiskUse {
    let mut used = DiskUse::default();
    walk(dir, 0, &mut used);
    used
}

fn walk(dir: &Path, depth: usize, used: &mut DiskUse) {
    if let Ok(metadata) = fs::symlink_metadata(dir) {
        used.add(&metadata);
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if used.inodes >= FILES_LIMIT {
            return;
        }
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() && depth < DEPTH_LIMIT => walk(&entry.path(), depth + 1, used),
            Ok(metadata) => used.add(&metadata),
            // Gone meanwhile.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn logs_volumes_and_the_rest_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: usize| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![1; bytes]).unwrap();
        };
        write("c/0.log", 10_000);
        write("c/0.log.20260101-000000", 10_000);
        write("c/termination/log", 100);
        write("volumes/scratch/deep/file", 50_000);
        std::os::unix::fs::symlink("/", dir.path().join("volumes/scratch/loop")).unwrap();
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}, {"name": "new"}],
            "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "host", "hostPath": {"path": "/"}}]}});
        let disk = measure(&serde_json::from_value(pod).unwrap(), dir.path());
        let c = &disk.containers[0];
        assert!(c.logs.bytes >= 20_000 && c.logs.inodes == 2, "{disk:?}");
        assert!(c.rootfs.inodes == 2 && c.rootfs.bytes < 20_000, "{disk:?}");
        assert_eq!(disk.containers[1].logs, DiskUse::default());
        assert_eq!(disk.volumes.len(), 1);
        assert!(disk.volumes[0].1.bytes >= 50_000 && disk.volumes[0].1.inodes == 4, "{disk:?}");
    }

    #[test]
    fn logs_have_the_number_of_their_run() {
        assert!(is_log("0.log") && is_log("12.log.20260101-000000"));
        assert!(!is_log("catalog") && !is_log("x.log") && !is_log(".log"));
    }
}
