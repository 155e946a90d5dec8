//! What watchers are told: one change of one object.

use std::sync::Arc;

use bytes::Bytes;

use crate::record::Record;

/// What happened to the object, as watch responses spell it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EventKind {
    /// The object did not exist before.
    Added,
    /// The object existed and has a new version.
    Modified,
    /// The object is gone.
    Deleted,
}

impl EventKind {
    /// The `type` of a watch event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }

    /// The line of a watch response up to where the object begins.
    pub(crate) fn head(self) -> &'static [u8] {
        match self {
            Self::Added => b"{\"type\":\"ADDED\",\"object\":",
            Self::Modified => b"{\"type\":\"MODIFIED\",\"object\":",
            Self::Deleted => b"{\"type\":\"DELETED\",\"object\":",
        }
    }
}

/// One change of one object. Shared by everybody who watches it.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after it; for a deletion its final state, with the revision of the deletion.
    pub record: Arc<Record>,
    /// The object before it, `None` for [`EventKind::Added`]. A watcher whose selector matched this and no
    /// longer matches `record` has to be told of a deletion.
    pub previous: Option<Arc<Record>>,
    /// The revision of the transaction; all events of one transaction share it.
    pub revision: u64,
    pub(crate) line: Bytes,
}

impl Event {
    /// The event as one line of a watch response, `{"type":"ADDED","object":{…}}` and a newline. Made once,
    /// when the event happened; the record's JSON is a part of it.
    pub fn wire(&self) -> Bytes {
        self.line.clone()
    }

    /// What the event costs the ring, in bytes: the line, the previous version it may be the last to hold,
    /// and about as much as the structures around them take.
    pub(crate) fn cost_bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 512;
        self.line.len() + self.previous.as_ref().map_or(0, |previous| previous.json.len()) + OVERHEAD_BYTES
    }
}
