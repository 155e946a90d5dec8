//! The pods of this node. A watch brings them ([`manager`]); each has a worker ([`worker`]) that makes its context,
//! starts its containers as a pure function says ([`plan`]), and reports ([`status`]).
//!
//! Invariant: one pod, one worker: nobody else starts or stops its containers or writes its status.

mod allocation;
mod backoff;
mod context;
mod env;
mod full_name;
mod kept_pod;
mod live;
mod manager;
mod packed;
mod past_logs;
mod plan;
mod record;
mod report;
mod resources;
mod restart;
mod restore;
mod roster;
mod runtime;
mod service_env;
mod start;
mod status;
mod stop;
mod worker;

pub use kept_pod::{KeptPod, PodAtHand};
pub use live::{EndRequest, LivePod, LivePods};
pub use manager::{Sources, run_pods};
pub use resources::limit_of;
pub use roster::{Asked, COUNTED, Growth, Holder, Roster, asked, in_units};
pub use runtime::Runtimes;
pub use stop::grace_period;
pub use worker::subject;

#[cfg(test)]
mod testing {
    //! Ends of containers, as the sandbox tells them.

    use coracle_wasi_host::{Exit, ExitReason};

    /// It finished by itself.
    pub fn exit(code: i32) -> Exit {
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        Exit { code, reason, message: None }
    }

    /// It trapped.
    pub fn trap(message: &str) -> Exit {
        Exit { code: 134, reason: ExitReason::Trap, message: Some(message.to_owned()) }
    }

    /// It reached its memory limit.
    pub fn out_of_memory() -> Exit {
        Exit { code: 137, reason: ExitReason::OutOfMemory, message: None }
    }
}
