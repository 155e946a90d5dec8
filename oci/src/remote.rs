//! Reading from one repository of one registry: bounded, authorized, every byte counted.
//!
//! Pushes are oci-client's. Reads are ours because oci-client gathers a manifest in memory however long it is, and a
//! registry must not be able to take the node's memory; nor does it show a registry a certificate of our own.

mod authorize;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use reqwest::Response;

use crate::auth::Auth;
use crate::blobs::BlobWriter;
use crate::digest::Digest;
use crate::error::{PullError, chain};
use crate::limits::Limits;
use crate::manifest::Descriptor;
use crate::media_type;
use crate::progress::Meter;
use crate::reference::Reference;
use crate::registries::{Endpoint, Registries};

/// How much of an error's body is read: enough for the registry's message.
const ERROR_BODY_BYTES: u64 = 16 << 10;
const DIGEST_HEADER: &str = "docker-content-digest";

/// A repository at one endpoint, with what authorizes us there.
pub(crate) struct Remote {
    endpoint: Endpoint,
    registries: Arc<Registries>,
    http: reqwest::Client,
    reference: Reference,
    /// The image's name, for errors.
    name: String,
    auth: Auth,
    /// The `Authorization` header that the registry has asked for.
    authorization: Mutex<Option<HeaderValue>>,
}

/// A manifest as it came.
pub(crate) struct RawManifest {
    pub(crate) bytes: Bytes,
    pub(crate) digest: Digest,
    pub(crate) content_type: Option<String>,
}

impl Remote {
    pub(crate) fn new(
        endpoint: Endpoint,
        registries: &Arc<Registries>,
        reference: &Reference,
        auth: &Auth,
    ) -> Result<Remote, PullError> {
        let name = reference.to_string();
        let http = registries.http(&endpoint).map_err(|error| PullError::Unreachable {
            reference: name.clone(),
            host: endpoint.host.clone(),
            detail: chain(&error),
        })?;
        let authorization = Mutex::new(None);
        let (registries, reference, auth) = (Arc::clone(registries), reference.clone(), auth.clone());
        Ok(Remote { endpoint, registries, http, reference, name, auth, authorization })
    }

    /// The digest that a tag stands for now, if the registry says so without sending the manifest.
    pub(crate) async fn head_manifest(&self, version: &str) -> Result<Option<Digest>, PullError> {
        let response = self.manifest_request(Method::HEAD, version).await?;
        Ok(header_text(&response, DIGEST_HEADER).and_then(|text| Digest::parse(&text).ok()))
    }

    /// Fetches a manifest; with a digest asked for or announced, it is checked.
    pub(crate) async fn manifest(&self, version: &str, limits: &Limits) -> Result<RawManifest, PullError> {
        let response = self.manifest_request(Method::GET, version).await?;
        let content_type = header_text(&response, CONTENT_TYPE.as_str());
        let announced = header_text(&response, DIGEST_HEADER);
        let bytes = self.read_bounded(response, "manifest", limits.manifest_bytes).await?;
        let digest = Digest::of(&bytes);
        let asked = Digest::parse(version).ok();
        let announced = announced.and_then(|text| Digest::parse(&text).ok());
        for expected in [asked, announced].into_iter().flatten() {
            self.check_digest(&expected, &digest)?;
        }
        Ok(RawManifest { bytes, digest, content_type })
    }

