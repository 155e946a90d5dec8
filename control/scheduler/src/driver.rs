//! The loop: takes in changes, decides, and lets bindings and notes be written elsewhere.

use crate::binder;
use crate::config::{SchedulerConfig, SchedulerError};
use crate::framework::Profile;
use crate::informer::{Change, changes};
use crate::notes::Notes;
use crate::pod_info::PodInfo;
use crate::queue::Attempt;
use crate::state::{Decision, State};
use coracle_client::{is_code, message};
use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Changes that may wait to be taken in; the watches wait when it is full.
const CHANGES: usize = 4096;
/// Changes taken in before the next decisions.
const CHANGES_PER_TURN: usize = 512;
/// Decisions made before the next changes are taken in: a decision on stale usage is a decision to be undone.
const DECISIONS_PER_TURN: usize = 64;
/// How often pods that wait in vain are looked at.
const FLUSH_PERIOD: Duration = Duration::from_secs(30);
/// What gated pods are told.
const GATED: &str = "Scheduling is blocked due to non-empty scheduling gates";

type Bound = (Attempt, String, Timestamp, kube::Result<()>);

/// See the module's documentation.
pub struct Driver {
    client: Client,
    state: State,
    notes: Notes,
    max_binds: usize,
    binds: JoinSet<Bound>,
}

impl Driver {
    /// Runs until `shutdown` is cancelled.
    ///
    /// # Errors
    /// [`SchedulerError`].
    pub async fn run(
        client: Client,
        config: SchedulerConfig,
        shutdown: CancellationToken,
    ) -> Result<(), SchedulerError> {
        let (sender, receiver) = mpsc::channel(CHANGES);
        let (notes, write_notes) = Notes::new(client.clone(), config.name.clone());
        let mut driver = Driver {
            state: State::new(&config, Profile::default()),
            notes,
            max_binds: config.max_concurrent_binds,
            binds: JoinSet::new(),
            client: client.clone(),
        };
        // Both run beside the loop, and end with it.
        let mut helpers = JoinSet::new();
        helpers.spawn(write_notes);
        helpers.spawn(async move {
            let mut changes = std::pin::pin!(changes(&client));
            while let Some(change) = changes.next().await {
                if sender.send(change).await.is_err() {
                    return;
                }
            }
        });
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            result = driver.turns(receiver) => result,
        }
    }

    async fn turns(&mut self, mut changes: mpsc::Receiver<Change>) -> Result<(), SchedulerError> {
        let mut batch = Vec::with_capacity(CHANGES_PER_TURN);
        let mut flush = tokio::time::interval(FLUSH_PERIOD);
        loop {
            let can_decide = self.can_decide();
            let wake = self.state.queue.next_wake().unwrap_or_else(|| Instant::now() + FLUSH_PERIOD);
            tokio::select! {
                biased;
                taken = changes.recv_many(&mut batch, CHANGES_PER_TURN) => {
                    if taken == 0 {
                        return Err(SchedulerError::WatchEnded("pods and nodes"));
                    }
                    self.take_in(&mut batch);
                }
                Some(bound) = self.binds.join_next() => self.binding_done(bound),
                _ = flush.tick() => self.state.queue.flush_stale(Instant::now()),
                () = tokio::time::sleep_until(wake) => {}
                () = std::future::ready(()), if can_decide => {}
            }
            while let Some(bound) = self.binds.try_join_next() {
                self.binding_done(bound);
            }
            self.decide_some();
            // The loop may never have to wait; others on this thread must get their turn all the same.
            tokio::task::yield_now().await;
        }
    }

    fn can_decide(&self) -> bool {
        self.state.is_synced() && self.state.queue.has_active() && self.binds.len() < self.max_binds
    }

    fn take_in(&mut self, batch: &mut Vec<Change>) {
        let now = Instant::now();
        for change in batch.drain(..) {
            if let Some(pod) = self.state.apply(change, now) {
                self.notes.unscheduled(pod, "SchedulingGated", GATED.to_owned());
            }
        }
    }

    fn decide_some(&mut self) {
        if !self.state.is_synced() {
            return;
        }
        for _ in 0..DECISIONS_PER_TURN {
            if self.binds.len() >= self.max_binds {
                return;
            }
            match self.state.schedule_one(Instant::now()) {
                None => return,
                Some(Decision::Bind(attempt, node)) => self.start_binding(attempt, node),
                Some(Decision::NoFit(pod, error)) => self.tell_unschedulable(pod, error.to_string()),
            }
        }
    }

    fn start_binding(&mut self, attempt: Attempt, node: String) {
        let client = self.client.clone();
        let decided = Timestamp::now();
        self.binds.spawn(async move {
            let result = binder::bind(client, &attempt.pod, &node).await;
            (attempt, node, decided, result)
        });
    }

    fn binding_done(&mut self, bound: Result<Bound, tokio::task::JoinError>) {
        let (attempt, node, at, result) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                tracing::error!(%error, "a binding task failed");
                return;
            }
        };
        let pod = attempt.pod.clone();
        match result {
            Ok(()) => {
                self.state.bound(&attempt);
                let message = format!("Successfully assigned {}/{} to {node}", pod.namespace, pod.name);
                self.notes.scheduled(&pod, message, at);
            }
            Err(error) => {
                let gone = is_code(&error, 404);
                tracing::warn!(%error, namespace = pod.namespace, pod = pod.name, node, "binding failed");
                self.state.bind_failed(attempt, gone, Instant::now());
                if !gone {
                    self.notes.failed(&pod, format!("binding rejected: {}", message(&error)));
                }
            }
        }
    }

    fn tell_unschedulable(&self, pod: Arc<PodInfo>, message: String) {
        let told = pod.condition.as_ref().is_some_and(|(reason, old)| reason == "Unschedulable" && *old == message);
        if !told {
            self.notes.unscheduled(pod.clone(), "Unschedulable", message.clone());
        }
        self.notes.failed(&pod, message);
    }
}
