//! What there is of each signal, and how much of it is left.

use std::path::Path;

use super::signal::Signal;
use crate::machine::{Disk, Headroom, Machine};

/// One signal as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// What is left.
    pub available: u64,
    /// What there is in all.
    pub capacity: u64,
}

/// All signals as they are now. One that can't be told (a file system without inodes) is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observations([Option<Observation>; Signal::ALL.len()]);

impl Observations {
    /// Looks at the machine. Images lie on the node's own file system, so the two say the same. Blocks for a moment.
    pub fn read(machine: &Machine, data_dir: &Path) -> Observations {
        Observations::of(machine, &Headroom::read(), Disk::of(data_dir))
    }

    /// From what was looked at.
    pub fn of(machine: &Machine, left: &Headroom, disk: Disk) -> Observations {
        let some = |available, capacity| (capacity > 0).then_some(Observation { available, capacity });
        let mut all = Observations::default();
        for signal in Signal::ALL {
            all.0[signal as usize] = match signal {
                Signal::Memory => some(left.memory_bytes, machine.memory_bytes),
                Signal::Nodefs | Signal::Imagefs => some(disk.available_bytes, disk.capacity_bytes),
                Signal::NodefsInodes | Signal::ImagefsInodes => some(disk.inodes_free, disk.inodes),
                Signal::Processes => some(left.processes, machine.processes),
            };
        }
        all
    }

    /// One of them.
    pub fn get(&self, signal: Signal) -> Option<Observation> {
        self.0[signal as usize]
    }

    /// The same with one of them replaced.
    #[cfg(test)]
    pub fn with(mut self, signal: Signal, available: u64, capacity: u64) -> Observations {
        self.0[signal as usize] = Some(Observation { available, capacity });
        self
    }
}
