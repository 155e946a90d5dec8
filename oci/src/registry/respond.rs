//! The few forms an answer of the registry takes.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LINK, LOCATION, RANGE};

use crate::digest::Digest;

/// A header every registry sends and old clients look for.
pub(crate) const API_VERSION: (&str, &str) = ("docker-distribution-api-version", "registry/2.0");
pub(crate) const CONTENT_DIGEST: &str = "docker-content-digest";
const UPLOAD_ID: &str = "docker-upload-uuid";
const VALID: &str = "header values are digests, digits and validated names";

/// `0-9` for ten bytes; an empty upload is `0-0`, as in Docker's registry.
pub(crate) fn progress(size_bytes: u64) -> String {
    format!("0-{}", size_bytes.saturating_sub(1))
}

pub(crate) fn json(content_type: &str, body: &serde_json::Value, link: Option<String>) -> Response {
    let mut response = Response::builder().header(CONTENT_TYPE, content_type);
    if let Some(link) = link {
        response = response.header(LINK, link);
    }
    response.body(Body::from(body.to_string())).expect(VALID)
}

/// 201 for a blob or manifest that now has this place.
pub(crate) fn created(location: String, digest: &Digest) -> Response {
    Response::builder()
        .status(StatusCode::CREATED)
        .header(LOCATION, location)
        .header(CONTENT_DIGEST, digest.as_str())
        .header(CONTENT_LENGTH, 0)
        .body(Body::empty())
        .expect(VALID)
}

/// 202 or 204 for an upload that is so far.
pub(crate) fn upload(status: StatusCode, location: String, id: &str, size_bytes: u64) -> Response {
    Response::builder()
        .status(status)
        .header(LOCATION, location)
        .header(RANGE, progress(size_bytes))
        .header(UPLOAD_ID, id)
        .body(Body::empty())
        .expect(VALID)
}

/// Nothing but a status.
pub(crate) fn empty(status: StatusCode) -> Response {
    Response::builder().status(status).body(Body::empty()).expect(VALID)
}

/// Content under its digest; for HEAD the same without it.
pub(crate) fn content(media_type: &str, digest: &Digest, size: u64, body: Option<Body>) -> Response {
    Response::builder()
        .header(CONTENT_TYPE, media_type)
        .header(CONTENT_LENGTH, size)
        .header(CONTENT_DIGEST, digest.as_str())
        .header("etag", format!("\"{digest}\""))
        .body(body.unwrap_or_else(Body::empty))
        .expect(VALID)
}
