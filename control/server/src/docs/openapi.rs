//! OpenAPI: the schemas that kubectl validates, explains and diffs by.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use coracle_api::openapi::{Document, OpenApi, V2_PROTOBUF, V2_PROTOBUF_ANSWER};
use coracle_api::{ApiError, ApiResult};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use tokio::time::Instant;

use super::etag::{tagged, with_tag};
use crate::aggregate::{self, Terms};
use crate::http::{Params, read_bytes};
use crate::hub::Hub;
use crate::identity::User;
use crate::served::Served;

/// Which document a path names.
pub(super) enum Named {
    V2,
    Index,
    V3 { group: String, version: String },
}

/// Answers with the document, wherever it is from.
pub(super) async fn serve(
    hub: &Arc<Hub>,
    served: &Served,
    named: Named,
    request: &http::request::Parts,
    user: &User,
) -> ApiResult<Response<Body>> {
    if let Named::V3 { group, version } = &named
        && let Some(remote) = served.remote(&format!("/apis/{group}/{version}"))
    {
        let mut onward = http::Request::new(Body::empty());
        *onward.uri_mut() = request.uri.clone();
        *onward.headers_mut() = request.headers.clone();
        let until = Instant::now() + hub.config.limits.request_timeout;
        let terms = Terms { held: None, until: Some(until) };
        return aggregate::forward(hub, (user, remote), onward, terms).await;
    }
    let merged = matches!(named, Named::Index) && !served.remotes.is_empty();
    let params = Params::parse(request.uri.query());
    let hash = params.get("hash").filter(|hash| !hash.is_empty());
    let answer = named.answer(&served.documents.openapi, &request.headers, hash, merged).await?;
    if !merged {
        return Ok(answer);
    }
    let bytes = read_bytes(answer.into_body(), MAX_INDEX_BYTES).await?;
    let index = serde_json::from_slice(&bytes).map_err(ApiError::internal)?;
    let index = aggregate::merge_openapi_index(index, &served.remotes);
    Ok(tagged(&request.headers, index.to_string().into()))
}

/// The index has a line per group version.
const MAX_INDEX_BYTES: usize = 4 << 20;

impl Named {
    /// From a path, if it is below `/openapi`.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["openapi", "v2"] => Some(Self::V2),
            ["openapi", "v3"] => Some(Self::Index),
            ["openapi", "v3", "api", version] => Some(Self::V3 { group: String::new(), version: (*version).into() }),
            ["openapi", "v3", "apis", group, version] => {
                Some(Self::V3 { group: (*group).into(), version: (*version).into() })
            }
            _ => None,
        }
    }

    /// Answers with the document. Building one takes a while the first time, so it is done beside the requests.
    /// `hash`: the document as the client has read in the index. `whole`: even for a client that has it already.
    async fn answer(
        self,
        openapi: &Arc<OpenApi>,
        headers: &HeaderMap,
        hash: Option<&str>,
        whole: bool,
    ) -> ApiResult<Response<Body>> {
        let address = self.address();
        let accept = headers.get(ACCEPT).and_then(|h| h.to_str().ok()).unwrap_or_default();
        let protobuf =
            matches!(self, Self::V2) && accept.split(',').any(|clause| clause.trim().starts_with(V2_PROTOBUF));
        let json = ["", "application/json", "application/*", "*/*"];
        if !protobuf && !accept.split(',').any(|c| json.contains(&c.split(';').next().unwrap_or_default().trim())) {
            return Err(ApiError::not_acceptable(&["application/json"]));
        }
        let openapi = openapi.clone();
        let build = move || -> Option<Document> {
            match self {
                Self::V2 if protobuf => Some(openapi.v2_protobuf()),
                Self::V2 => Some(openapi.v2_json()),
                Self::Index => Some(openapi.v3_index()),
                Self::V3 { group, version } => openapi.v3_document(&group, &version),
            }
        };
        let built = tokio::task::spawn_blocking(build).await.map_err(ApiError::internal)?;
        let document = built.ok_or_else(ApiError::no_such_path)?;
        let nothing = HeaderMap::new();
        let known = if whole { &nothing } else { headers };
        let mut response = with_tag(known, Bytes::from_owner(document.bytes.clone()), &document.etag());
        if protobuf {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(V2_PROTOBUF_ANSWER));
        }
        if let (Some(hash), Some(address)) = (hash, address) {
            pin(&mut response, hash, &document, &address);
        }
        Ok(response)
    }

    /// Where the document is, if it is one that goes by its hash.
    fn address(&self) -> Option<String> {
        match self {
            Self::V3 { group, version } if group.is_empty() => Some(format!("/openapi/v3/api/{version}")),
            Self::V3 { group, version } => Some(format!("/openapi/v3/apis/{group}/{version}")),
            Self::V2 | Self::Index => None,
        }
    }
}

/// What is asked for by its hash never changes; whoever has an old hash is sent to the present one.
fn pin(response: &mut Response<Body>, hash: &str, document: &Document, address: &str) {
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    if *hash == *document.hash {
        set(CACHE_CONTROL, "public, immutable");
        if let Some(expires) = in_a_year() {
            set(EXPIRES, &expires);
        }
        return;
    }
    set(LOCATION, &format!("{address}?hash={}", document.hash));
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    *response.body_mut() = Body::empty();
}

fn in_a_year() -> Option<String> {
    let then = jiff::Timestamp::now().checked_add(YEAR).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then).ok()
}

const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);
