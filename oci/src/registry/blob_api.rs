//! Blobs: reading them, whole or in part, and uploading them (distribution spec, end-2, 4 to 6, 10, 11, 13).

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::TryStreamExt;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::error::ApiError;
use super::respond;
use super::uploads::Upload;
use super::{Inner, Query};
use crate::blobs::BlobWriter;
use crate::digest::{Digest, Hasher};

const OCTETS: &str = "application/octet-stream";
/// Read from disk at a time, per download.
const READ_BYTES: usize = 128 << 10;

impl Inner {
    pub(crate) async fn blob(
        &self,
        method: &Method,
        name: &str,
        digest: Digest,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let known = self.repositories.read(name, |repository| repository.holds(&digest))?;
        let size = self.blobs.size_bytes(&digest).filter(|_| known);
        let size = size.ok_or_else(|| ApiError::BlobUnknown(digest.clone()))?;
        if method == Method::HEAD {
            let mut response = respond::content(OCTETS, &digest, size, None);
            response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            return Ok(response);
        }
        let mut file = tokio::fs::File::open(self.blobs.path(&digest)).await?;
        let Some((start, end)) = byte_range(headers, size)? else {
            return Ok(respond::content(OCTETS, &digest, size, Some(checked(file, digest.clone()))));
        };
        file.seek(SeekFrom::Start(start)).await?;
        let part = ReaderStream::with_capacity(file.take(end - start), READ_BYTES);
        let mut response = respond::content(OCTETS, &digest, end - start, Some(Body::from_stream(part)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {start}-{}/{size}", end - 1);
        let range = HeaderValue::from_str(&range).expect("digits are a header value");
        response.headers_mut().insert(CONTENT_RANGE, range);
        Ok(response)
    }

    /// Takes the blob out of the repository, and off the disk if no other one has it.
    pub(crate) async fn delete_blob(self: &Arc<Self>, name: String, digest: Digest) -> Result<Response, ApiError> {
        self.repositories.read(&name, |_| ())?;
        let _alone = self.sweeping.write().await;
        self.blocking(move |inner| {
            inner.repositories.change(&name, |repository| match repository.blobs.remove(&digest) {
                true => Ok(()),
                false => Err(ApiError::BlobUnknown(digest.clone())),
            })?;
            inner.remove_unheld(&digest)
        })
        .await?;
        Ok(respond::empty(StatusCode::ACCEPTED))
    }

    /// Begins an upload, or makes it unnecessary by mounting, or does all of it in one request.
    pub(crate) async fn start_upload(
        self: &Arc<Self>,
        name: &str,
        query: &Query,
        body: Body,
    ) -> Result<Response, ApiError> {
        if let (Some(mount), Some(from)) = (query.get("mount"), query.get("from")) {
            let digest = Digest::parse(mount)?;
            let held = self.repositories.read(from, |repository| repository.blobs.contains(&digest));
            if held.unwrap_or(false) {
                return self.link(name, digest).await;
            }
        }
        // Checked before a session is opened: nothing is to be kept of a request that can't succeed.
        let digest = query.get("digest").map(|text| Digest::parse(text)).transpose()?;
        let upload = self.uploads.start(name, &self.blobs)?;
        match digest {
            None => Ok(respond::upload(StatusCode::ACCEPTED, upload.location(), &upload.id.to_string(), 0)),
            Some(digest) => self.finish_upload(name, &upload, digest, None, body).await,
        }
    }

    pub(crate) async fn patch_upload(
        &self,
        upload: &Upload,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, ApiError> {
        let mut writer = upload.writer.lock().await;
        let writer = writer.as_mut().ok_or(ApiError::BlobUploadUnknown)?;
        self.chunk(upload, writer, content_range(headers)?, body).await?;
        let size = writer.size_bytes();
        Ok(respond::upload(StatusCode::ACCEPTED, upload.location(), &upload.id.to_string(), size))
    }

    pub(crate) async fn upload_status(&self, upload: &Upload) -> Result<Response, ApiError> {
        let writer = upload.writer.lock().await;
        let size = writer.as_ref().ok_or(ApiError::BlobUploadUnknown)?.size_bytes();
        Ok(respond::upload(StatusCode::NO_CONTENT, upload.location(), &upload.id.to_string(), size))
    }

    /// Appends what the body brings, checks the digest, and gives the blob its place. The session ends
    /// either way: a blob with the wrong digest can't become right.
    pub(crate) async fn finish_upload(
        self: &Arc<Self>,
        name: &str,
        upload: &Upload,
        digest: Digest,
        range: Option<(u64, u64)>,
        body: Body,
    ) -> Result<Response, ApiError> {
        let mut slot = upload.writer.lock().await;
        let writer = slot.as_mut().ok_or(ApiError::BlobUploadUnknown)?;
        match self.chunk(upload, writer, range, body).await {
            Err(error @ ApiError::OutOfOrder { .. }) => return Err(error),
            result => {
                self.uploads.end(upload);
                result?;
            }
        }
        let actual = writer.digest();
        if actual != digest {
            return Err(ApiError::DigestInvalid(format!("expected {digest}, got {actual}")));
        }
        let writer = slot.take().ok_or(ApiError::BlobUploadUnknown)?;
        let _shared = self.sweeping.read().await;
        writer.commit().await?;
        self.link_held(name, digest).await
    }

    async fn chunk(
        &self,
        upload: &Upload,
        writer: &mut BlobWriter,
        range: Option<(u64, u64)>,
        body: Body,
    ) -> Result<(), ApiError> {
        let at = writer.size_bytes();
        if range.is_some_and(|(start, _)| start != at) {
            return Err(ApiError::OutOfOrder { location: upload.location(), at });
        }
        upload.append(writer, body, self.limits.blob_bytes).await?;
        match range {
            Some((_, end)) if end.checked_add(1) != Some(writer.size_bytes()) => {
                Err(ApiError::BlobUploadInvalid("Content-Range and body differ in length".into()))
            }
            _ => Ok(()),
        }
    }

    async fn link(self: &Arc<Self>, name: &str, digest: Digest) -> Result<Response, ApiError> {
        let _shared = self.sweeping.read().await;
        self.link_held(name, digest).await
    }

    /// Records that the repository has the blob; the caller keeps sweepers away.
    async fn link_held(self: &Arc<Self>, name: &str, digest: Digest) -> Result<Response, ApiError> {
        let location = format!("/v2/{name}/blobs/{digest}");
        let (name, linked) = (name.to_owned(), digest.clone());
        self.blocking(move |inner| {
            if !inner.blobs.contains(&linked) {
                return Err(ApiError::BlobUnknown(linked));
            }
            inner.repositories.change(&name, |repository| {
                repository.blobs.insert(linked);
                Ok(())
            })
        })
        .await?;
        Ok(respond::created(location, &digest))
    }
}

/// `Content-Range: 0-9` of a chunk: first and last byte.
pub(crate) fn content_range(headers: &HeaderMap) -> Result<Option<(u64, u64)>, ApiError> {
    let Some(value) = headers.get(CONTENT_RANGE) else { return Ok(None) };
    let parse = || {
        let text = value.to_str().ok()?;
        let text = text.trim_start_matches("bytes").trim_start_matches(['=', ' ']);
        let (start, end) = text.split('/').next()?.split_once('-')?;
        let (start, end) = (start.parse().ok()?, end.parse().ok()?);
        (start <= end).then_some((start, end))
    };
    let invalid = || ApiError::BlobUploadInvalid(format!("malformed Content-Range {value:?}"));
    parse().map(Some).ok_or_else(invalid)
}

/// The part asked for, as start and end (exclusive); `None` for all of it. Malformed and multiple ranges are
/// ignored, as RFC 9110 §14.2 allows.
fn byte_range(headers: &HeaderMap, size: u64) -> Result<Option<(u64, u64)>, ApiError> {
    let Some(text) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let Some((start, end)) = text.strip_prefix("bytes=").and_then(|text| text.split_once('-')) else {
        return Ok(None);
    };
    let range = match (start.trim().parse::<u64>(), end.trim().parse::<u64>()) {
        (Ok(start), Ok(end)) if start <= end => (start, end.saturating_add(1).min(size)),
        (Ok(start), Err(_)) if end.trim().is_empty() => (start, size),
        (Err(_), Ok(last)) if start.trim().is_empty() => (size.saturating_sub(last), size),
        _ => return Ok(None),
    };
    match range.0 < range.1 {
        true => Ok(Some(range)),
        false => Err(ApiError::Range { size }),
    }
}

/// A whole blob, its digest checked on the way out: a damaged one ends the connection before its last piece,
/// so that no client takes it for complete.
fn checked(file: tokio::fs::File, digest: Digest) -> Body {
    let pieces = ReaderStream::with_capacity(file, READ_BYTES);
    let start = (pieces, Some((Hasher::default(), Bytes::new())), digest);
    let stream = futures::stream::try_unfold(start, |(mut pieces, state, digest)| async move {
        let Some((mut hasher, held)) = state else { return Ok(None) };
        match pieces.try_next().await? {
            Some(next) => {
                hasher.update(&next);
                Ok(Some((held, (pieces, Some((hasher, next)), digest))))
            }
            None if hasher.finish() == digest => Ok(Some((held, (pieces, None, digest)))),
            None => {
                tracing::error!(%digest, "blob is damaged on disk: delete it and push it again");
                Err(std::io::Error::from(std::io::ErrorKind::InvalidData))
            }
        }
    });
    Body::from_stream(stream)
}
