//! The worker's part about ends: stopping containers, cleaning up, deleting the pod.

use std::{io, path::Path, sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};
use tokio::time::{Instant, timeout};

use super::{Ending, Message, SHUTDOWN_GRACE, SHUTDOWN_WAIT, Stage, Worker};
use crate::{
    pods::{
        plan::Outcome,
        record::{Record, Role, State},
        report::{Written, delete},
        stop::{Stopping, grace_period, pre_stop},
    },
    volumes,
};

/// The least a sidecar has after the containers took all of the grace period (kubelet's minimum).
const SIDECAR_GRACE: Duration = Duration::from_secs(2);

impl Worker {
    /// The pod is to end. A stronger reason takes the place of a weaker one, and a shorter grace that of a longer.
    pub(super) fn end(&mut self, why: Ending) {
        let grace = match why {
            Ending::Removed if self.pod.metadata.deletion_timestamp.is_none() => Duration::from_secs(1),
            _ => grace_period(&self.pod),
        };
        let end_by = Instant::now() + grace;
        match self.stage {
            Stage::Done => return,
            Stage::Deleting | Stage::Over if why != Ending::Removed => return,
            Stage::Ending(before) => {
                let stronger = |why| match why {
                    Ending::Finished => 0,
                    Ending::Evicted => 1,
                    Ending::Deleted => 2,
                    Ending::Removed => 3,
                };
                if stronger(why) > stronger(before) {
                    self.stage = Stage::Ending(why);
                }
                if end_by + Duration::from_secs(1) < self.end_by {
                    self.end_by = end_by;
                    self.runs.iter_mut().flatten().for_each(|run| run.stopping = false);
                }
                return;
            }
            _ => {}
        }
        self.cancel.cancel();
        self.live.set_all_over();
        self.end_resizing();
        self.restarting_all = false;
        self.end_by = end_by;
        self.stage = Stage::Ending(why);
    }

    /// Stops what still runs: first the containers, all together, then the sidecars, the last one first. When nothing
    /// is left the next stage begins.
    pub(super) fn advance_ending(&mut self, why: Ending) {
        let stopping = self.stop_next();
        let idle = !stopping && !self.preparing && !self.records.iter().any(|record| record.starting);
        if idle {
            self.close(why);
        }
    }

    /// Stops those whose turn it is when all are to stop. Whether something still runs.
    pub(super) fn stop_next(&mut self) -> bool {
        let due = self.next_to_stop();
        for index in &due {
            let message = format!("Stopping container {}", self.records[*index].name);
            self.stop_container(*index, &message, None);
        }
        !due.is_empty()
    }

    /// The containers together, then the sidecars, the last one first.
    fn next_to_stop(&self) -> Vec<usize> {
        let running = |sidecars: bool| {
            let is_one = move |index: &usize| (self.records[*index].role == Role::Sidecar) == sidecars;
            (0..self.records.len()).filter(|index| self.runs[*index].is_some()).filter(is_one)
        };
        let mains: Vec<usize> = running(false).collect();
        if mains.is_empty() { running(true).last().into_iter().collect() } else { mains }
    }

    /// Nothing runs any more.
    fn close(&mut self, why: Ending) {
        self.prepared = None;
        match why {
            Ending::Removed => {
                self.shared.addresses.release(&self.live.uid);
                self.clean_up(volumes::remove);
                self.stage = Stage::Done;
            }
            Ending::Finished | Ending::Evicted => {
                // A pod that is over needs no address; its status keeps saying which one it had.
                self.shared.addresses.release(&self.live.uid);
                self.clean_up(volumes::remove_volumes);
                self.stage = Stage::Over;
            }
            Ending::Deleted => {
                // A deleted pod gets a final phase too (since 1.27), so that its owner counts it once.
                let clean = |record: &Record| matches!(&record.state, State::Ended(ended) if ended.code == 0);
                let apps = self.records.iter().filter(|record| record.role == Role::App);
                let succeeded = apps.into_iter().all(clean);
                self.outcome = self.outcome.or(Some(if succeeded { Outcome::Succeeded } else { Outcome::Failed }));
                self.shared.addresses.release(&self.live.uid);
                self.stage = Stage::Deleting;
            }
        }
    }

