//! A limit of CPU time: of one container, or of all those of a pod together.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::bucket::Bucket;

/// A limit that may come, change and go.
pub(crate) struct CpuLimit {
    /// Whether there is a bucket: asked at every turn, where a lock would be felt.
    is_set: AtomicBool,
    bucket: Mutex<Option<Bucket>>,
}

impl CpuLimit {
    /// None: no limit.
    pub(crate) fn new(millis: Option<u32>) -> CpuLimit {
        let bucket = millis.map(|millis| Bucket::new(millis, Instant::now()));
        CpuLimit { is_set: AtomicBool::new(bucket.is_some()), bucket: Mutex::new(bucket) }
    }

    /// Another limit from now on. What was used before is forgiven, unless the limit is the one that it was.
    pub(crate) fn set(&self, millis: Option<u32>) {
        let mut bucket = self.bucket.lock();
        if bucket.as_ref().map(Bucket::limit_millis) != millis {
            *bucket = millis.map(|millis| Bucket::new(millis, Instant::now()));
            self.is_set.store(bucket.is_some(), Ordering::Release);
        }
    }

    /// How long the next turn must wait. None: go on.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.with(|bucket| bucket.pause(Instant::now()))?
    }

    pub(super) fn spend(&self, turn: Duration) {
        self.with(|bucket| bucket.spend(turn));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> Option<T> {
        if !self.is_set.load(Ordering::Acquire) {
            return None;
        }
        self.bucket.lock().as_mut().map(act)
    }
}
