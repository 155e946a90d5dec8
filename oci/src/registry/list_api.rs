//! Lists: tags, repositories, referrers (distribution spec, end-8, end-12; the catalog is Docker's).

use axum::response::Response;
use http::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::error::ApiError;
use super::{Inner, Query, respond};
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::media_type;

const JSON: &str = "application/json";

impl Inner {
    pub(crate) fn tags(&self, name: &str, query: &Query) -> Result<Response, ApiError> {
        let tags = self.repositories.read(name, |repository| {
            // A repository of blobs alone has no tags yet, but it is known.
            repository.tags.keys().cloned().collect::<Vec<_>>()
        })?;
        let (tags, link) = page(tags, query, &format!("/v2/{name}/tags/list"))?;
        Ok(respond::json(JSON, &json!({ "name": name, "tags": tags }), link))
    }

    pub(crate) fn catalog(&self, query: &Query) -> Result<Response, ApiError> {
        let (names, link) = page(self.repositories.names(), query, "/v2/_catalog")?;
        Ok(respond::json(JSON, &json!({ "repositories": names }), link))
    }

    /// Manifests whose subject is this digest; an unknown digest has none.
    pub(crate) fn referrers(&self, name: &str, digest: &Digest, query: &Query) -> Result<Response, ApiError> {
        let wanted = query.get("artifactType");
        let found = self.repositories.read(name, |repository| {
            let referring = repository.manifests.iter().filter(|(_, entry)| {
                entry.subject.as_ref() == Some(digest) && (wanted.is_none() || entry.artifact_type.as_ref() == wanted)
            });
            let descriptors = referring.map(|(digest, entry)| Descriptor {
                artifact_type: entry.artifact_type.clone(),
                annotations: entry.annotations.clone(),
                ..Descriptor::new(&entry.media_type, digest.clone(), entry.size)
            });
            descriptors.collect::<Vec<_>>()
        });
        let manifests = found.unwrap_or_default();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests });
        let mut response = respond::json(media_type::OCI_INDEX, &index, None);
        if wanted.is_some() {
            let filter = HeaderValue::from_static("artifactType");
            response.headers_mut().insert("oci-filters-applied", filter);
        }
        Ok(response)
    }
}

/// Cuts a sorted list to `n` entries after `last`, with the link to the next page if there is one.
fn page(mut entries: Vec<String>, query: &Query, path: &str) -> Result<(Vec<String>, Option<String>), ApiError> {
    if let Some(last) = query.get("last") {
        entries.retain(|entry| entry > last);
    }
    let Some(n) = query.get("n") else { return Ok((entries, None)) };
    let n: usize = n.parse().map_err(|_| ApiError::PaginationNumberInvalid)?;
    if entries.len() <= n {
        return Ok((entries, None));
    }
    entries.truncate(n);
    let link = entries.last().map(|last| {
        let last = utf8_percent_encode(last, NON_ALPHANUMERIC);
        format!("<{path}?n={n}&last={last}>; rel=\"next\"")
    });
    Ok((entries, link))
}
