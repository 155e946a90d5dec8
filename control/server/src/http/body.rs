//! Request bodies: read within their limit, then JSON or YAML by their content type.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use coracle_api::decode::parse_yaml;
use coracle_api::{ApiError, ApiResult, protobuf};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

/// Bytes of an unwanted body that are read: what a mistaken client may well have sent already.
const DRAIN_BYTES: usize = 256 << 10;
/// How long an unwanted body is waited for.
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// How an object in a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Yaml,
    Protobuf,
}

impl Encoding {
    /// From `Content-Type`; no header means JSON. 415 for what we do not read.
    pub(crate) fn of(headers: &HeaderMap) -> ApiResult<Self> {
        let Some(header) = headers.get(CONTENT_TYPE) else { return Ok(Self::Json) };
        let text = header.to_str().unwrap_or_default();
        let media = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            "" | "application/json" | "*/*" => Ok(Self::Json),
            "application/yaml" => Ok(Self::Yaml),
            protobuf::MEDIA_TYPE => Ok(Self::Protobuf),
            _ => Err(ApiError::unsupported_media_type(&["application/json", "application/yaml", protobuf::MEDIA_TYPE])),
        }
    }
}

/// Reads on for a while what an answer does not depend on. An HTTP/2 server that answers and drops the rest of the
/// body has to reset the stream, and clients (curl 7.88) may then lose the answer.
pub(crate) async fn drain(body: Body) {
    if !body.is_end_stream() {
        let _ = tokio::time::timeout(DRAIN_TIME, Limited::new(body, DRAIN_BYTES).collect()).await;
    }
}

/// The whole body. 413 when it is longer than allowed, whatever its header promised.
pub(crate) async fn read_bytes(body: Body, limit_bytes: usize) -> ApiResult<Bytes> {
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::too_large(limit_bytes)),
        Err(error) => Err(ApiError::bad_request(format!("the body of the request could not be read: {error}"))),
    }
}

/// A small document that is not an object of the catalogue (options, bindings): JSON or YAML, nothing else checked.
/// `None` when the body is empty.
pub(crate) fn read_json(bytes: &[u8], encoding: Encoding) -> ApiResult<Option<Value>> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let value = match encoding {
        Encoding::Json => serde_json::from_slice(bytes).map_err(|e| ApiError::bad_request(e.to_string()))?,
        Encoding::Protobuf => protobuf::decode(bytes)?,
        Encoding::Yaml => parse_yaml(bytes).map_err(|error| ApiError::bad_request(error.to_string()))?.value,
    };
    Ok(Some(value))
}
