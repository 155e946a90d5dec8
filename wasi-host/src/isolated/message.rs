//! What the node and a pod's process say to each other, in postcard's encoding. Descriptors travel beside the messages.
//!
//! The child believes its parent. The parent believes nothing: what a child says can at worst be untrue of its own pod.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{Exit, InstanceReuse, NetworkError, PodLimits, Signal, Usage};

/// Which container of the pod, or which run beside one.
pub(super) type Id = u32;

/// The first message to a child: what pod it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) name: String,
    pub(super) hostname: String,
    pub(super) address: IpAddr,
    pub(super) limits: PodLimits,
    pub(super) max_memory_bytes: u64,
    pub(super) epoch_tick: Duration,
    pub(super) wasi_p3: bool,
    /// Seals the programs that this child is given, and no others.
    pub(super) key: [u8; 32],
}

/// What the parent says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToChild {
    /// Start a container. With it come a file with its [`Start`], one with its program, the writing end of its output,
    /// and then what `Start` says: the reading end of its stdin, its listener, its directories, the volumes
    /// of its buckets.
    Start(Id),
    /// Run a container's program anew. With it come a file with its [`Exec`], its output, and perhaps its stdin.
    Exec(Id),
    /// See `Container::stop`.
    Stop(Id, Duration),
    /// See `Container::interrupt`.
    Interrupt(Id, Signal),
    /// See `Container::set_limits`.
    SetLimits { id: Id, memory_bytes: Option<u64>, cpu_millis: Option<u32> },
    /// See `Container::set_cpu_shares`.
    SetShares(Id, u32),
    /// See `PodContext::set_limits`.
    SetPodLimits(PodLimits),
    /// The answer to a lookup.
    Found(u64, Result<Vec<IpAddr>, NetworkError>),
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromChild {
    /// The walls are up, and the engine is there.
    Ready,
    /// There is no sandbox.
    Refused(String),
    /// A container has started, or why not.
    Started(Id, Result<(), String>),
    /// What a container uses.
    Uses(Id, Usage),
    /// A container has ended, and all its output is written.
    Ended(Id, Exit, Usage),
    /// The addresses of a name are wanted.
    Lookup(u64, String),
}

/// A question on the second socket, where guests wait: where does an address lead?
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Route {
    pub(super) number: u64,
    pub(super) to: SocketAddr,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Routed {
    pub(super) number: u64,
    pub(super) leads: Result<SocketAddr, NetworkError>,
}

/// A container, without what is passed as a descriptor. See `ContainerConfig`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) config: Vec<(String, String)>,
    pub(super) working_dir: Option<String>,
    pub(super) directories: Vec<Directory>,
    pub(super) buckets: Vec<BucketOf>,
    pub(super) terminal: bool,
    pub(super) has_stdin: bool,
    pub(super) has_listener: bool,
    pub(super) memory_limit_bytes: Option<u64>,
    pub(super) cpu_limit_millis: Option<u32>,
    pub(super) cpu_shares: u32,
    pub(super) reuse: InstanceReuse,
}

/// A bucket of a container.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BucketOf {
    pub(super) name: String,
    pub(super) read_only: bool,
}

/// A directory of a container.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Directory {
    pub(super) guest_path: String,
    pub(super) read_only: bool,
}

/// Another run of a container's program. See `crate::Exec`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exec {
    pub(super) of: Id,
    pub(super) args: Vec<String>,
    pub(super) terminal: bool,
    pub(super) has_stdin: bool,
}
