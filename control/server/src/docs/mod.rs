//! What is not an object: health, version, metrics, discovery, OpenAPI.

mod discovery;
mod etag;
mod health;
mod openapi;
mod version;

use std::sync::Arc;

use axum::body::Body;
use coracle_api::openapi::OpenApi;
use coracle_api::{ApiError, ApiResult, Catalog};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::config::Version;
use crate::fairness::{DUMP_PATH, Fairness};
use crate::http::{Params, text, value};
use crate::hub::Hub;
use crate::identity::{MASTERS, User};
use crate::served::Served;
use health::Endpoint;
use openapi::Named;

/// Documents about the catalogue.
pub(crate) struct Documents {
    openapi: Arc<OpenApi>,
}

impl Documents {
    pub(crate) fn new(catalog: &Catalog, version: &Version) -> Self {
        let plain = version.git_version.split('+').next().unwrap_or_default();
        Self { openapi: Arc::new(OpenApi::new(catalog.clone(), plain)) }
    }
}

/// Answers a path outside of the catalogue, to a user who may ask for it.
pub(crate) async fn serve(
    hub: &Arc<Hub>,
    served: &Served,
    request: &http::request::Parts,
    user: &User,
) -> ApiResult<Response<Body>> {
    let (path, headers) = (request.uri.path(), &request.headers);
    if !is_read(&request.method) {
        return Err(ApiError::no_such_path());
    }
    if let Some(endpoint) = Endpoint::parse(path) {
        let detailed = user.in_group(MASTERS);
        return Ok(endpoint.answer(&hub.readiness, &Params::parse(request.uri.query()), detailed));
    }
    let advertise = hub.config.advertise.to_string();
    if let Some(answer) = discovery::answer(served, &advertise, path, headers) {
        return answer;
    }
    if let Some(named) = Named::parse(path) {
        return openapi::serve(hub, served, named, request, user).await;
    }
    match path {
        "/version" | "/version/" => Ok(value(StatusCode::OK, &version::info(&hub.config.version))),
        "/metrics" => metrics(hub),
        DUMP_PATH => {
            let dump = hub.fairness.as_ref().map(Fairness::dump).ok_or_else(ApiError::no_such_path)?;
            Ok(text(StatusCode::OK, dump))
        }
        "/openid/v1/jwks" => Ok(of_issuer(&hub.issuer.jwks(), "application/jwk-set+json")),
        "/.well-known/openid-configuration" => Ok(of_issuer(&hub.issuer.configuration(&advertise), "application/json")),
        "/" => Ok(value(StatusCode::OK, &json!({ "paths": paths(&served.catalog) }))),
        _ => Err(ApiError::no_such_path()),
    }
}

/// What others need to check this server's tokens (KEP-1393). They may keep it for an hour.
fn of_issuer(document: &Value, media: &'static str) -> Response<Body> {
    let mut response = value(StatusCode::OK, document);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Everything there is to see outside of the objects.
fn paths(catalog: &Catalog) -> Vec<String> {
    let fixed = [
        "/api",
        "/api/v1",
        "/apis",
        "/healthz",
        "/livez",
        "/.well-known/openid-configuration",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ];
    let groups = catalog.groups().into_iter().flat_map(|(group, versions)| {
        let versions = versions.into_iter().map(|v| format!("/apis/{group}/{v}")).collect::<Vec<_>>();
        std::iter::once(format!("/apis/{group}")).chain(versions)
    });
    let mut all: Vec<String> = fixed.iter().map(|p| (*p).to_string()).chain(groups).collect();
    all.sort();
    all
}

fn metrics(hub: &Hub) -> ApiResult<Response<Body>> {
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &hub.registry).map_err(ApiError::internal)?;
    let mut response = text(StatusCode::OK, page);
    let media = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media);
    Ok(response)
}
