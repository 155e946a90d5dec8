//! Watch: events as JSON lines for as long as the client stays.
//!
//! A watcher is a cursor in the store's history that moves when the client reads: nothing is queued for it, and one
//! that falls behind the history gets 410 and is gone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use coracle_api::{ApiError, ApiResult, Resource};
use coracle_store::{Event, Record, Watch, WatchError};
use futures::stream;
use http::Response;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

use super::list_options::ListOptions;
use super::version::{Freshness, given_revision};
use super::view::line;
use super::{Selection, View, scope};
use crate::convert;
use crate::http::{Format, framed, streamed};
use crate::hub::{Call, Hub};
use crate::metrics::Held;

/// Events taken from the store at a time, and bytes that go out in one piece.
const BATCH_EVENTS: usize = 64;
const PIECE_BYTES: usize = 64 * 1024;

/// Longer than a day is as good as for ever, and timers have an end.
const MAX_TIMEOUT_SECONDS: u64 = 86_400;

/// Answers with a stream of events. What goes wrong from here on is an `ERROR` event, as clients expect.
pub(crate) async fn watch(hub: &Arc<Hub>, call: &Call, held: Held) -> ApiResult<Response<Body>> {
    let options = ListOptions::parse(&call.params, true)?;
    let selection = Selection::new(&call.target, &options)?;
    let revision = given_revision(&options.version)?;
    if call.accept.format == Format::Yaml {
        return Err(ApiError::not_acceptable(&["application/json;stream=watch"]));
    }
    let view = View::of_event(&call.target.resource, call.accept, &call.params)?;
    let scope = scope(&call.target);
    let with_initial = options.initial_events == Some(true);
    let late = match with_initial && revision > 0 {
        true => Freshness::NotOlderThan(revision).wait(hub).await.err(),
        false => None,
    };
    let (initial, from) = match (with_initial, revision) {
        (true, _) => {
            let snapshot = hub.store.list(&scope);
            let wanted = |record: &Record| selection.reads_objects() || selection.matches(record);
            let records = snapshot.iter().filter(|r| late.is_none() && wanted(r)).cloned().collect();
            let mut shown = convert::present(hub, &call.target.resource, records).await?;
            shown.retain(|record| selection.matches(record));
            (shown, snapshot.revision)
        }
        (false, 0) => (Vec::new(), hub.store.revision()),
        (false, revision) => (Vec::new(), revision),
    };
    let (source, ended) = match hub.store.watch(selection.watch_scope(scope, &call.target.resource), from) {
        Ok(watch) => (Some(watch), late),
        Err(error) => (None, Some(explained(error))),
    };
    let bookmarks = options.bookmarks.then(|| bookmark_timer(hub.config.limits.bookmark_interval));
    let watcher = Watcher {
        hub: hub.clone(),
        resource: call.target.resource.clone(),
        source,
        selection,
        view,
        initial: initial.into_iter(),
        initial_end: (with_initial && options.bookmarks && ended.is_none()).then_some(from),
        ended,
        headed: true,
        bookmarks,
        deadline: Box::pin(tokio::time::sleep(timeout(hub, options.timeout_seconds))),
        _held: held,
    };
    let events = stream::unfold(watcher, async |mut watcher| {
        let piece = watcher.next().await?;
        Some((Ok::<Bytes, Infallible>(piece), watcher))
    });
    Ok(if call.accept.format == Format::Protobuf { framed(events) } else { streamed(events) })
}

/// How long the watch lasts: what it asks for (less than nothing is over at once), or about as long as all do.
fn timeout(hub: &Hub, asked_seconds: Option<i64>) -> Duration {
    match asked_seconds.filter(|seconds| *seconds != 0) {
        Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(MAX_TIMEOUT_SECONDS)),
        None => hub.config.limits.watch_timeout.mul_f64(rand::random_range(1.0..2.0)),
    }
}