    /// Fetches a small blob into memory.
    pub(crate) async fn small_blob(&self, blob: &Descriptor, what: &str, limit_bytes: u64) -> Result<Bytes, PullError> {
        self.check_limit(what, blob.size, limit_bytes)?;
        let response = self.blob_request(blob).await?;
        let bytes = self.read_bounded(response, what, limit_bytes).await?;
        self.check_size(blob, bytes.len() as u64)?;
        self.check_digest(&blob.digest, &Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// Streams a blob into `writer`, which the caller commits: when this returns, digest and size are right.
    pub(crate) async fn download(
        &self,
        blob: &Descriptor,
        writer: &mut BlobWriter,
        meter: &Meter,
    ) -> Result<(), PullError> {
        let mut response = self.blob_request(blob).await?;
        if let Some(announced) = content_length(&response) {
            self.check_size(blob, announced)?;
        }
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if writer.size_bytes() + chunk.len() as u64 > blob.size {
                self.check_size(blob, writer.size_bytes() + chunk.len() as u64)?;
            }
            writer.write(&chunk).await.map_err(|error| PullError::io(&self.name, error))?;
            meter.advance(chunk.len() as u64);
        }
        self.check_size(blob, writer.size_bytes())?;
        self.check_digest(&blob.digest, &writer.digest())
    }

    async fn manifest_request(&self, method: Method, version: &str) -> Result<Response, PullError> {
        let path = format!("manifests/{version}");
        self.request(method, &path, Some(media_type::ACCEPT_MANIFESTS))
            .await
            .map_err(|error| error.unwrap_or_else(|| PullError::NotFound { reference: self.name.clone() }))
    }

    async fn blob_request(&self, blob: &Descriptor) -> Result<Response, PullError> {
        let path = format!("blobs/{}", blob.digest);
        self.request(Method::GET, &path, None).await.map_err(|error| {
            error.unwrap_or_else(|| PullError::BlobNotFound {
                reference: self.name.clone(),
                digest: blob.digest.to_string(),
            })
        })
    }

    /// Sends a request, getting a token once if the registry asks. `Err(None)` is 404.
    async fn request(&self, method: Method, path: &str, accept: Option<&str>) -> Result<Response, Option<PullError>> {
        let response = self.send(&method, path, accept).await?;
        // Some registries hide a private repository behind 404 or 403 instead of asking who we are.
        let challenged = match response.status() {
            StatusCode::UNAUTHORIZED => true,
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => self.auth != Auth::Anonymous,
            _ => false,
        };
        if !challenged || self.authorization.lock().is_some() {
            return self.check_status(&method, response).await;
        }
        let header = self.authorize(response.headers()).await?;
        *self.authorization.lock() = Some(header);
        let response = self.send(&method, path, accept).await?;
        self.check_status(&method, response).await
    }

    async fn send(&self, method: &Method, path: &str, accept: Option<&str>) -> Result<Response, PullError> {
        let Endpoint { mirror_of, headers, .. } = &self.endpoint;
        // A mirror of several registries is told which one is meant.
        let namespace = mirror_of.as_ref().map(|registry| format!("?ns={registry}")).unwrap_or_default();
        let url = self.url(&format!("{}/{path}{namespace}", self.reference.repository()));
        let mut request = self.http.request(method.clone(), url).headers(headers.clone());
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = self.authorization.lock().clone() {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.send().await.map_err(|error| self.unreachable(&error))
    }

    async fn check_status(&self, method: &Method, response: Response) -> Result<Response, Option<PullError>> {
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let request = format!("{method} request to {}", response.url());
        let body = self.read_bounded(response, "error", ERROR_BODY_BYTES).await.unwrap_or_default();
        let said = registry_message(&body);
        Err(match status {
            StatusCode::NOT_FOUND => None,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let said = said.unwrap_or_else(|| format!("{request}: {status}"));
                Some(self.unauthorized(said))
            }
            _ => Some(PullError::Status {
                reference: self.name.clone(),
                request,
                status: status.to_string(),
                detail: said.map(|said| format!(" - Server message: {said}")).unwrap_or_default(),
            }),
        })
    }

    /// The address of something below the API's root.
    fn url(&self, path: &str) -> String {
        let Endpoint { host, path: prefix, .. } = &self.endpoint;
        format!("{}://{host}{prefix}/{path}", self.endpoint.scheme())
    }

    async fn read_bounded(&self, mut response: Response, what: &str, limit_bytes: u64) -> Result<Bytes, PullError> {
        if let Some(announced) = content_length(&response) {
            self.check_limit(what, announced, limit_bytes)?;
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            self.check_limit(what, (body.len() + chunk.len()) as u64, limit_bytes)?;
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }

    fn check_limit(&self, what: &str, size: u64, limit: u64) -> Result<(), PullError> {
        match size > limit {
            false => Ok(()),
            true => {
                Err(PullError::TooLarge { reference: self.name.clone(), what: format!("{what} (bytes)"), size, limit })
            }
        }
    }

    fn check_size(&self, blob: &Descriptor, actual: u64) -> Result<(), PullError> {
        match actual == blob.size {
            true => Ok(()),
            false => Err(PullError::SizeMismatch {
                reference: self.name.clone(),
                digest: blob.digest.to_string(),
                expected: blob.size,
                actual,
            }),
        }
    }

    fn check_digest(&self, expected: &Digest, actual: &Digest) -> Result<(), PullError> {
        match expected == actual {
            true => Ok(()),
            false => Err(PullError::DigestMismatch {
                reference: self.name.clone(),
                expected: expected.to_string(),
                actual: actual.to_string(),
            }),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> PullError {
        PullError::Unreachable { reference: self.name.clone(), host: self.endpoint.host.clone(), detail: chain(error) }
    }

    fn unauthorized(&self, detail: String) -> PullError {
        PullError::Unauthorized { reference: self.name.clone(), host: self.endpoint.host.clone(), detail }
    }
}

/// What the registry announces, also in answer to HEAD. (reqwest's own accessor speaks of the body's stream.)
fn content_length(response: &Response) -> Option<u64> {
    header_text(response, CONTENT_LENGTH.as_str())?.parse().ok()
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// The messages in an error body of the distribution spec.
fn registry_message(body: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    let errors = document["errors"].as_array()?.iter().filter_map(|error| {
        let code = error["code"].as_str()?.to_lowercase();
        Some(format!("{code}: {}", error["message"].as_str().unwrap_or_default()))
    });
    let text = errors.collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then_some(text)
}
