//! What the node watches for shortage, under kubelet's names.

use std::fmt;

/// Something that can run short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `memory.available`
    Memory,
    /// `nodefs.available`
    Nodefs,
    /// `nodefs.inodesFree`
    NodefsInodes,
    /// `imagefs.available`
    Imagefs,
    /// `imagefs.inodesFree`
    ImagefsInodes,
    /// `pid.available`
    Processes,
}

/// A condition of the Node that a shortage makes true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// `MemoryPressure`
    Memory,
    /// `DiskPressure`
    Disk,
    /// `PIDPressure`
    Processes,
}

impl Condition {
    /// All of them, in the order in which a Node shows them.
    pub const ALL: [Condition; 3] = [Condition::Memory, Condition::Disk, Condition::Processes];

    /// The condition's type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "MemoryPressure",
            Self::Disk => "DiskPressure",
            Self::Processes => "PIDPressure",
        }
    }

    /// Its place in [`Condition::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl Signal {
    /// All of them; memory is relieved first.
    pub const ALL: [Signal; 6] = [
        Signal::Memory,
        Signal::Nodefs,
        Signal::NodefsInodes,
        Signal::Imagefs,
        Signal::ImagefsInodes,
        Signal::Processes,
    ];

    /// Kubelet's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory.available",
            Self::Nodefs => "nodefs.available",
            Self::NodefsInodes => "nodefs.inodesFree",
            Self::Imagefs => "imagefs.available",
            Self::ImagefsInodes => "imagefs.inodesFree",
            Self::Processes => "pid.available",
        }
    }

    /// The signal of this name.
    pub fn of_name(name: &str) -> Option<Signal> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }

    /// The condition that it makes true.
    pub fn condition(self) -> Condition {
        match self {
            Self::Memory => Condition::Memory,
            Self::Processes => Condition::Processes,
            _ => Condition::Disk,
        }
    }

    /// What is reclaimed: the name of the resource in messages.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Nodefs | Self::Imagefs => "ephemeral-storage",
            Self::NodefsInodes | Self::ImagefsInodes => "inodes",
            Self::Processes => "pids",
        }
    }

    /// Whether amounts are bytes, and printed so.
    pub fn is_bytes(self) -> bool {
        matches!(self, Self::Memory | Self::Nodefs | Self::Imagefs)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
