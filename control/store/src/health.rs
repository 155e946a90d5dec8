//! Whether the store takes writes, and if not, why.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

/// How long a look at the free space is good for.
const SPACE_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The reason why writes are refused, if they are.
pub(crate) struct Health {
    /// A failed write: nothing is written until the store is opened again.
    fatal: ArcSwapOption<String>,
    dir: PathBuf,
    min_free_bytes: u64,
    space: Mutex<Space>,
}

/// What the last look at the free space found.
#[derive(Default)]
struct Space {
    checked: Option<Instant>,
    lacking: Option<String>,
}

impl Health {
    /// Of a store in `dir` that stops writing when fewer than `min_free_bytes` are free.
    pub(crate) fn new(dir: &Path, min_free_bytes: u64) -> Self {
        Self { fatal: ArcSwapOption::empty(), dir: dir.to_owned(), min_free_bytes, space: Mutex::default() }
    }

    /// Writes fail from now on. The first reason stays: later ones are its consequences.
    pub(crate) fn fail(&self, reason: String) {
        if self.fatal.load().is_none() {
            self.fatal.store(Some(Arc::new(reason)));
        }
    }

    /// The reason if the store has failed for good.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.fatal.load_full().map(|reason| reason.as_ref().clone())
    }

    /// `Err` with the reason if writes are refused: for good, or until there is space again.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.fatal().or_else(|| self.lacking_space()) {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    fn lacking_space(&self) -> Option<String> {
        let mut space = self.space.lock();
        let now = Instant::now();
        if space.checked.is_none_or(|checked| now - checked >= SPACE_CHECK_INTERVAL) {
            space.checked = Some(now);
            space.lacking = self.look_at_space();
        }
        space.lacking.clone()
    }

    /// A file system that cannot be asked is found out by the write itself.
    fn look_at_space(&self) -> Option<String> {
        let stat = rustix::fs::statvfs(&self.dir).ok()?;
        let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
        (free_bytes < self.min_free_bytes).then(|| {
            format!(
                "no space left on device: {} has {free_bytes} bytes free and the store keeps {} in reserve; \
                 free some space, writes go on by themselves",
                self.dir.display(),
                self.min_free_bytes
            )
        })
    }
}
