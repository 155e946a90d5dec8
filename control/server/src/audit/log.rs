//! The audit log: a file of JSON lines, rotated by size.
//!
//! Invariant: an event that was taken is written before anything later, and whoever has one waits while the disk is slow,
//! so that none is lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

/// Events that wait to be written.
const QUEUE: usize = 10_000;

/// Where events go, under the names of kube-apiserver's flags.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `--audit-log-path`; `-` is standard output.
    pub path: PathBuf,
    /// `--audit-log-maxsize`: the size at which a file is put aside, in megabytes.
    pub max_megabytes: u64,
    /// `--audit-log-maxbackup`: how many old files are kept; 0 keeps them all.
    pub max_backups: usize,
    /// `--audit-log-maxage`: how many days they are kept; 0 keeps them for ever.
    pub max_days: u32,
}

/// The log, written by a thread of its own.
pub(super) struct Log {
    queue: mpsc::Sender<String>,
}

impl Log {
    /// Opens the log.
    ///
    /// # Errors
    /// When its file can't be opened: no request should go unwritten.
    pub(super) fn open(config: LogConfig) -> io::Result<Self> {
        let mut file = Rotated::open(config)?;
        let (queue, mut events) = mpsc::channel::<String>(QUEUE);
        std::thread::Builder::new().name("audit-log".to_owned()).spawn(move || {
            while let Some(event) = events.blocking_recv() {
                if let Err(error) = file.write(&event) {
                    tracing::error!(%error, path = %file.config.path.display(), "an audit event is lost");
                }
            }
        })?;
        Ok(Self { queue })
    }

    /// Takes an event, when there is room for it.
    pub(super) async fn write(&self, event: String) {
        // The thread ends with this sender only.
        let _ = self.queue.send(event).await;
    }
}

struct Rotated {
    config: LogConfig,
    /// None: standard output.
    file: Option<(File, u64)>,
}

impl Rotated {
    fn open(config: LogConfig) -> io::Result<Self> {
        if config.path == Path::new("-") {
            return Ok(Self { config, file: None });
        }
        if let Some(directory) = config.path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)?;
        }
        let file = Some(append(&config.path)?);
        Ok(Self { config, file })
    }

    fn write(&mut self, event: &str) -> io::Result<()> {
        let line = format!("{event}\n");
        let Some((file, size)) = &mut self.file else { return io::stdout().lock().write_all(line.as_bytes()) };
        let limit = self.config.max_megabytes.max(1) << 20;
        if *size > 0 && *size + line.len() as u64 > limit {
            std::fs::rename(&self.config.path, aside(&self.config.path, Timestamp::now()))?;
            (*file, *size) = append(&self.config.path)?;
            prune(&self.config, Timestamp::now())?;
        }
        file.write_all(line.as_bytes())?;
        *size += line.len() as u64;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// `audit.log` becomes `audit-2026-11-28T19-50-00.123.log`, as with kube-apiserver.
fn aside(path: &Path, now: Timestamp) -> PathBuf {
    let (stem, extension) = parts(path);
    path.with_file_name(format!("{stem}-{}{extension}", now.strftime("%Y-%m-%dT%H-%M-%S.%3f")))
}

fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let extension = text(path.extension()).map(|extension| format!(".{extension}"));
    (text(path.file_stem()).unwrap_or_default(), extension.unwrap_or_default())
}

/// Removes old files that are too many or too old.
fn prune(config: &LogConfig, now: Timestamp) -> io::Result<()> {
    let (stem, extension) = parts(&config.path);
    let directory = config.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut old = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let middle = name.strip_prefix(&format!("{stem}-")).and_then(|rest| rest.strip_suffix(&extension));
        if middle.is_some_and(|middle| middle.len() == "2026-11-28T19-50-00.123".len()) {
            old.push(name);
        }
    }
    // The newest first: their names are times.
    old.sort_unstable_by(|a, b| b.cmp(a));
    let oldest = SignedDuration::from_hours(24 * i64::from(config.max_days));
    let oldest = now.saturating_sub(oldest).map(|time| aside(&config.path, time)).unwrap_or_default();
    for (index, name) in old.iter().enumerate() {
        let too_many = config.max_backups > 0 && index >= config.max_backups;
        let too_old = config.max_days > 0 && directory.join(name) < oldest;
        if too_many || too_old {
            std::fs::remove_file(directory.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_aside_by_size_and_their_number_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let config = LogConfig { path: path.clone(), max_megabytes: 1, max_backups: 2, max_days: 0 };
        let mut log = Rotated::open(config).unwrap();
        let event = "x".repeat(600 << 10);
        for _ in 0..6 {
            log.write(&event).unwrap();
            // Their names are times of milliseconds.
            let known = std::fs::read_dir(directory.path()).unwrap().count();
            assert!(known <= 3, "{known} files");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(files.len(), 3, "{files:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), event.len() as u64 + 1);
    }

    #[test]
    fn what_is_too_old_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let other = directory.path().join("audit-notes.log");
        for kept in [&other, &aside(&path, "2026-11-27T13:00:00Z".parse().unwrap())] {
            std::fs::write(kept, "").unwrap();
        }
        std::fs::write(aside(&path, "2026-11-26T13:00:00Z".parse().unwrap()), "").unwrap();
        prune(&LogConfig { path, max_megabytes: 1, max_backups: 0, max_days: 1 }, now).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