fn bookmark_timer(interval: Duration) -> Interval {
    // Thousands of watches that began together should not all be told at once.
    let first = interval.mul_f64(rand::random_range(0.5..1.0));
    let mut timer = tokio::time::interval_at(Instant::now() + first, interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

/// One watch in progress.
pub(super) struct Watcher {
    pub(super) hub: Arc<Hub>,
    pub(super) resource: Arc<Resource>,
    /// `None` when it could not start or is over.
    source: Option<Watch>,
    /// An error that the client is still to be told.
    ended: Option<ApiError>,
    pub(super) selection: Selection,
    pub(super) view: View,
    /// What exists, still to be sent.
    initial: std::vec::IntoIter<Arc<Record>>,
    /// The bookmark that ends the initial events, still to be sent, and its revision.
    initial_end: Option<u64>,
    /// The next table says what its columns are.
    pub(super) headed: bool,
    bookmarks: Option<Interval>,
    deadline: std::pin::Pin<Box<Sleep>>,
    _held: Held,
}

/// What happened while waiting.
enum Wake {
    Events(Option<Result<Vec<Arc<Event>>, WatchError>>),
    Bookmark,
    Over,
}

impl Watcher {
    /// The next bytes for the client, `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.initial.len() > 0 {
            return Some(self.initial_piece());
        }
        if let Some(revision) = self.initial_end.take() {
            return Some(self.bookmark(revision, true));
        }
        loop {
            if let Some(error) = self.ended.take() {
                self.source = None;
                return Some(line("ERROR", error.to_status().to_string().as_bytes()));
            }
            match self.wake().await? {
                Wake::Over => return self.last_bookmark(),
                Wake::Bookmark => {
                    let revision = self.source.as_ref().map(Watch::progress)?;
                    return Some(self.bookmark(revision, false));
                }
                Wake::Events(None) => return None,
                Wake::Events(Some(Err(error))) => self.ended = Some(explained(error)),
                Wake::Events(Some(Ok(events))) => {
                    if let Some(piece) = self.piece(&events).await {
                        return Some(piece);
                    }
                }
            }
        }
    }

    async fn wake(&mut self) -> Option<Wake> {
        let source = self.source.as_mut()?;
        let tick = async {
            match &mut self.bookmarks {
                Some(timer) => timer.tick().await,
                None => std::future::pending().await,
            }
        };
        Some(tokio::select! {
            biased;
            () = self.hub.closing.cancelled() => Wake::Over,
            // Before the events: there may always be some.
            () = &mut self.deadline => Wake::Over,
            events = source.next_batch(BATCH_EVENTS) => Wake::Events(events),
            _ = tick => Wake::Bookmark,
        })
    }

    /// Objects that exist already, as `ADDED`.
    fn initial_piece(&mut self) -> Bytes {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        while piece.len() < PIECE_BYTES {
            let Some(record) = self.initial.next() else { break };
            match self.view.object(&record, self.headed) {
                Ok(object) => piece.put_slice(&line("ADDED", &object)),
                Err(error) => tracing::error!(key = %record.key, %error, "an object is missing from a watch"),
            }
            self.headed = false;
        }
        piece.freeze()
    }

    /// The lines for these events; nothing when none concerns the client.
    async fn piece(&mut self, events: &[Arc<Event>]) -> Option<Bytes> {
        let mut lines = Vec::with_capacity(events.len());
        for event in events {
            let line = match self.resource.custom {
                Some(_) => self.converted_line(event).await,
                None => self.line(event),
            };
            match line {
                Ok(Some(line)) => {
                    self.headed = false;
                    lines.push(line);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(key = %event.record.key, %error, "an event is missing from a watch"),
            }
        }
        match lines.len() {
            0 => None,
            // The usual case, and the one that fans out: no copy.
            1 => lines.pop(),
            _ => Some(lines.concat().into()),
        }
    }

    /// A watch that ends in order leaves the client as far ahead as it can be.
    fn last_bookmark(&mut self) -> Option<Bytes> {
        let source = self.source.take()?;
        self.bookmarks.as_ref()?;
        Some(self.bookmark(source.progress(), false))
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool) -> Bytes {
        let object = self.view.bookmark(revision, initial_end, self.headed);
        self.headed = false;
        line("BOOKMARK", &object)
    }
}

fn explained(error: WatchError) -> ApiError {
    match error {
        WatchError::Expired(expired) => ApiError::expired(expired.to_string()),
        WatchError::Closed => ApiError::unavailable("the server is shutting down"),
    }
}
