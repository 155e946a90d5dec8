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
use coracle_store::{Event, EventKind, Record, Watch, WatchError};
use futures::stream;
use http::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

use super::view::{line, parse};
use super::watch_options::Options;
use super::{Selection, View, scope};
use crate::convert;
use crate::http::streamed;
use crate::hub::{Call, Hub};
use crate::metrics::Held;

/// Events taken from the store at a time, and bytes that go out in one piece.
const BATCH_EVENTS: usize = 64;
const PIECE_BYTES: usize = 64 * 1024;

/// Answers with a stream of events. What goes wrong from here on is an `ERROR` event, as clients expect.
pub(crate) async fn watch(hub: &Arc<Hub>, call: &Call, held: Held) -> ApiResult<Response<Body>> {
    let view = View::new(&call.target.resource, call.accept, &call.params)?;
    let selection = Selection::parse(&call.target, &call.params)?;
    let options = Options::parse(&call.params, hub)?;
    let scope = scope(&call.target);
    let (initial, from) = match options.from {
        Some(revision) => (Vec::new(), revision),
        None => {
            let snapshot = hub.store.list(&scope);
            let records = snapshot.iter().filter(|r| selection.matches(r)).cloned().collect();
            (convert::present(hub, &call.target.resource, records).await?, snapshot.revision)
        }
    };
    let (source, ended) = match hub.store.watch(selection.watch_scope(scope, &call.target.resource), from) {
        Ok(watch) => (Some(watch), None),
        Err(error) => (None, Some(error)),
    };
    let bookmarks = options.bookmarks.then(|| bookmark_timer(hub.config.limits.bookmark_interval));
    let watcher = Watcher {
        hub: hub.clone(),
        resource: call.target.resource.clone(),
        source,
        ended,
        selection,
        view,
        initial: initial.into_iter(),
        initial_end: (options.initial && options.bookmarks).then_some(from),
        headed: true,
        bookmarks,
        deadline: Box::pin(tokio::time::sleep(options.timeout)),
        _held: held,
    };
    let events = stream::unfold(watcher, async |mut watcher| {
        let piece = watcher.next().await?;
        Some((Ok::<Bytes, Infallible>(piece), watcher))
    });
    Ok(streamed(events))
}

fn bookmark_timer(interval: Duration) -> Interval {
    // Thousands of watches that began together should not all be told at once.
    let first = interval.mul_f64(rand::random_range(0.5..1.0));
    let mut timer = tokio::time::interval_at(Instant::now() + first, interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

/// One watch in progress.
struct Watcher {
    hub: Arc<Hub>,
    resource: Arc<Resource>,
    /// `None` when it could not start or is over.
    source: Option<Watch>,
    /// An error that the client is still to be told.
    ended: Option<WatchError>,
    selection: Selection,
    view: View,
    /// What exists, still to be sent.
    initial: std::vec::IntoIter<Arc<Record>>,
    /// The bookmark that ends the initial events, still to be sent, and its revision.
    initial_end: Option<u64>,
    /// The next table says what its columns are.
    headed: bool,
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
                return Some(error_line(error));
            }
            match self.wake().await? {
                Wake::Over => return self.last_bookmark(),
                Wake::Bookmark => {
                    let revision = self.source.as_ref().map(Watch::progress)?;
                    return Some(self.bookmark(revision, false));
                }
                Wake::Events(None) => return None,
                Wake::Events(Some(Err(error))) => self.ended = Some(error),
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
            events = source.next_batch(BATCH_EVENTS) => Wake::Events(events),
            () = &mut self.deadline => Wake::Over,
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

    /// What the event is to this client: an object that begins to match is added, one that stops is deleted.
    fn line(&self, event: &Event) -> ApiResult<Option<Bytes>> {
        if self.selection.is_everything() {
            return self.view.event(event, self.headed).map(Some);
        }
        let now = self.selection.matches(&event.record);
        let before = event.previous.as_ref().is_some_and(|previous| self.selection.matches(previous));
        match (event.kind, before, now) {
            (EventKind::Added, _, true) | (EventKind::Modified, true, true) | (EventKind::Deleted, true, true) => {
                self.view.event(event, self.headed).map(Some)
            }
            (EventKind::Modified, false, true) => {
                Ok(Some(line("ADDED", &self.view.object(&event.record, self.headed)?)))
            }
            (EventKind::Modified | EventKind::Deleted, true, false) => self.gone(event).map(Some),
            // A deletion without a stored predecessor cannot be; with one that did not match, nobody saw it.
            (EventKind::Deleted, false, _) | (EventKind::Added, _, false) | (EventKind::Modified, false, false) => {
                Ok(None)
            }
        }
    }

    /// The same for a custom resource, which may be stored in another version than the client watches.
    async fn converted_line(&self, event: &Event) -> ApiResult<Option<Bytes>> {
        let now = self.selection.matches(&event.record);
        let before = event.previous.as_ref().filter(|previous| self.selection.matches(previous));
        let (kind, record) = match (event.kind, before, now) {
            (EventKind::Modified, None, true) => (EventKind::Added, event.record.clone()),
            (EventKind::Added | EventKind::Modified, _, true) | (EventKind::Deleted, Some(_), true) => {
                (event.kind, event.record.clone())
            }
            (EventKind::Modified | EventKind::Deleted, Some(_), false) => return self.converted_gone(event).await,
            _ => return Ok(None),
        };
        let shown = convert::present_one(&self.hub, &self.resource, record.clone()).await?;
        if Arc::ptr_eq(&shown, &record) && kind == event.kind {
            return self.view.event(event, self.headed).map(Some);
        }
        Ok(Some(line(kind.as_str(), &self.view.object(&shown, self.headed)?)))
    }

    async fn converted_gone(&self, event: &Event) -> ApiResult<Option<Bytes>> {
        let record = Arc::new(self.last_known(event)?);
        let shown = convert::present_one(&self.hub, &self.resource, record).await?;
        Ok(Some(line("DELETED", &self.view.object(&shown, self.headed)?)))
    }

    /// `DELETED` with the object as the client knew it, at the revision of the change.
    fn gone(&self, event: &Event) -> ApiResult<Bytes> {
        Ok(line("DELETED", &self.view.object(&self.last_known(event)?, self.headed)?))
    }

    fn last_known(&self, event: &Event) -> ApiResult<Record> {
        let known = event.previous.as_ref().unwrap_or(&event.record);
        let mut object = parse(&known.json)?;
        object["metadata"]["resourceVersion"] = json!(event.revision.to_string());
        Ok(Record { json: object.to_string().into(), revision: event.revision, ..(**known).clone() })
    }

    /// A watch that ends in order leaves the client as far ahead as it can be.
    fn last_bookmark(&mut self) -> Option<Bytes> {
        let source = self.source.take()?;
        self.bookmarks.as_ref()?;
        Some(self.bookmark(source.progress(), false))
    }

    fn bookmark(&self, revision: u64, initial_end: bool) -> Bytes {
        let (api_version, kind) = self.view.type_of_object();
        let mut metadata = json!({ "resourceVersion": revision.to_string(), "creationTimestamp": Value::Null });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata });
        line("BOOKMARK", object.to_string().as_bytes())
    }
}

fn error_line(error: WatchError) -> Bytes {
    let error = match error {
        WatchError::Expired(expired) => ApiError::expired(expired.to_string()),
        WatchError::Closed => ApiError::unavailable("the server is shutting down"),
    };
    line("ERROR", error.to_status().to_string().as_bytes())
}
