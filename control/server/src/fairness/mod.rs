//! API Priority and Fairness (KEP-1040, `flowcontrol.apiserver.k8s.io`): who waits for whom when there are more requests
//! than the server does at a time.
//!
//! FlowSchemas say which priority level a request is of; PriorityLevelConfigurations, how many seats a level has, and what
//! becomes of its requests when all are taken. Levels don't take seats from each other that they need, and within a level
//! flows (users, mostly) are served in turn.
//!
//! Invariant: nobody has a seat without giving it back: it goes with the request's future, however that ends.

mod config;
mod dangling;
mod deal;
mod dump;
mod lending;
mod limits;
mod meter;
mod queues;
mod room;
mod rule;
mod seat;
mod shares;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod width;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use coracle_store::{Scope, Store};
use http::HeaderMap;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use crate::authz::Attributes;
use crate::config::Limits;
use crate::identity::User;
use config::{Config, LEVELS, Lists, Route, SCHEMAS};
use meter::Metrics;
use seat::tell;
use state::{State, Wakes};

pub(crate) use dangling::start;
pub(crate) use dump::PATH as DUMP_PATH;
pub(crate) use room::{Asked, Kind, Room, room, time, turned_away};
pub(crate) use seat::{Refusal, Seat};
pub(crate) use shares::{Share, Shares};
pub(crate) use width::seats;

/// A request waits for a seat for this part of the time that it has (`requestWaitLimit`).
const PATIENCE: u32 = 4;

/// What a request was found to be: of which schema and level, and of which flow.
#[derive(Clone)]
pub(crate) struct Flow {
    route: Arc<Route>,
    number: u64,
}

impl Flow {
    /// Says in an answer how its request was classified.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        self.route.mark(headers);
    }
}

/// See the module's documentation.
pub(crate) struct Fairness {
    store: Store,
    schemas: Scope,
    levels: Scope,
    /// The time that a request has, if it does not ask for less.
    timeout: Duration,
    latest: ArcSwapOption<Config>,
    /// Held while the next configuration is compiled.
    compiling: Mutex<()>,
    state: Arc<Mutex<State>>,
    metrics: Metrics,
}

impl Fairness {
    /// For a server with these limits; `None` when it is not to have it.
    pub(crate) fn new(store: &Store, limits: &Limits, registry: &mut Registry) -> Option<Self> {
        let total = limits.read_only_in_flight.saturating_add(limits.mutating_in_flight);
        limits.priority_and_fairness.then(|| Self {
            store: store.clone(),
            schemas: Scope::all(SCHEMAS),
            levels: Scope::all(LEVELS),
            timeout: limits.request_timeout,
            latest: ArcSwapOption::empty(),
            compiling: Mutex::default(),
            state: Arc::new(Mutex::new(State::new(u32::try_from(total).unwrap_or(u32::MAX)))),
            metrics: Metrics::registered(registry),
        })
    }

    /// Finds out what a request is.
    pub(crate) fn classify(&self, user: &User, attributes: &Attributes<'_>) -> Option<Flow> {
        let config = self.config();
        let route = config.route(user, attributes)?;
        let number = if route.exempt { 0 } else { route.flow(user, attributes) };
        Some(Flow { route: route.clone(), number })
    }

    /// Takes seats for a request, and waits for them if it must. `width` is asked only when somebody counts.
    pub(crate) async fn seat(
        &self,
        flow: &Flow,
        width: impl FnOnce() -> u32,
        timeout: Option<Duration>,
    ) -> Result<Seat, Refusal> {
        let width = if flow.route.exempt { 1 } else { width() };
        let patience = timeout.map_or(self.timeout, |asked| asked.min(self.timeout)) / PATIENCE;
        Seat::take(&self.state, &flow.route, (flow.number, width), patience).await
    }

    /// Has the levels follow the stored objects, without a request.
    pub(crate) fn follow(&self) {
        drop(self.config());
    }

    /// The configuration of this moment.
    fn config(&self) -> Arc<Config> {
        let read = || Lists::read(&self.store, (&self.schemas, &self.levels));
        let same = |lists: &Lists| {
            let known = self.latest.load();
            known.as_ref().filter(|known| lists.are_unchanged_since(&known.lists)).cloned()
        };
        if let Some(known) = same(&read()) {
            return known;
        }
        let _one = self.compiling.lock();
        // Somebody else may have done it meanwhile, and from newer objects.
        let lists = read();
        if let Some(known) = same(&lists) {
            return known;
        }
        let config = Arc::new(Config::compile(lists, &self.metrics));
        let mut wakes = Wakes::new();
        {
            let mut state = self.state.lock();
            state.configure(&config.levels, Instant::now(), &mut wakes);
            for level in state.levels.values() {
                self.metrics.nominal(&level.spec.name, Some(level.limits.nominal));
            }
        }
        tell(wakes);
        if let Some(before) = self.latest.swap(Some(config.clone())) {
            before.forget_in(&config, &self.metrics);
        }
        config
    }
}
