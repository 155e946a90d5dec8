//! What a container, or another run of its program, is given.

use std::{path::PathBuf, sync::Arc};

use crate::{InstanceReuse, Output, Program, StdinPipe};

/// A directory of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preopen {
    /// The directory on the host, by an absolute path without symbolic links: what is there later instead is not opened.
    pub host_path: PathBuf,
    /// Where the guest finds it.
    pub guest_path: String,
    /// Whether the guest may only read it.
    pub read_only: bool,
}

/// A directory of the host in which a guest keeps values by their keys (`wasi:keyvalue`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What the guest opens it by.
    pub name: String,
    /// The directory on the host, by a path as [`Preopen::host_path`] is. Everything is in one directory in it.
    pub host_path: PathBuf,
    /// Whether the guest may only read it.
    pub read_only: bool,
}

/// What a container is given. What is not here, the guest does not have.
#[derive(Clone)]
pub struct ContainerConfig {
    /// The container's name, for logs.
    pub name: String,
    /// The program to run.
    pub program: Program,
    /// The argument vector, with the program's own name first.
    pub args: Vec<String>,
    /// The environment, in order.
    pub env: Vec<(String, String)>,
    /// What `wasi:config/store` tells it.
    pub config: Vec<(String, String)>,
    /// The initial working directory a component is told; it should lie in one of `preopens`.
    pub working_dir: Option<String>,
    /// The directories the guest may open.
    pub preopens: Vec<Preopen>,
    /// The buckets the guest may open; of two with one name, the first.
    pub buckets: Vec<Bucket>,
    /// Where its stdin comes from. None: it is empty, and at its end from the beginning. A stop closes it: that is how
    /// a command, which WASI gives no signal, hears of it.
    pub stdin: Option<StdinPipe>,
    /// Whether stdin and stdout tell the guest that they are a terminal (`wasi:cli/terminal-*`).
    pub terminal: bool,
    /// Where its stdout and stderr go.
    pub output: Arc<dyn Output>,
    /// The most linear memory its instances may hold together. None: only the pod's limit and the engine's
    /// ceiling for one memory.
    pub memory_limit_bytes: Option<u64>,
    /// Thousandths of one CPU it may use; beyond, it waits. None: no limit.
    pub cpu_limit_millis: Option<u32>,
    /// Its part of the CPUs beside others when all are busy: with twice the shares it gets twice the time. The numbers are
    /// those of the kernel's cgroups, [`limits::CPU_SHARES_MIN`](crate::limits::CPU_SHARES_MIN) for whoever asks for nothing.
    pub cpu_shares: u32,
    /// The port an HTTP component listens on, at the pod's address; 0 lets the kernel choose. Commands ignore it.
    pub http_port: u16,
    /// How the instances of an HTTP component are used. Commands ignore it.
    pub reuse: InstanceReuse,
}

/// What another run of a container's program is given of its own; all else is the container's.
pub struct Exec {
    /// The argument vector, with a program name first.
    pub args: Vec<String>,
    /// Where its stdin comes from; see [`ContainerConfig::stdin`].
    pub stdin: Option<StdinPipe>,
    /// Whether it is told that it has a terminal.
    pub terminal: bool,
    /// Where its stdout and stderr go.
    pub output: Arc<dyn Output>,
}
