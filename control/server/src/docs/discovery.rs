//! Discovery: which groups, versions and resources there are.

use axum::body::Body;
use coracle_api::discovery::{
    AggregatedVersion, aggregated_core, aggregated_groups, api_group, api_group_list, api_resource_list, api_versions,
};
use coracle_api::{ApiError, ApiResult};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::etag::tagged;
use crate::aggregate::{merge_aggregated, merge_groups, remote_group};
use crate::http::value;
use crate::served::Served;

/// Answers below `/api` and `/apis`; `None` for other paths.
pub(super) fn answer(
    served: &Served,
    advertise: &str,
    path: &str,
    headers: &HeaderMap,
) -> Option<ApiResult<Response<Body>>> {
    let (catalog, remotes) = (&served.catalog, &served.remotes);
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let document = match segments.as_slice() {
        ["api"] => {
            let aggregated = |version| aggregated_core(catalog, version);
            return Some(Ok(either(headers, aggregated, || api_versions(advertise))));
        }
        ["apis"] => {
            let aggregated = |version| merge_aggregated(aggregated_groups(catalog, version), remotes);
            return Some(Ok(either(headers, aggregated, || merge_groups(api_group_list(catalog), remotes))));
        }
        ["api", version] => api_resource_list(catalog, "", version),
        ["apis", group] => remote_group(api_group(catalog, group), group, remotes),
        ["apis", group, version] => api_resource_list(catalog, group, version),
        _ => return None,
    };
    Some(document.map(|d| value(StatusCode::OK, &d)).ok_or_else(ApiError::no_such_path))
}

/// The aggregated form if the client knows it, otherwise the legacy one.
fn either(
    headers: &HeaderMap,
    aggregated: impl FnOnce(AggregatedVersion) -> Value,
    legacy: impl FnOnce() -> Value,
) -> Response<Body> {
    match asked(headers) {
        None => value(StatusCode::OK, &legacy()),
        Some(version) => {
            let body = aggregated(version).to_string();
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
