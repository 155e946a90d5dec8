//! Logs of runs that are over: what a node short of disk can do without.

use std::{fs, path::Path};

/// Removes, for each container of a pod, the logs of all runs but the last. Blocks on the disk.
pub fn remove_former_logs(pod_dir: &Path) {
    for container in fs::read_dir(pod_dir).into_iter().flatten().flatten() {
        let logs: Vec<_> = fs::read_dir(container.path()).into_iter().flatten().flatten().collect();
        let run = |entry: &fs::DirEntry| -> Option<u32> {
            let name = entry.file_name();
            name.to_str()?.split_once(".log")?.0.parse().ok()
        };
        let Some(last) = logs.iter().filter_map(run).max() else { continue };
        for log in logs.iter().filter(|log| run(log).is_some_and(|run| run < last)) {
            if let Err(error) = fs::remove_file(log.path()) {
                tracing::debug!(log = %log.path().display(), %error, "an old log could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_keeps_its_log() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("c")).unwrap();
        fs::create_dir_all(dir.path().join("volumes/1.log")).unwrap();
        for name in ["8.log", "8.log.1", "9.log.1", "9.log", "10.log", "notes"] {
            fs::write(dir.path().join("c").join(name), "x").unwrap();
        }
        remove_former_logs(dir.path());
        let mut left: Vec<_> =
            fs::read_dir(dir.path().join("c")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["10.log", "notes"]);
        assert!(dir.path().join("volumes/1.log").is_dir());
    }
}
