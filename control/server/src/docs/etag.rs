//! Documents that change only with the binary: clients that have one already are told so.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::{HeaderMap, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::http::Compressible;

/// A document with a tag made of its content.
pub(super) fn tagged(headers: &HeaderMap, body: Bytes) -> Response<Body> {
    let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02X}")).collect();
    with_tag(headers, body, &format!("\"{hash}\""))
}

/// A document, or 304 when the client has it.
pub(super) fn with_tag(headers: &HeaderMap, body: Bytes, tag: &str) -> Response<Body> {
    let known = headers.get(IF_NONE_MATCH).and_then(|h| h.to_str().ok());
    let unchanged = known.is_some_and(|list| list.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let mut response = if unchanged { Response::new(Body::empty()) } else { Response::new(Body::from(body)) };
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.extensions_mut().insert(Compressible);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_the_document_is_told_so() {
        let first = tagged(&HeaderMap::new(), Bytes::from_static(b"{}"));
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(tagged(&headers, Bytes::from_static(b"{}")).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(tagged(&headers, Bytes::from_static(b"[]")).status(), StatusCode::OK);
    }
}
