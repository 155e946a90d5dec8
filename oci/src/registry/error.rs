//! Errors in the distribution spec's form: `{"errors":[{"code","message","detail"}]}`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::digest::{Digest, DigestError};

/// Why the registry refuses a request. The variants are the spec's codes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("blob unknown to registry")]
    BlobUnknown(Digest),
    #[error("blob upload invalid: {0}")]
    BlobUploadInvalid(String),
    #[error("blob upload unknown to registry")]
    BlobUploadUnknown,
    /// A chunk that doesn't begin where the last one ended.
    #[error("blob upload out of order: it has {at} bytes so far")]
    OutOfOrder { location: String, at: u64 },
    #[error("provided digest did not match uploaded content: {0}")]
    DigestInvalid(String),
    #[error("blob unknown to registry: push it before the manifest that names it")]
    ManifestBlobUnknown(Digest),
    #[error("manifest invalid: {0}")]
    ManifestInvalid(String),
    #[error("manifest unknown")]
    ManifestUnknown(String),
    #[error("invalid repository name")]
    NameInvalid(String),
    #[error("repository name not known to registry")]
    NameUnknown(String),
    #[error("{what} is larger than {limit_bytes} bytes")]
    TooLarge { what: &'static str, limit_bytes: u64 },
    #[error("invalid number of results requested")]
    PaginationNumberInvalid,
    #[error("the operation is unsupported")]
    Unsupported,
    #[error("{0}")]
    TooMany(String),
    #[error("requested range not satisfiable: the blob has {size} bytes")]
    Range { size: u64 },
    #[error("registry storage: {0}")]
    Storage(#[from] std::io::Error),
}

impl From<DigestError> for ApiError {
    fn from(error: DigestError) -> ApiError {
        ApiError::DigestInvalid(error.to_string())
    }
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        use ApiError as E;
        match self {
            E::BlobUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            E::BlobUploadInvalid(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            E::BlobUploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            E::OutOfOrder { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            E::DigestInvalid(_) => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            // Docker's registry answers 400 here, and its clients expect it.
            E::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            E::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            E::ManifestUnknown(_) => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            E::NameInvalid(_) => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            E::NameUnknown(_) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            E::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            E::PaginationNumberInvalid => (StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID"),
            E::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            E::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            E::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "UNSUPPORTED"),
            E::Storage(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                (StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN")
            }
            E::Storage(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    fn detail(&self) -> serde_json::Value {
        match self {
            ApiError::BlobUnknown(digest) | ApiError::ManifestBlobUnknown(digest) => {
                json!({ "digest": digest })
            }
            ApiError::ManifestUnknown(reference) => json!({ "reference": reference }),
            ApiError::NameInvalid(name) | ApiError::NameUnknown(name) => json!({ "name": name }),
            _ => serde_json::Value::Null,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let ApiError::Storage(error) = &self {
            tracing::error!(%error, "registry storage");
        }
        let (status, code) = self.status_and_code();
        let error = json!({ "code": code, "message": self.to_string(), "detail": self.detail() });
        let body = json!({ "errors": [error] }).to_string();
        let mut response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
        response = match &self {
            ApiError::OutOfOrder { location, at } => {
                response.header("location", location).header("range", super::respond::progress(*at))
            }
            ApiError::Range { size } => response.header("content-range", format!("bytes */{size}")),
            _ => response,
        };
        response.body(Body::from(body)).expect("header values are digits and URL paths")
    }
}
