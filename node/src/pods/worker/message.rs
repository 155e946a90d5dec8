//! What reaches the worker of a pod.

use std::{sync::Arc, time::Duration};

use coracle_wasi_host::Exit;

use crate::{
    pods::{
        context::{PrepareError, Prepared},
        kept_pod::KeptPod,
        report::Written,
        start::{StartFailure, Started},
    },
    probes::{ProbeReport, ProbeRunner},
};

/// What the node wants of a pod: the mailbox holds only the latest.
#[derive(Debug, Clone)]
pub enum Desired {
    /// To be as this object says.
    Exist(Arc<KeptPod>),
    /// The API server has it no more.
    Gone,
}

/// What happened to the pod.
pub enum Message {
    Prepared(Option<Result<Prepared, PrepareError>>),
    Started(usize, Result<Started, StartFailure>),
    Listening(usize, i32),
    Exited(usize, i32, Exit, Option<String>),
    Probed(usize, i32, Box<ProbeRunner>, ProbeReport),
    /// A container's preStop hook is over; it has so long to end.
    Draining(usize, i32, Duration),
    Stopped,
    /// A resize that waited may be asked for again, or another one took its place.
    Resizable(bool),
    Reported(Written),
    /// The server that was waited for can be reached.
    ServerBack,
    Deleted(Written),
}