    /// Stops one container, with the probe's own grace period if it has one.
    pub(super) fn stop_container(&mut self, index: usize, message: &str, grace: Option<Duration>) {
        let subject = self.container_subject(index);
        let address = self.prepared.as_ref().map_or(self.shared.address, |prepared| prepared.address);
        let (Some(container), ending) = (self.spec_of(index).cloned(), matches!(self.stage, Stage::Ending(_))) else {
            return;
        };
        let left = if ending { self.end_by.saturating_duration_since(Instant::now()) } else { grace_period(&self.pod) };
        let least = if self.records[index].role == Role::Sidecar {
            SIDECAR_GRACE.min(grace_period(&self.pod))
        } else {
            Duration::ZERO
        };
        let Some(run) = self.runs[index].as_mut().filter(|run| !run.stopping) else { return };
        run.stopping = true;
        let number = run.number;
        self.shared.events.normal(&subject, "Killing", message);
        let grace = grace.unwrap_or(left.max(least));
        let what =
            Stopping { container, handle: run.handle.clone(), address, grace, subject, hook: !self.restarting_all };
        let hook = pre_stop(Arc::clone(&self.shared), what);
        let drains =
            move |left: Option<Duration>| left.map_or(Message::Stopped, |left| Message::Draining(index, number, left));
        self.tasks.push(hook.map(drains).boxed());
    }

    /// The last step of a deletion, once the final status is written.
    pub(super) fn delete(&mut self) {
        let deleting = delete(Arc::clone(&self.shared), Arc::clone(&self.live));
        self.tasks.push(deleting.map(Message::Deleted).boxed());
    }

    pub(super) fn take_deleted(&mut self, written: Written) {
        match written {
            // The watch brings the end; if a finalizer holds the pod it comes later.
            Written::Done => {}
            Written::Gone => {
                self.shared.addresses.release(&self.live.uid);
                self.clean_up(volumes::remove);
                self.stage = Stage::Done;
            }
            Written::Failed(error) => {
                tracing::warn!(
                    pod = self.live.name,
                    namespace = self.live.namespace,
                    error,
                    "the pod could not be deleted; trying again"
                );
                let pause = self.setup.next(Instant::now());
                let (shared, live) = (Arc::clone(&self.shared), Arc::clone(&self.live));
                let again = async move {
                    tokio::time::sleep(pause).await;
                    shared.link.up().await;
                    Message::Deleted(delete(shared, live).await)
                };
                self.tasks.push(again.boxed());
            }
        }
    }

    /// Removes what the pod had on this node, or a part of that.
    fn clean_up(&mut self, remove: fn(&Path) -> io::Result<()>) {
        let live = Arc::clone(&self.live);
        // A pod may leave much behind; nobody waits for its removal.
        tokio::task::spawn_blocking(move || {
            let _turn = live.removing.lock();
            if let Err(error) = remove(&live.dir) {
                tracing::warn!(dir = %live.dir.display(), %error, "what a pod had on the disk could not be removed");
            }
        });
    }

    /// The node stops: containers get a moment, the API server hears nothing, and the next life of the node goes on
    /// from what it knows.
    pub(super) async fn shut_down(mut self) {
        self.cancel.cancel();
        self.live.set_all_over();
        let stops = self.runs.iter_mut().flatten().map(|run| {
            let (handle, sink) = (run.handle.clone(), Arc::clone(&run.sink));
            async move {
                handle.stop(SHUTDOWN_GRACE).await;
                sink.close();
            }
        });
        let _ = timeout(SHUTDOWN_WAIT, join_all(stops)).await;
    }

    /// Whether something of the pod runs or is about to.
    pub(super) fn is_occupied(&self) -> bool {
        self.runs.iter().any(Option::is_some) || self.records.iter().any(|record| record.starting)
    }

    /// Whether a container has been seen to run (for reports about pods that never got that far).
    pub(super) fn has_run(&self) -> bool {
        self.records.iter().any(|record| record.last.is_some() || !matches!(record.state, State::Waiting { .. }))
    }
}
