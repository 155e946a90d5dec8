//! The worker's part about containers that didn't get past their postStart hook.

use super::Worker;
use crate::pods::{record::Ended, start::FailedHook};

impl Worker {
    /// The container ran, its hook failed, and it was killed for that: a run like others, and until the next one the
    /// hook is what the container waits for.
    pub(super) fn take_failed_hook(&mut self, index: usize, failed: &FailedHook) {
        let record = &mut self.records[index];
        (record.image, record.image_id) = (failed.run.image.clone(), failed.run.image_id.clone());
        self.live.set_ended(&record.name);
        let (exit, id) = (&failed.exit, failed.run.id.clone());
        self.take_end(index, Ended::of(exit, exit.message.clone(), failed.run.since, id), false);
        self.wait_after_start(index, "PostStartHookError", "PostStartHook failed".to_owned());
    }
}
