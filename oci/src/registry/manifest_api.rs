//! Manifests: reading, pushing and deleting them (distribution spec, end-3, end-7, end-9).

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::Inner;
use super::error::ApiError;
use super::repositories::{Entry, Repository};
use super::respond;
use super::route::Version;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest};
use crate::media_type;

impl Inner {
    pub(crate) async fn manifest(
        self: &Arc<Self>,
        method: &Method,
        name: &str,
        version: &Version,
    ) -> Result<Response, ApiError> {
        let unknown = || ApiError::ManifestUnknown(version.to_string());
        let found = self.repositories.read(name, |repository| {
            let digest = match version {
                Version::Tag(tag) => repository.tags.get(tag)?,
                Version::Digest(digest) => digest,
            };
            let entry = repository.manifests.get(digest)?;
            Some((digest.clone(), entry.media_type.clone(), entry.size))
        })?;
        let (digest, media_type, size) = found.ok_or_else(unknown)?;
        if method == Method::HEAD {
            return Ok(respond::content(&media_type, &digest, size, None));
        }
        let wanted = digest.clone();
        let bytes = self.blocking(move |inner| Ok(inner.blobs.read(&wanted)?)).await?;
        Ok(respond::content(&media_type, &digest, size, Some(Body::from(bytes))))
    }

    pub(crate) async fn put_manifest(
        self: &Arc<Self>,
        name: String,
        version: Version,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, ApiError> {
        let limit_bytes = self.limits.manifest_bytes;
        let bytes = axum::body::to_bytes(body, limit_bytes as usize)
            .await
            .map_err(|_| ApiError::TooLarge { what: "the manifest", limit_bytes })?;
        let digest = Digest::of(&bytes);
        if let Version::Digest(expected) = &version
            && *expected != digest
        {
            return Err(ApiError::DigestInvalid(format!("expected {expected}, got {digest}")));
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let (entry, manifest) = read(&bytes, content_type)?;
        let mut response = respond::created(format!("/v2/{name}/manifests/{digest}"), &digest);
        if let Some(subject) = &entry.subject {
            let subject = HeaderValue::from_str(subject.as_str()).expect("a digest is a header value");
            response.headers_mut().insert("oci-subject", subject);
        }
        let _shared = self.sweeping.read().await;
        self.blocking(move |inner| {
            inner.repositories.change(&name, |repository| {
                complete(repository, &manifest)?;
                inner.blobs.put(&bytes)?;
                repository.manifests.insert(digest.clone(), entry);
                if let Version::Tag(tag) = version {
                    repository.tags.insert(tag, digest);
                }
                Ok(())
            })
        })
        .await?;
        Ok(response)
    }

    /// Deleting a tag leaves its manifest; deleting a manifest takes its tags along.
    pub(crate) async fn delete_manifest(
        self: &Arc<Self>,
        name: String,
        version: Version,
    ) -> Result<Response, ApiError> {
        self.repositories.read(&name, |_| ())?;
        let _alone = self.sweeping.write().await;
        self.blocking(move |inner| {
            let gone = inner.repositories.change(&name, |repository| match &version {
                Version::Tag(tag) => match repository.tags.remove(tag) {
                    Some(_) => Ok(None),
                    None => Err(ApiError::ManifestUnknown(tag.clone())),
                },
                Version::Digest(digest) => {
                    let known = repository.manifests.remove(digest).is_some();
                    repository.tags.retain(|_, tagged| tagged != digest);
                    match known {
                        true => Ok(Some(digest.clone())),
                        false => Err(ApiError::ManifestUnknown(digest.to_string())),
                    }
                }
            })?;
            gone.map_or(Ok(()), |digest| inner.remove_unheld(&digest))
        })
        .await?;
        Ok(respond::empty(StatusCode::ACCEPTED))
    }
}

/// Reads a pushed manifest. Its `mediaType` and the request's `Content-Type` must not contradict each other:
/// readers would take one document for two things.
fn read(bytes: &Bytes, content_type: Option<&str>) -> Result<(Entry, Manifest), ApiError> {
    let invalid = |message: String| ApiError::ManifestInvalid(message);
    let manifest = Manifest::parse(bytes, content_type).map_err(|error| invalid(error.to_string()))?;
    let (own, default) = match &manifest {
        Manifest::Image(image) => (image.media_type.clone(), media_type::OCI_MANIFEST),
        Manifest::Index(index) => (index.media_type.clone(), media_type::OCI_INDEX),
    };
    let declared = content_type.map(|value| value.split(';').next().unwrap_or(value).trim().to_owned());
    let media_type = match (own, declared) {
        (Some(own), Some(declared)) if own != declared => {
            return Err(invalid(format!("mediaType is {own} but Content-Type is {declared}")));
        }
        (own, declared) => own.or(declared).unwrap_or_else(|| default.to_owned()),
    };
    let size = bytes.len() as u64;
    let entry = match &manifest {
        Manifest::Image(image) => Entry {
            media_type,
            size,
            artifact_type: image.artifact_type.clone().or_else(|| Some(image.config.media_type.clone())),
            subject: image.subject.as_ref().map(|subject| subject.digest.clone()),
            annotations: image.annotations.clone(),
            references: digests(image.layers.iter().chain([&image.config])),
        },
        Manifest::Index(index) => Entry {
            media_type,
            size,
            artifact_type: index.artifact_type.clone(),
            subject: index.subject.as_ref().map(|subject| subject.digest.clone()),
            annotations: index.annotations.clone(),
            references: digests(index.manifests.iter()),
        },
    };
    Ok((entry, manifest))
}

fn digests<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> Vec<Digest> {
    descriptors.map(|descriptor| descriptor.digest.clone()).collect()
}

/// Everything a manifest names must be in the repository first. (Its subject need not: the spec lets a
/// signature arrive before what it signs.)
fn complete(repository: &Repository, manifest: &Manifest) -> Result<(), ApiError> {
    let missing = match manifest {
        Manifest::Image(image) => {
            image.layers.iter().chain([&image.config]).find(|blob| !repository.blobs.contains(&blob.digest))
        }
        Manifest::Index(index) => {
            index.manifests.iter().find(|entry| !repository.manifests.contains_key(&entry.digest))
        }
    };
    match missing {
        Some(missing) => Err(ApiError::ManifestBlobUnknown(missing.digest.clone())),
        None => Ok(()),
    }
}
