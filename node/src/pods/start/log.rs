//! The logs of a container's runs: the one that begins, and those that are no longer kept.

use std::{path::Path, sync::Arc};

use super::Attempt;
use crate::{logs::LogSink, pods::live::log_path, static_pods::is_static};

/// Runs of a container whose logs are kept besides the one that begins: the one before it (kubelet's
/// `maxPerPodContainer`).
const OLD_RUNS_KEPT: i32 = 1;

impl Attempt {
    pub(super) fn open_log(&self) -> Arc<LogSink> {
        let path = log_path(&self.live.dir, &self.container.name, self.run);
        let old = self.run - OLD_RUNS_KEPT - 1;
        if old >= 0 {
            remove_log(&log_path(&self.live.dir, &self.container.name, old));
        }
        let sink = LogSink::new(path, self.shared.log_limits, Arc::clone(&self.shared.logs));
        // The runs of a static pod are counted by their logs (`pods::past_logs`), also of one that prints nothing.
        if is_static(&self.pod)
            && let Err(error) = sink.make_file()
        {
            tracing::warn!(%error, pod = self.live.name, "the log of a static pod can't be made");
        }
        sink
    }
}

/// Removes the log of a run that is no longer kept, with its older pieces.
fn remove_log(path: &Path) {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return };
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let piece = file.to_str().and_then(|file| file.strip_prefix(name));
        if piece.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_log_goes_with_its_pieces_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["1.log", "1.log.1", "11.log", "2.log"] {
            std::fs::write(dir.path().join(name), b"").unwrap();
        }
        remove_log(&dir.path().join("1.log"));
        let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["11.log", "2.log"]);
    }
}
