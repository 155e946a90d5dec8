//! One running container: what it is given, how it is watched and stopped, wherever it runs.

mod config;
mod error;
mod job;
mod local;

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Exit, Signal, StdinPipe, isolated::Remote};

pub use config::{Bucket, ContainerConfig, Exec, Preopen};
pub use error::{ExecError, StartError};
pub(crate) use job::{count_end, panic_message};
pub(crate) use local::{Held, Local, Surroundings, tell};

/// What a container uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Linear memory its instances hold now.
    pub memory_bytes: u64,
    /// Time its guests have spent on a CPU since the container started.
    pub cpu_time: Duration,
}

/// A running container. Clones are handles on the same one; dropping them all stops nothing.
#[derive(Clone)]
pub struct Container {
    place: Place,
}

/// Where a container runs.
#[derive(Clone)]
enum Place {
    /// In this process.
    Here(Local),
    /// In the process of its pod.
    Apart(Remote),
}

impl From<Local> for Container {
    fn from(local: Local) -> Container {
        Container { place: Place::Here(local) }
    }
}

impl From<Remote> for Container {
    fn from(remote: Remote) -> Container {
        Container { place: Place::Apart(remote) }
    }
}

impl Container {
    /// Runs the container's program anew beside it, as a command with other arguments: same files, environment,
    /// network and budgets. It ends with the container at the latest.
    ///
    /// # Errors
    /// When the program is no command, the container is over, or too many of these run already.
    pub fn exec(&self, exec: Exec) -> Result<Container, ExecError> {
        match &self.place {
            Place::Here(local) => local.exec(exec).map(Container::from),
            Place::Apart(remote) => remote.exec(exec).map(Container::from),
        }
    }

    /// The address an HTTP component listens on. None for commands.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::Here(local) => local.address(),
            Place::Apart(remote) => remote.address(),
        }
    }

    /// Waits for the container's end. Any number of callers may wait, before and after it.
    pub async fn wait(&self) -> Exit {
        match &self.place {
            Place::Here(local) => local.wait().await,
            Place::Apart(remote) => remote.wait().await,
        }
    }

    /// Other limits from now on, as [`ContainerConfig`] has them. Memory that is held beyond a new limit stays; the next
    /// growth ends the container.
    pub fn set_limits(&self, memory_bytes: Option<u64>, cpu_millis: Option<u32>) {
        match &self.place {
            Place::Here(local) => local.set_limits(memory_bytes, cpu_millis),
            Place::Apart(remote) => remote.set_limits(memory_bytes, cpu_millis),
        }
    }

    /// Other shares from now on, as [`ContainerConfig`] has them.
    pub fn set_cpu_shares(&self, shares: u32) {
        match &self.place {
            Place::Here(local) => local.set_cpu_shares(shares),
            Place::Apart(remote) => remote.set_cpu_shares(shares),
        }
    }

    /// Its stdin, if it has one that can be written.
    #[must_use]
    pub fn stdin(&self) -> Option<&StdinPipe> {
        match &self.place {
            Place::Here(local) => local.spec().stdin.as_ref(),
            Place::Apart(remote) => remote.stdin(),
        }
    }

    /// Whether it was told that it has a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        match &self.place {
            Place::Here(local) => local.spec().terminal,
            Place::Apart(remote) => remote.has_terminal(),
        }
    }

    /// The directories it was given.
    #[must_use]
    pub fn preopens(&self) -> &[Preopen] {
        match &self.place {
            Place::Here(local) => &local.spec().preopens,
            Place::Apart(remote) => remote.preopens(),
        }
    }

    /// Whether it takes work: an HTTP component listens, a command has started. False again after its end.
    #[must_use]
    pub fn ready(&self) -> watch::Receiver<bool> {
        match &self.place {
            Place::Here(local) => local.ready(),
            Place::Apart(remote) => remote.ready(),
        }
    }

    /// Asks the container to end and waits until it has. An HTTP server stops accepting and answers the requests
    /// it has; a command, which WASI gives no signal, reads end-of-file from its stdin and may end by itself. What
    /// still runs after `grace` is interrupted at the next tick. A second call may shorten the grace of the first, never lengthen it.
    pub async fn stop(&self, grace: Duration) -> Exit {
        match &self.place {
            Place::Here(local) => local.stop(grace).await,
            Place::Apart(remote) => remote.stop(grace).await,
        }
    }

    /// Ends the container as a terminal's signal ends a program without a handler for it: at the next tick. An HTTP
    /// server answers nothing more either, but if it is idle it ends as at any stop.
    pub fn interrupt(&self, signal: Signal) {
        match &self.place {
            Place::Here(local) => local.interrupt(signal),
            Place::Apart(remote) => remote.interrupt(signal),
        }
    }

    /// What the container uses now. Cheap: it reads two counters. Of a pod with a process of its own it is what that
    /// process said last, at most [`ISOLATED_USAGE_INTERVAL`](crate::limits::ISOLATED_USAGE_INTERVAL) ago.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match &self.place {
            Place::Here(local) => local.usage(),
            Place::Apart(remote) => remote.usage(),
        }
    }
}
