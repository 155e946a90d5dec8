//! Upload sessions: blobs on their way in, by chunks, each with an id that only its client knows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

use super::error::ApiError;
use crate::blobs::{BlobWriter, Blobs};
use crate::limits::Limits;

/// A body that brings nothing for so long is given up; what came is kept for the client to resume.
const BODY_IDLE: Duration = Duration::from_secs(60);

/// One session.
pub(crate) struct Upload {
    pub(crate) id: Uuid,
    name: String,
    /// Taken out by the request that finishes the upload. Requests of one session take turns.
    pub(crate) writer: AsyncMutex<Option<BlobWriter>>,
    touched: Mutex<Instant>,
}

impl Upload {
    fn touch(&self) {
        *self.touched.lock() = Instant::now();
    }

    pub(crate) fn location(&self) -> String {
        format!("/v2/{}/blobs/uploads/{}", self.name, self.id)
    }

    /// Appends a request's body.
    pub(crate) async fn append(&self, writer: &mut BlobWriter, body: Body, limit_bytes: u64) -> Result<(), ApiError> {
        let mut stream = body.into_data_stream();
        loop {
            let next = tokio::time::timeout(BODY_IDLE, stream.next()).await;
            self.touch();
            let Some(chunk) = next.map_err(|_| invalid("the client sent nothing for too long"))? else {
                return Ok(());
            };
            let chunk = chunk.map_err(|error| invalid(&error.to_string()))?;
            if writer.size_bytes() + chunk.len() as u64 > limit_bytes {
                return Err(ApiError::TooLarge { what: "the blob", limit_bytes });
            }
            writer.write(&chunk).await?;
        }
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::BlobUploadInvalid(message.to_owned())
}

/// The sessions that are open.
pub(crate) struct Uploads {
    limits: Limits,
    open: Mutex<HashMap<Uuid, Arc<Upload>>>,
}

impl Uploads {
    pub(crate) fn new(limits: &Limits) -> Uploads {
        Uploads { limits: limits.clone(), open: Mutex::default() }
    }

    /// Begins a session. Those that were left idle make room.
    pub(crate) fn start(&self, name: &str, blobs: &Blobs) -> Result<Arc<Upload>, ApiError> {
        let mut open = self.open.lock();
        open.retain(|_, upload| upload.touched.lock().elapsed() < self.limits.upload_idle);
        if open.len() >= self.limits.uploads {
            let limit = self.limits.uploads;
            return Err(ApiError::TooMany(format!("{limit} uploads are under way: try again later")));
        }
        let upload = Arc::new(Upload {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            writer: AsyncMutex::new(Some(blobs.writer()?)),
            touched: Mutex::new(Instant::now()),
        });
        open.insert(upload.id, upload.clone());
        Ok(upload)
    }

    pub(crate) fn get(&self, name: &str, id: &Uuid) -> Result<Arc<Upload>, ApiError> {
        let upload = self.open.lock().get(id).filter(|upload| upload.name == name).cloned();
        let upload = upload.ok_or(ApiError::BlobUploadUnknown)?;
        upload.touch();
        Ok(upload)
    }

    pub(crate) fn end(&self, upload: &Upload) {
        self.open.lock().remove(&upload.id);
    }
}
