//! GET of one object.

use axum::body::Body;
use coracle_api::{ApiError, ApiResult};
use http::{Response, StatusCode};

use super::version::Freshness;
use super::{View, key};
use crate::convert;
use crate::hub::{Call, Hub};

/// Answers with the object as the client wants to see it. 404 when there is none.
pub(crate) async fn get(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    Freshness::of_get(call.params.get("resourceVersion").unwrap_or_default())?.wait(hub).await?;
    let record = hub.store.get(&key(&call.target));
    let record = record.ok_or_else(|| ApiError::not_found(&call.target.resource, &call.target.name))?;
    let record = convert::present_one(hub, &call.target.resource, record).await?;
    let view = View::new(&call.target.resource, call.accept, &call.params)?;
    Ok(call.respond(StatusCode::OK, view.object(&record, true)?, &[]))
}
