//! The process of a child, as its parent watches it.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{Child, ExitStatus},
    sync::Arc,
};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::{io::unix::AsyncFd, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{channel::watched, control_group::ControlGroup};
use crate::{Exit, ExitReason};

/// A child that runs. It is killed when this is dropped, and not waited for.
pub(super) struct Process {
    child: Child,
    over: AsyncFd<OwnedFd>,
    group: Option<Arc<ControlGroup>>,
}

impl Process {
    /// Watches a child that has just been started, in a group of its own if there is one.
    pub(super) fn watch(mut child: Child, group: Option<Arc<ControlGroup>>) -> io::Result<Process> {
        if let Some(error) = group.as_ref().and_then(|group| group.add(child.id()).err()) {
            tracing::warn!(%error, "the process of an isolated pod can't be put into its control group");
        }
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a process without a number"));
        let over = pid.and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?)).and_then(watched);
        match over {
            Ok(over) => Ok(Process { child, over, group }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Waits for the end of the process, which comes at once when `kill` is told, and tells it as that of its containers.
    pub(super) async fn supervise(mut self, kill: CancellationToken, end: watch::Sender<Option<Exit>>) {
        tokio::select! {
            _ = self.over.readable() => {}
            () = kill.cancelled() => {
                let _ = self.child.kill();
                let _ = self.over.readable().await;
            }
        }
        let status = self.child.wait();
        kill.cancel();
        let starved = self.group.as_ref().is_some_and(|group| group.ran_out_of_memory());
        end.send_replace(Some(if starved { out_of_memory() } else { exit(status) }));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has been waited for is not killed again.
        let _ = self.child.kill();
    }
}

fn out_of_memory() -> Exit {
    let message = Some("the process of the pod's sandbox exceeded the memory limit of its control group".to_owned());
    Exit { code: Exit::CODE_KILLED, reason: ExitReason::OutOfMemory, message }
}

/// What the end of the process is for each of its containers.
fn exit(status: io::Result<ExitStatus>) -> Exit {
    let (code, how) = match status {
        Ok(status) => {
            let code = status.signal().map_or(Exit::CODE_HOST_PANIC, |signal| 128 + signal);
            (code, status.to_string())
        }
        Err(error) => (Exit::CODE_HOST_PANIC, error.to_string()),
    };
    Exit::sandbox_lost(code, format!("the process of the pod's sandbox has ended ({how})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_the_code_and_everything_else_a_fault() {
        assert_eq!(exit(Ok(ExitStatus::from_raw(9))).code, 137);
        assert_eq!(exit(Ok(ExitStatus::from_raw(31))).code, 159);
        assert_eq!(exit(Ok(ExitStatus::from_raw(0))).code, 139);
        assert_eq!(exit(Err(io::Error::other("x"))).code, 139);
    }
}
