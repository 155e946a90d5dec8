//! Starting children.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
};

use tokio::sync::oneshot;

/// Children that may wait to be started.
const STARTS_LIMIT: usize = 64;

/// Why there is no process for a pod.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// the process can't be started
    #[error("the sandbox's process can't be started: {0}")]
    Start(#[source] io::Error),
    /// the process could not shut itself in, or make its engine
    #[error("the sandbox can't be made: {0}")]
    Refused(String),
    /// it said nothing
    #[error("the sandbox's process ended before it was ready: {0}")]
    Ended(String),
    /// it took too long
    #[error("the sandbox's process was not ready in time")]
    Timeout,
}

/// How the process of a pod is started. Clones share one thread, which starts them all.
#[derive(Clone)]
pub struct Isolation {
    starter: Arc<Starter>,
}

struct Starter {
    starts: mpsc::SyncSender<Start>,
}

struct Start {
    name: String,
    stdin: OwnedFd,
    stdout: OwnedFd,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Isolation {
    /// Children are started as `program` with `args`, the pod's name behind them, and without variables. The program must
    /// call [`run_child`](super::run_child) and do nothing else.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn new(program: PathBuf, args: Vec<OsString>) -> io::Result<Isolation> {
        let (starts, asked) = mpsc::sync_channel::<Start>(STARTS_LIMIT);
        // A child is killed by the kernel when the thread ends that started it (PR_SET_PDEATHSIG): this one is there for
        // as long as children can be asked for, and so for as long as any pod has one.
        let start_all = move || {
            for Start { name, stdin, stdout, answer } in asked {
                let mut command = Command::new(&program);
                command.arg0("coracle").args(&args).arg(name).env_clear().current_dir("/");
                command.envs(std::env::var_os("SSL_CERT_FILE").map(|file| ("SSL_CERT_FILE", file)));
                command.stdin(stdin).stdout(stdout).stderr(Stdio::null());
                // Whoever asked may have gone; then the child finds its socket closed, and ends.
                let _ = answer.send(command.spawn());
            }
        };
        std::thread::Builder::new().name("sandbox-starter".into()).spawn(start_all)?;
        Ok(Isolation { starter: Arc::new(Starter { starts }) })
    }

    /// Starts a child, which finds the one socket where others have stdin, and the other at stdout.
    pub(super) async fn start(&self, name: String, stdin: OwnedFd, stdout: OwnedFd) -> Result<Child, IsolationError> {
        let (answer, started) = oneshot::channel();
        let gone = || IsolationError::Start(io::Error::other("too many are being started"));
        self.starter.starts.try_send(Start { name, stdin, stdout, answer }).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?.map_err(IsolationError::Start)
    }
}
