//! The state of a container, and how its runs end.

use coracle_wasi_host::{Exit, ExitReason};
use jiff::Timestamp;

/// The state of a container, as `status.containerStatuses[*].state` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not running: not yet, or not again yet. Reason and message say why.
    Waiting {
        /// `ContainerCreating`, `PodInitializing`, `CrashLoopBackOff`, `ErrImagePull` …
        reason: String,
        /// More about it.
        message: Option<String>,
    },
    /// Running.
    Running {
        /// Since when.
        since: Timestamp,
        /// The run's ID.
        id: String,
    },
    /// Over. If it is to be started again that happens from here.
    Ended(Ended),
}

/// The end of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled` …
    pub reason: String,
    /// The termination message.
    pub message: Option<String>,
    /// When the run began; absent if it could not be started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// The run's ID.
    pub id: Option<String>,
}

impl Ended {
    /// The end of a run that went as `exit` says.
    pub fn of(exit: &Exit, message: Option<String>, started: Timestamp, id: String) -> Ended {
        let reason = match exit.reason {
            ExitReason::OutOfMemory => "OOMKilled",
            _ if exit.code == 0 => "Completed",
            _ => "Error",
        };
        let finished = Some(Timestamp::now());
        Ended { code: exit.code, reason: reason.to_owned(), message, started: Some(started), finished, id: Some(id) }
    }

    /// The end of a run that could not begin (containerd's `StartError`).
    pub fn not_started(message: String, id: String) -> Ended {
        let finished = Some(Timestamp::now());
        Ended {
            code: 128,
            reason: "StartError".to_owned(),
            message: Some(message),
            started: None,
            finished,
            id: Some(id),
        }
    }

    /// The end of a run that nobody saw: the node went down while the container ran.
    pub fn unknown(started: Option<Timestamp>, id: Option<String>) -> Ended {
        Ended {
            code: 137,
            reason: "ContainerStatusUnknown".to_owned(),
            message: Some(
                "The container could not be located when the node was started. It was running before".to_owned(),
            ),
            started,
            finished: Some(Timestamp::now()),
            id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_have_kubernetes_reasons() {
        let reason = |exit: Exit| Ended::of(&exit, None, Timestamp::now(), String::new()).reason;
        assert_eq!(reason(crate::pods::testing::exit(0)), "Completed");
        assert_eq!(reason(crate::pods::testing::exit(2)), "Error");
        assert_eq!(reason(crate::pods::testing::out_of_memory()), "OOMKilled");
        assert_eq!(reason(crate::pods::testing::trap("unreachable")), "Error");
    }
}
