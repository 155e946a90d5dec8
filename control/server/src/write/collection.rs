//! DELETE of a collection: of everything that a request selects.

use axum::body::Body;
use bytes::{BufMut, BytesMut};
use coracle_api::{ApiResult, Reason};
use futures::{StreamExt, TryStreamExt, stream};
use http::{Response, StatusCode};

use super::delete::delete_as;
use crate::hub::{Call, Hub};
use crate::options::DeleteOptions;
use crate::read::{View, selected};

/// Deletions in progress at a time (kube-apiserver's own default is one; ours share their fsyncs).
const AT_ONCE: usize = 64;

/// Answers with the list of what was deleted.
pub(super) async fn delete(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let options = DeleteOptions::of(call)?;
    let resource = &call.target.resource;
    let deletions = selected(hub, call)?.into_iter().map(|record| {
        let options = &options;
        async move {
            match delete_as(hub, &call.user, resource, &record.key, options).await {
                Ok(edited) => Ok(Some(edited.record)),
                // Somebody else has deleted it meanwhile: that is what was asked for.
                Err(error) if error.reason == Reason::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        }
    });
    let deleted: Vec<_> = stream::iter(deletions).buffered(AT_ONCE).try_collect().await?;
    let view = View::whole(resource);
    let (api_version, kind) = view.type_of_list();
    let revision = hub.store.revision();
    let mut json = BytesMut::new();
    let head = format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{{\"resourceVersion\":\"{revision}\"}},\"items\":["
    );
    json.put_slice(head.as_bytes());
    for (index, record) in deleted.iter().flatten().enumerate() {
        if index > 0 {
            json.put_u8(b',');
        }
        json.put_slice(&view.item(record)?);
    }
    json.put_slice(b"]}\n");
    Ok(call.respond(StatusCode::OK, json.freeze(), &[]))
}
