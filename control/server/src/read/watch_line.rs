//! What a change is to one watcher: an object that it begins to see, sees change, or stops seeing.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::ApiResult;
use coracle_store::{Event, EventKind, Record};
use serde_json::json;

use super::view::{line, parse};
use super::watch::Watcher;
use crate::convert;

impl Watcher {
    /// What the event is to this client: an object that begins to match is added, one that stops is deleted.
    pub(super) fn line(&self, event: &Event) -> ApiResult<Option<Bytes>> {
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
    pub(super) async fn converted_line(&self, event: &Event) -> ApiResult<Option<Bytes>> {
        let now = self.selects(&event.record).await?;
        let before = match &event.previous {
            Some(previous) if self.selects(previous).await? => Some(previous),
            _ => None,
        };
        let (kind, record) = match (event.kind, before, now) {
            (EventKind::Modified, None, true) => (EventKind::Added, event.record.clone()),
            (EventKind::Added | EventKind::Modified, _, true) | (EventKind::Deleted, Some(_), true) => {
                (event.kind, event.record.clone())
            }
            (EventKind::Modified | EventKind::Deleted, Some(_), false) => {
                return self.converted_gone(event).await.map(Some);
            }
            _ => return Ok(None),
        };
        let shown = convert::present_one(&self.hub, &self.resource, record.clone()).await?;
        if Arc::ptr_eq(&shown, &record) && kind == event.kind {
            return self.view.event(event, self.headed).map(Some);
        }
        Ok(Some(line(kind.as_str(), &self.view.object(&shown, self.headed)?)))
    }

    async fn selects(&self, record: &Arc<Record>) -> ApiResult<bool> {
        if !self.selection.reads_objects() {
            return Ok(self.selection.matches(record));
        }
        let shown = convert::present_one(&self.hub, &self.resource, record.clone()).await?;
        Ok(self.selection.matches(&shown))
    }

    async fn converted_gone(&self, event: &Event) -> ApiResult<Bytes> {
        let known = event.previous.as_ref().unwrap_or(&event.record).clone();
        // Converted as what it is, an object of its own time, before it is given the time of its end.
        let shown = convert::present_one(&self.hub, &self.resource, known).await?;
        Ok(line("DELETED", &self.view.object(&ended_at(event.revision, &shown)?, self.headed)?))
    }

    /// `DELETED` with the object as the client knew it, at the revision of the change.
    fn gone(&self, event: &Event) -> ApiResult<Bytes> {
        let known = event.previous.as_ref().unwrap_or(&event.record);
        Ok(line("DELETED", &self.view.object(&ended_at(event.revision, known)?, self.headed)?))
    }
}

/// The object at the revision at which a watch saw the last of it.
fn ended_at(revision: u64, known: &Record) -> ApiResult<Record> {
    let mut object = parse(&known.json)?;
    object["metadata"]["resourceVersion"] = json!(revision.to_string());
    Ok(Record { json: object.to_string().into(), revision, ..known.clone() })
}
