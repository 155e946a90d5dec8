//! DELETE of a collection: of everything that a request selects.

use axum::body::Body;
use coracle_api::{ApiResult, Reason};
use futures::{StreamExt, TryStreamExt, stream};
use http::Response;

use super::delete::delete_as;
use crate::hub::{Call, Hub};
use crate::options::DeleteOptions;
use crate::read::{page, respond};

/// Deletions in progress at a time (kube-apiserver's own default is one; ours share their fsyncs).
const AT_ONCE: usize = 64;

/// Answers with the list of what is deleted, as it was before. With a limit that is one page, and the next request goes
/// on from there.
pub(super) async fn delete(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let page = page(hub, call).await?;
    let options = DeleteOptions::of_collection(call)?;
    let resource = &call.target.resource;
    let deletions = page.records.clone().into_iter().map(|record| {
        let options = &options;
        async move {
            match delete_as(hub, (&call.user, &call.notes), resource, &record.key, options).await {
                // Somebody else has deleted it meanwhile: that is what was asked for.
                Err(error) if error.reason != Reason::NotFound => Err(error),
                _ => Ok(()),
            }
        }
    });
    stream::iter(deletions).buffered(AT_ONCE).try_collect::<()>().await?;
    respond(hub, call, page).await
}
