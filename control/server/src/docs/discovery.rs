//! Discovery: which groups, versions and resources there are.

use axum::body::Body;
use coracle_api::discovery::{
    AggregatedVersion, aggregated_core, aggregated_groups, api_group, api_group_list, api_resource_list, api_versions,
};
use coracle_api::{ApiError, ApiResult, Catalog};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::etag::tagged;
use crate::http::value;

/// Answers below `/api` and `/apis`; `None` for other paths.
pub(super) fn answer(
    catalog: &Catalog,
    advertise: &str,
    path: &str,
    headers: &HeaderMap,
) -> Option<ApiResult<Response<Body>>> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let document = match segments.as_slice() {
        ["api"] => return Some(Ok(either(headers, aggregated_core, catalog, || api_versions(advertise)))),
        ["apis"] => return Some(Ok(either(headers, aggregated_groups, catalog, || api_group_list(catalog)))),
        ["api", version] => api_resource_list(catalog, "", version),
        ["apis", group] => api_group(catalog, group),
        ["apis", group, version] => api_resource_list(catalog, group, version),
        _ => return None,
    };
    Some(document.map(|d| value(StatusCode::OK, &d)).ok_or_else(ApiError::no_such_path))
}

/// The aggregated form if the client knows it, otherwise the legacy one.
fn either(
    headers: &HeaderMap,
    aggregated: fn(&Catalog, AggregatedVersion) -> Value,
    catalog: &Catalog,
    legacy: impl FnOnce() -> Value,
) -> Response<Body> {
    match asked(headers) {
        None => value(StatusCode::OK, &legacy()),
        Some(version) => {
            let body = aggregated(catalog, version).to_string();
            let mut response = tagged(headers, body.into());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(version.media_type()));
            response
        }
    }
}

/// The version of aggregated discovery that the client prefers, if it asks for any. Clients list it first.
fn asked(headers: &HeaderMap) -> Option<AggregatedVersion> {
    let accept = headers.get(ACCEPT)?.to_str().ok()?;
    accept.split(',').find_map(|clause| {
        let parameters: Vec<&str> = clause.split(';').map(str::trim).collect();
        let has = |wanted: &str| parameters.contains(&wanted);
        if parameters.first() != Some(&"application/json")
            || !has("as=APIGroupDiscoveryList")
            || !has("g=apidiscovery.k8s.io")
        {
            return None;
        }
        match (has("v=v2"), has("v=v2beta1")) {
            (true, _) => Some(AggregatedVersion::V2),
            (_, true) => Some(AggregatedVersion::V2Beta1),
            _ => None,
        }
    })
}
