//! A small registry of the OCI distribution spec v1.1, served over whatever the caller binds.
//!
//! It keeps no accounts: who may reach its socket may use it. Deleting is allowed, as the spec lets registries
//! choose. On disk: `blobs/sha256/<hex>`, `repositories/<hex>.json`, `tmp/` for uploads, which end with
//! the process: their clients begin again.

mod blob_api;
mod error;
mod list_api;
mod manifest_api;
mod repositories;
mod respond;
mod route;
mod uploads;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::RwLock as AsyncRwLock;

use self::error::ApiError;
use self::repositories::Repositories;
use self::route::Route;
use self::uploads::Uploads;
use crate::blobs::Blobs;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::limits::Limits;

/// Parameters of a request; of repeated ones the last counts.
pub(crate) type Query = HashMap<String, String>;

/// The built-in registry. Cloning it is cheap and shares the store.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    blobs: Blobs,
    repositories: Repositories,
    uploads: Uploads,
    limits: Limits,
    /// Blobs are linked under the shared side and removed under the exclusive one: a blob can't go between
    /// its arrival and its link.
    sweeping: AsyncRwLock<()>,
}

impl Registry {
    /// Opens the registry in `dir`, creating it if it isn't there. One process at a time may do so.
    pub fn open(dir: &Path, limits: Limits) -> Result<Registry, StoreError> {
        let io = |error| StoreError::io(format!("{} can't be opened as a registry", dir.display()), error);
        let blobs = Blobs::open(dir).map_err(io)?;
        let repositories = Repositories::open(&dir.join("repositories"), blobs.tmp(), &limits).map_err(io)?;
        let uploads = Uploads::new(&limits);
        let sweeping = AsyncRwLock::new(());
        Ok(Registry { inner: Arc::new(Inner { blobs, repositories, uploads, limits, sweeping }) })
    }

    /// The registry's HTTP interface, all of it under `/v2/`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v2", any(serve))
            .route("/v2/", any(serve))
            .route("/v2/{*path}", any(serve))
            .with_state(self.inner.clone())
    }

    /// Removes blobs that no manifest names any more. Returns the bytes freed. A push under way may have to
    /// begin again: its blobs come before the manifest that names them.
    pub async fn prune(&self) -> Result<u64, StoreError> {
        let _alone = self.inner.sweeping.write().await;
        let pruned = self.inner.blocking(|inner| inner.prune()).await;
        pruned.map_err(|error| StoreError::io("can't be pruned", std::io::Error::other(error)))
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("blobs", &self.inner.blobs).finish_non_exhaustive()
    }
}

async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let mut response = match inner.dispatch(request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    let (name, value) = respond::API_VERSION;
    response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    response
}

impl Inner {
    async fn dispatch(self: &Arc<Self>, request: Request) -> Result<Response, ApiError> {
        let (parts, body) = request.into_parts();
        let (method, headers) = (&parts.method, &parts.headers);
        let route = Route::parse(parts.uri.path())?;
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let query: Query = url::form_urlencoded::parse(query).into_owned().collect();
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        match (route, method) {
            (Route::Base, _) if is_read => Ok(respond::json("application/json", &serde_json::json!({}), None)),
            (Route::Catalog, &Method::GET) => self.catalog(&query),
            (Route::Tags { name }, &Method::GET) => self.tags(&name, &query),
            (Route::Referrers { name, digest }, &Method::GET) => self.referrers(&name, &digest, &query),
            (Route::Manifest { name, version }, _) if is_read => self.manifest(method, &name, &version).await,
            (Route::Manifest { name, version }, &Method::PUT) => self.put_manifest(name, version, headers, body).await,
            (Route::Manifest { name, version }, &Method::DELETE) => self.delete_manifest(name, version).await,
            (Route::Blob { name, digest }, _) if is_read => self.blob(method, &name, digest, headers).await,
            (Route::Blob { name, digest }, &Method::DELETE) => self.delete_blob(name, digest).await,
            (Route::Uploads { name }, &Method::POST) => self.start_upload(&name, &query, body).await,
            (Route::Upload { name, id }, method) => {
                let upload = self.uploads.get(&name, &id)?;
                match *method {
                    Method::GET => self.upload_status(&upload).await,
                    Method::PATCH => self.patch_upload(&upload, headers, body).await,
                    Method::PUT => {
                        let digest = query.get("digest").map(String::as_str).unwrap_or_default();
                        let (digest, range) = (Digest::parse(digest)?, blob_api::content_range(headers)?);
                        self.finish_upload(&name, &upload, digest, range, body).await
                    }
                    Method::DELETE => {
                        self.uploads.end(&upload);
                        Ok(respond::empty(StatusCode::NO_CONTENT))
                    }
                    _ => Err(ApiError::Unsupported),
                }
            }
            _ => Err(ApiError::Unsupported),
        }
    }

    /// Runs work on the disk off the async threads.
    async fn blocking<T, F>(self: &Arc<Self>, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T, ApiError> + Send + 'static,
    {
        let inner = self.clone();
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(stopped) => Err(ApiError::Storage(std::io::Error::other(stopped))),
        }
    }

    /// Removes a blob that no repository holds; the caller keeps linkers away.
    fn remove_unheld(&self, digest: &Digest) -> Result<(), ApiError> {
        match self.repositories.any_holds(digest) {
            true => Ok(()),
            false => Ok(self.blobs.remove(digest)?),
        }
    }

    fn prune(&self) -> Result<u64, ApiError> {
        for name in self.repositories.names() {
            self.repositories.change(&name, |repository| {
                let named: std::collections::HashSet<&Digest> =
                    repository.manifests.values().flat_map(|entry| &entry.references).collect();
                repository.blobs.retain(|blob| named.contains(blob));
                Ok(())
            })?;
        }
        let mut freed_bytes = 0;
        for (digest, size) in self.blobs.list()? {
            if !self.repositories.any_holds(&digest) {
                self.blobs.remove(&digest)?;
                freed_bytes += size;
            }
        }
        Ok(freed_bytes)
    }
}

#[cfg(test)]
mod tests;
