//! Instances that are kept for requests to come: those that have answered one and may answer more, and those made ahead.
//!
//! Invariant: an instance never leaves its container's server, so what it remembers reaches this container's clients only.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use wasmtime::Store;
use wasmtime_wasi_http::{p2::bindings::Proxy, p3::bindings::Service};

use super::{Handler, Handles};
use crate::{
    cpu::Metered,
    limits,
    sandbox::{self, Sandbox},
};

/// How the instances of an HTTP component are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InstanceReuse {
    /// Requests that one instance answers, one after the other. With 1 each request has an instance of its own, and no
    /// request can learn anything of another.
    pub max_reuse_count: u32,
    /// How long an instance waits for its next request before it is dropped.
    pub idle_timeout: Duration,
    /// Instances made before a request asks for them; at most [`limits::HTTP_WARM_INSTANCES`], and half of those that
    /// the memory limit has room for.
    pub warm: usize,
}

impl Default for InstanceReuse {
    fn default() -> InstanceReuse {
        InstanceReuse { max_reuse_count: 1, idle_timeout: Duration::from_secs(1), warm: 0 }
    }
}

/// What answers.
pub(super) enum Answerer {
    /// `wasi:http/incoming-handler@0.2`.
    P2(Proxy),
    /// `wasi:http/handler@0.3`.
    P3(Service),
}

/// An instance in its store.
pub(super) struct Instance {
    pub(super) store: Store<Sandbox>,
    pub(super) answerer: Answerer,
    answered: u32,
    idle_since: Instant,
}

/// The instances that wait.
pub(super) struct Kept {
    reuse: InstanceReuse,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// The one used last is at the end.
    idle: VecDeque<Instance>,
    /// Whether somebody is making instances ahead.
    refilled: bool,
    /// Whether somebody drops those that have waited too long.
    swept: bool,
}

impl Kept {
    pub(super) fn new(reuse: InstanceReuse) -> Kept {
        Kept { reuse, waiting: Mutex::default() }
    }

    fn take(&self) -> Option<Instance> {
        self.waiting.lock().idle.pop_back()
    }

    /// Puts an instance back. True: it is for the caller to see that they are swept.
    fn put(&self, instance: Instance) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.idle.push_back(instance);
        !std::mem::replace(&mut waiting.swept, true)
    }

    /// Takes out those that have waited too long, and says when the next one will have. None: none will, and nobody sweeps.
    fn sweep(&self, now: Instant) -> (Vec<Instance>, Option<Instant>) {
        let mut waiting = self.waiting.lock();
        let mut old = Vec::new();
        while waiting.idle.len() > self.reuse.warm {
            let until = waiting.idle.front().map(|oldest| oldest.idle_since + self.reuse.idle_timeout);
            if until.is_some_and(|until| until > now) {
                return (old, until);
            }
            old.extend(waiting.idle.pop_front());
        }
        waiting.swept = false;
        (old, None)
    }

    /// Whether the caller is to make instances ahead.
    fn begin_refill(&self) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.idle.len() < self.reuse.warm && !std::mem::replace(&mut waiting.refilled, true)
    }

    /// Takes an instance made ahead. Whether there should be more.
    fn add(&self, instance: Instance) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.idle.push_front(instance);
        waiting.refilled = waiting.idle.len() < self.reuse.warm;
        waiting.refilled
    }

    fn end_refill(&self) {
        self.waiting.lock().refilled = false;
    }

    /// Gives all up.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut self.waiting.lock().idle);
        drop(idle);
    }
}

impl Handler {
    /// An instance that waits, or a new one.
    pub(super) async fn instance(self: &Arc<Self>) -> wasmtime::Result<Instance> {
        let waiting = self.kept.take();
        self.refill();
        match waiting {
            Some(instance) => Ok(instance),
            None => self.make().await,
        }
    }

    async fn make(&self) -> wasmtime::Result<Instance> {
        self.surroundings.pod.engine.metrics().instances.inc();
        let mut store = sandbox::component_store(self.handles.engine(), &self.surroundings);
        let answerer = match &self.handles {
            Handles::P2(pre) => Answerer::P2(pre.instantiate_async(&mut store).await?),
            Handles::P3(pre) => Answerer::P3(pre.instantiate_async(&mut store).await?),
        };
        Ok(Instance { store, answerer, answered: 0, idle_since: Instant::now() })
    }

    /// Keeps an instance that has come to the end of a request in order, if it may answer another.
    pub(super) fn keep(self: &Arc<Self>, mut instance: Instance) {
        let kept = &self.kept;
        instance.answered = instance.answered.saturating_add(1);
        if instance.answered >= kept.reuse.max_reuse_count || self.drain.is_cancelled() {
            return;
        }
        instance.idle_since = Instant::now();
        if kept.put(instance) {
            let handler = Arc::clone(self);
            self.spawn(async move { handler.sweep().await });
        }
    }

    /// Drops instances that nobody needs. Ends when none is left that could be dropped, or when the server drains.
    async fn sweep(&self) {
        let mut next = Instant::now();
        while self.drain.run_until_cancelled(sleep_until(next)).await.is_some() {
            let (_old, oldest) = self.kept.sweep(Instant::now());
            match oldest {
                Some(until) => next = until,
                None => return,
            }
        }
    }

    /// Makes instances ahead, if there are fewer than are wanted.
    pub(super) fn refill(self: &Arc<Self>) {
        if !self.kept.begin_refill() {
            return;
        }
        let handler = Arc::clone(self);
        let making = async move {
            while !handler.drain.is_cancelled() {
                match handler.make().await {
                    Ok(instance) => {
                        if !handler.kept.add(instance) {
                            return;
                        }
                    }
                    Err(error) => {
                        // The next request meets the same, and tells it to those who can do something about it.
                        tracing::debug!("cannot make an instance ahead: {error:#}");
                        break;
                    }
                }
            }
            handler.kept.end_refill();
        };
        let turns = self.surroundings.pod.engine.turns(self.surroundings.spec.program.kind());
        self.spawn(Metered::new(Box::pin(making), self.surroundings.cpu.clone(), turns));
    }
}

/// How many of the instances that there may be are made ahead.
pub(super) fn warm(reuse: InstanceReuse, concurrency: usize) -> usize {
    reuse.warm.min(limits::HTTP_WARM_INSTANCES).min(concurrency / 2)
}
