//! The pods of this node. A watch brings them ([`manager`]); each has a worker ([`worker`]) that makes its context,
//! starts its containers as a pure function says ([`plan`]), and reports ([`status`]).
//!
//! Invariant: one pod, one worker: nobody else starts or stops its containers or writes its status.

mod backoff;
mod context;
mod env;
mod live;
mod manager;
mod objects;
mod payload;
mod plan;
mod record;
mod report;
mod restore;
mod service_env;
mod start;
mod status;
mod stop;
mod volumes;
mod worker;

pub use live::{LivePod, LivePods, LogPlace};
pub use manager::run_pods;
