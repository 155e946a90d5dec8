//! Requests that wait for seats: for how long, and what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use super::super::config::Route;
use super::super::deal;
use super::super::meter::Metrics;
use super::super::seat::{Refusal, Seat};
use super::super::spec::{LevelSpec, SchemaSpec};
use super::super::state::{State, Wakes};
use super::level;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    state: Arc<Mutex<State>>,
    route: Arc<Route>,
    registry: Registry,
}

impl Server {
    /// With one level that has so many seats.
    fn new(seats: u32, level: &Value) -> Self {
        let mut registry = Registry::default();
        let metrics = Metrics::registered(&mut registry);
        let spec = LevelSpec::read(level).unwrap();
        let mut state = State::new(seats);
        state.configure(std::slice::from_ref(&spec), std::time::Instant::now(), &mut Wakes::new());
        let schema = json!({ "metadata": { "name": "s" }, "spec": { "distinguisherMethod": { "type": "ByUser" } } });
        let route = Arc::new(Route::new(SchemaSpec::read(&schema), &spec, &metrics));
        Self { state: Arc::new(Mutex::new(state)), route, registry }
    }

    async fn take(&self, flow: u64, patience: Duration) -> Result<Seat, Refusal> {
        let flow = deal::flow("s", &flow.to_string());
        Seat::take(&self.state, &self.route, (flow, 1), patience).await
    }

    fn waiting(&self) -> usize {
        self.state.lock().waiting
    }

    async fn until_waiting(&self, count: usize) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.waiting() != count {
            assert!(tokio::time::Instant::now() < deadline, "{} wait", self.waiting());
            tokio::task::yield_now().await;
        }
    }

    #[track_caller]
    fn counts(&self, line: &str) {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry).unwrap();
        assert!(page.lines().any(|own| own == format!("apiserver_flowcontrol_{line}")), "{line}\n{page}");
    }
}

const FLOW: &str = r#"priority_level="a",flow_schema="s""#;

#[tokio::test]
async fn whoever_waits_too_long_is_turned_away() {
    let server = Server::new(1, &level("a", 1, 0));
    let seat = server.take(0, PATIENCE).await.ok().unwrap();
    assert_eq!(server.take(0, Duration::from_millis(5)).await.err(), Some(Refusal::TimeOut));
    assert_eq!(server.waiting(), 0);
    drop(seat);
    assert!(server.take(0, Duration::ZERO).await.is_ok(), "a seat that is free is not waited for");
    server.counts(&format!("rejected_requests_total{{{FLOW},reason=\"time-out\"}} 1"));
    server.counts(&format!("dispatched_requests_total{{{FLOW}}} 2"));
    server.counts(&format!("current_executing_requests{{{FLOW}}} 0"));
    server.counts(&format!("request_wait_duration_seconds_count{{{FLOW},execute=\"false\"}} 1"));
}

#[tokio::test]
async fn queues_have_an_end() {
    let server = Arc::new(Server::new(1, &level("a", 1, 0)));
    let seat = server.take(0, PATIENCE).await.ok().unwrap();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.take(0, PATIENCE).await.map(drop) })
        })
        .collect();
    server.until_waiting(10).await;
    server.counts(&format!("current_inqueue_requests{{{FLOW}}} 10"));
    assert_eq!(server.take(0, PATIENCE).await.err(), Some(Refusal::QueueFull));
    drop(seat);
    for one in waiting {
        assert_eq!(one.await.unwrap(), Ok(()));
    }
    server.counts(&format!("current_inqueue_requests{{{FLOW}}} 0"));
    server.counts(&format!("rejected_requests_total{{{FLOW},reason=\"queue-full\"}} 1"));
}

#[tokio::test]
async fn levels_without_queues_refuse_at_once() {
    let mut rejects = level("a", 1, 0);
    rejects["spec"]["limited"]["limitResponse"] = json!({ "type": "Reject" });
    let server = Server::new(1, &rejects);
    let _seat = server.take(0, PATIENCE).await.ok().unwrap();
    assert_eq!(server.take(0, PATIENCE).await.err(), Some(Refusal::ConcurrencyLimit));
}

#[tokio::test]
async fn who_leaves_is_not_waited_for() {
    let server = Arc::new(Server::new(1, &level("a", 1, 0)));
    let seat = server.take(0, PATIENCE).await.ok().unwrap();
    let take = || {
        let server = server.clone();
        tokio::spawn(async move { server.take(0, PATIENCE).await.map(drop) })
    };
    let leaves = take();
    server.until_waiting(1).await;
    let stays = take();
    server.until_waiting(2).await;
    leaves.abort();
    server.until_waiting(1).await;
    drop(seat);
    assert_eq!(stays.await.unwrap(), Ok(()));
    server.counts(&format!("rejected_requests_total{{{FLOW},reason=\"cancelled\"}} 1"));
}

/// One whose turn comes in the moment in which it leaves passes its seats on.
#[tokio::test]
async fn a_turn_that_nobody_takes_is_the_next_ones() {
    let server = Server::new(1, &level("a", 1, 0));
    let seat = server.take(0, PATIENCE).await.ok().unwrap();
    {
        let mut waits = Box::pin(server.take(0, PATIENCE));
        assert!(futures::poll!(&mut waits).is_pending());
        drop(seat);
        assert_eq!(server.waiting(), 0, "it is its turn");
    }
    assert!(server.take(0, Duration::ZERO).await.is_ok());
    server.counts(&format!("current_executing_requests{{{FLOW}}} 0"));
}

/// An elephant with a thousand requests, and a mouse.
#[tokio::test]
async fn a_mouse_is_served_while_an_elephant_waits() {
    let mut deep = level("a", 1, 0);
    deep["spec"]["limited"]["limitResponse"]["queuing"] =
        json!({ "queues": 64, "handSize": 6, "queueLengthLimit": 1000 });
    let server = Arc::new(Server::new(4, &deep));
    let seats = futures::future::join_all((0..4).map(|_| server.take(1, PATIENCE))).await;
    let order: Arc<Mutex<Vec<u64>>> = Arc::default();
    let come = |flow: u64| {
        let (server, order) = (server.clone(), order.clone());
        tokio::spawn(async move {
            let seat = server.take(flow, PATIENCE).await;
            order.lock().push(flow);
            tokio::task::yield_now().await;
            drop(seat);
        })
    };
    let elephant: Vec<_> = (0..1000).map(|_| come(1)).collect();
    server.until_waiting(1000).await;
    let mouse = come(2);
    server.until_waiting(1001).await;
    drop(seats);
    mouse.await.unwrap();
    futures::future::join_all(elephant).await;
    let place = order.lock().iter().position(|flow| *flow == 2).unwrap();
    assert!(place < 20, "after {place} of the elephant's");
}
