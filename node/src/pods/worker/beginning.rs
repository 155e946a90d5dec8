//! The worker's part about its beginning: a new pod, or one with a past.

use std::{sync::Arc, time::Duration};

use coracle_api::pod::is_terminal;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Resizing, Stage, Worker, reporting, subject};
use crate::{
    pods::{
        allocation::found_whole, backoff::Backoff, kept_pod::PodAtHand, live::LivePod, packed::Resting,
        past_logs::count_runs, plan::Outcome, restore::restore,
    },
    shared::Shared,
    static_pods::is_static,
};

impl Worker {
    /// The worker of a pod. What its status tells of an earlier life of the node is taken up.
    ///
    /// It is boxed: a future keeps room for every place a value is moved through, and there are ten thousand workers.
    /// One that is from the checkpoint has perhaps a status that the server never heard of.
    pub fn new(shared: Arc<Shared>, pod: PodAtHand, live: Arc<LivePod>, is_kept: bool) -> Box<Worker> {
        let mut records = restore(&pod);
        if is_static(&pod) {
            count_runs(&live.dir, &mut records);
        }
        let status = pod.status.clone().unwrap_or_default();
        let over = is_terminal(&pod);
        let started = status.start_time.as_ref().map_or_else(Timestamp::now, |time| time.0);
        for record in &records {
            if record.next_run() > 0 || record.last.is_some() {
                live.set_past_run(&record.name, record.next_run() - 1);
            }
            if over || record.is_over() {
                live.set_over(&record.name);
            }
        }
        let outcome =
            over.then(|| if status.phase.as_deref() == Some("Failed") { Outcome::Failed } else { Outcome::Succeeded });
        Box::new(Worker {
            deadline: deadline(&pod, started),
            subject: subject(&pod, None),
            stage: if over { Stage::Over } else { Stage::Preparing(None) },
            runs: records.iter().map(|_| None).collect(),
            records,
            prepared: None,
            preparing: false,
            setup: Backoff::of_setup(),
            outcome,
            evicted: None,
            whole: found_whole(&pod),
            restarting_all: false,
            resizing: Resizing::default(),
            started,
            seen: Some(Instant::now()),
            end_by: Instant::now(),
            cancel: CancellationToken::new(),
            reported: Resting::of(status),
            write: reporting::Write::new(&shared.link, is_kept),
            tasks: FuturesUnordered::new(),
            shared,
            pod,
            live,
        })
    }
}

/// When the pod's time is over (`activeDeadlineSeconds` counts from `status.startTime`).
pub(super) fn deadline(pod: &Pod, started: Timestamp) -> Option<Instant> {
    let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
    let seconds = Duration::from_secs(u64::try_from(seconds).ok()?);
    let elapsed = Duration::try_from(Timestamp::now().duration_since(started)).unwrap_or(Duration::ZERO);
    Instant::now().checked_add(seconds.saturating_sub(elapsed))
}
