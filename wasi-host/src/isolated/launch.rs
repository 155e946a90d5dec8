//! Starting children.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};

/// Children that wait to be started; who asks for more waits for room.
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
    starts: mpsc::Sender<Start>,
}

struct Start {
    name: String,
    stdin: OwnedFd,
    stdout: OwnedFd,
    answer: oneshot::Sender<io::Result<Unclaimed>>,
}

/// A child that nobody watches yet. If whoever asked for it is gone, it is killed and waited for, and leaves nothing.
struct Unclaimed(Option<Child>);

impl Unclaimed {
    fn claim(mut self) -> io::Result<Child> {
        self.0.take().ok_or_else(|| io::Error::other("the process was given away before"))
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Isolation {
    /// Children are started as `program` with `args`, the pod's name behind them, and without variables. The program must
    /// call [`run_child`](super::run_child) and do nothing else.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn new(program: PathBuf, args: Vec<OsString>) -> io::Result<Isolation> {
        let (starts, mut asked) = mpsc::channel::<Start>(STARTS_LIMIT);
        // A child is killed by the kernel when the thread ends that started it (PR_SET_PDEATHSIG): this one is there for
        // as long as children can be asked for, and so for as long as any pod has one.
        let start_all = move || {
            while let Some(Start { name, stdin, stdout, answer }) = asked.blocking_recv() {
                if answer.is_closed() {
                    continue;
                }
                let mut command = Command::new(&program);
                command.arg0("coracle").args(&args).arg(name).env_clear().current_dir("/");
                command.envs(std::env::var_os("SSL_CERT_FILE").map(|file| ("SSL_CERT_FILE", file)));
                command.stdin(stdin).stdout(stdout).stderr(Stdio::null());
                // Whoever asked may have gone meanwhile; then the child goes too.
                let _ = answer.send(command.spawn().map(|child| Unclaimed(Some(child))));
            }
        };
        std::thread::Builder::new().name("sandbox-starter".into()).spawn(start_all)?;
        Ok(Isolation { starter: Arc::new(Starter { starts }) })
    }

    /// Starts a child, which finds the one socket where others have stdin, and the other at stdout. If many are to be
    /// started it waits for its turn, each pod for one.
    pub(super) async fn start(&self, name: String, stdin: OwnedFd, stdout: OwnedFd) -> Result<Child, IsolationError> {
        let (answer, started) = oneshot::channel();
        let gone = || IsolationError::Start(io::Error::other("nobody starts processes any more"));
        self.starter.starts.send(Start { name, stdin, stdout, answer }).await.map_err(|_| gone())?;
        started.await.map_err(|_| gone())?.and_then(Unclaimed::claim).map_err(IsolationError::Start)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        pin::pin,
        thread::sleep,
        time::{Duration, Instant},
    };

    use futures::{FutureExt, future::join_all};

    use super::*;
    use crate::isolated::channel;

    fn nowhere() -> OwnedFd {
        File::options().read(true).write(true).open("/dev/null").unwrap().into()
    }

    /// Shells under a name of the test's own, which write the file they are named after and then wait for their input.
    fn shells(dir: &tempfile::TempDir, name: &str) -> Isolation {
        let program = dir.path().join(name);
        std::os::unix::fs::symlink("/bin/sh", &program).unwrap();
        Isolation::new(program, vec!["-c".into(), "echo > \"$0\"; read line".into()]).unwrap()
    }

    /// The children of this process that have such a name, waited for or not.
    fn children(name: &str) -> Vec<u32> {
        let (name, parent) = (format!("Name:\t{name}"), format!("PPid:\t{}", std::process::id()));
        let is_one = |pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            [&name, &parent].iter().all(|wanted| status.lines().any(|line| line == **wanted))
        };
        let all = fs::read_dir("/proc").unwrap();
        all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(is_one).collect()
    }

    fn wait_until(what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
            sleep(Duration::from_millis(5));
        }
    }

    #[tokio::test]
    async fn a_child_that_nobody_waits_for_any_more_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (isolation, marker) = (shells(&dir, "left-late"), dir.path().join("marker"));
        let (ours, childs) = channel::pair().unwrap();
        {
            let mut start = pin!(isolation.start(marker.display().to_string(), childs, nowhere()));
            assert!(start.as_mut().now_or_never().is_none());
            wait_until("it runs", || marker.exists());
            assert_eq!(children("left-late").len(), 1);
        }
        wait_until("it is gone, and not a zombie", || children("left-late").is_empty());
        drop(ours);
    }

    #[tokio::test]
    async fn a_child_that_was_given_up_before_its_turn_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let isolation = shells(&dir, "left-early");
        let (ours, childs) = channel::pair().unwrap();
        let start = |name: &str| {
            let name = dir.path().join(name).display().to_string();
            isolation.start(name, childs.try_clone().unwrap(), nowhere())
        };
        for _ in 0..20 {
            assert!(start("given-up").now_or_never().is_none());
        }
        // All before it had their turn.
        let mut wanted = start("wanted").await.unwrap();
        // The kernel lets the parent go on a moment before it gives the child its program's name.
        wait_until("it has its name", || children("left-early").contains(&wanted.id()));
        assert_eq!(children("left-early"), [wanted.id()]);
        wanted.kill().unwrap();
        wanted.wait().unwrap();
        drop(ours);
    }

    #[tokio::test]
    async fn any_number_may_be_started_at_once() {
        let isolation = Isolation::new("/bin/sh".into(), vec!["-c".into(), ":".into()]).unwrap();
        let starts = (0..STARTS_LIMIT + 50).map(|_| isolation.start("many".into(), nowhere(), nowhere()));
        for started in join_all(starts).await {
            assert!(started.unwrap().wait().unwrap().success());
        }
    }
}
