//! A snapshot in transit. On the node that makes it, it is the state itself (a value that does not change,
//! so there is nothing to copy); on the way to another node it is rows, in chunks of whole rows.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::apply::Applier;
use crate::disk::{self, DiskError};
use crate::key::Key;
use crate::state::State;

/// Bytes of objects in one chunk, above which the next chunk is begun.
const CHUNK_BYTES: usize = 1 << 20;

/// All objects at one revision.
#[derive(Clone)]
pub(crate) enum Image {
    /// Made here.
    State(Arc<State>),
    /// Received so far.
    Chunks(Vec<Bytes>),
}

impl Default for Image {
    fn default() -> Self {
        Self::Chunks(Vec::new())
    }
}

/// Objects as they travel.
#[derive(Serialize, Deserialize)]
struct Chunk {
    revision: u64,
    rows: Vec<ImageRow>,
}

/// One object as it travels.
#[derive(Serialize, Deserialize)]
struct ImageRow {
    key: Key,
    revision: u64,
    create_revision: u64,
    #[serde(with = "crate::wire")]
    json: Bytes,
}

impl Image {
    /// The image of `state`.
    pub(crate) fn of(state: Arc<State>) -> Self {
        Self::State(state)
    }

    /// Adds a chunk that came from another node.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the transport between voters; a lone voter sends nothing"))]
    pub(crate) fn receive(&mut self, chunk: Bytes) {
        match self {
            Self::Chunks(chunks) => chunks.push(chunk),
            Self::State(_) => *self = Self::Chunks(vec![chunk]),
        }
    }

    /// The chunks to send to another node: at least one, for the revision.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the transport between voters; a lone voter sends nothing"))]
    pub(crate) fn chunks(&self) -> Result<Vec<Bytes>, DiskError> {
        let state = match self {
            Self::Chunks(chunks) => return Ok(chunks.clone()),
            Self::State(state) => state,
        };
        let mut chunks = Vec::new();
        let mut rows = Vec::new();
        let mut bytes = 0;
        for record in state.records() {
            bytes += record.json.len();
            rows.push(ImageRow {
                key: record.key.clone(),
                revision: record.revision,
                create_revision: record.create_revision,
                json: record.json.clone(),
            });
            if bytes >= CHUNK_BYTES {
                chunks.push(encode(state.revision, std::mem::take(&mut rows))?);
                bytes = 0;
            }
        }
        if !rows.is_empty() || chunks.is_empty() {
            chunks.push(encode(state.revision, rows)?);
        }
        Ok(chunks)
    }

    /// The state that the image shows.
    pub(crate) fn into_state(self, applier: &mut Applier) -> Result<State, DiskError> {
        let chunks = match self {
            Self::State(state) => return Ok(State::clone(&state)),
            Self::Chunks(chunks) => chunks,
        };
        let mut state: Option<State> = None;
        for chunk in chunks {
            let chunk: Chunk = disk::decode("snapshot chunk", &chunk)?;
            let state = state.get_or_insert_with(|| State::at(chunk.revision));
            if state.revision != chunk.revision {
                return Err(DiskError::Format("a snapshot mixes chunks of different revisions".into()));
            }
            for row in chunk.rows {
                state.insert(applier.record(&row.key, row.revision, row.create_revision, row.json));
            }
        }
        state.ok_or_else(|| DiskError::Format("a snapshot came without any chunk".into()))
    }
}

fn encode(revision: u64, rows: Vec<ImageRow>) -> Result<Bytes, DiskError> {
    Ok(disk::encode("snapshot chunk", &Chunk { revision, rows })?.into())
}
