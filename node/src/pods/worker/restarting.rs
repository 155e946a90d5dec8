//! The worker's part about all containers beginning again because one of them has ended in a certain way (KEP-5532): the
//! pod's context, address and volumes stay, and its init containers come first, as in the beginning.

use super::Worker;
use crate::pods::record::{Record, Role};

impl Worker {
    /// Stops what runs; when nothing does any more, all containers are to run again. Whether that is still to come.
    pub(super) fn is_restarting_all(&mut self) -> bool {
        if !self.restarting_all {
            return false;
        }
        self.stop_next();
        if self.is_occupied() {
            return true;
        }
        self.restarting_all = false;
        run_all_again(&mut self.records);
        false
    }
}

/// Everything begins again, but for what had only joined the pod to look into it.
pub fn run_all_again(records: &mut [Record]) {
    let initializes = records.first().is_some_and(Record::initializes);
    let waiting = if initializes { "PodInitializing" } else { "ContainerCreating" };
    let lasting = records.iter_mut().filter(|record| record.role != Role::Ephemeral);
    lasting.for_each(|record| record.run_again(waiting));
}

/// Whether a pod with these containers may come to that.
pub fn may_restart_all(records: &[Record]) -> bool {
    records.iter().any(Record::may_restart_all)
}
