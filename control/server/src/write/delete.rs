//! DELETE of one object.

use std::sync::Arc;

use axum::body::Body;
use coracle_api::{ApiResult, Resource};
use coracle_store::Key;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, json};

use super::admission::{Action, Notes, Options};
use super::deletion::decide;
use super::edit::{Edited, Writer, edit_as};
use super::update::respond;
use crate::http::status_success;
use crate::hub::{Call, Hub};
use crate::identity::User;
use crate::options::DeleteOptions;
use crate::read::key;

/// Answers a DELETE: with the object while something still holds it (and always for some kinds), otherwise with a Status.
pub(super) async fn delete(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let options = DeleteOptions::of(call)?;
    let resource = &call.target.resource;
    let edited = delete_as(hub, (&call.user, &call.notes), resource, &key(&call.target), &options).await?;
    if !edited.removed || resource.shows_deleted {
        let mut response = respond(call, &edited.record, &[])?;
        if !edited.removed && options.orphan_dependents == Some(false) {
            // The one case in which upstream says that the deletion goes on: others were answered before there was 202.
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        return Ok(response);
    }
    let mut details = Map::new();
    details.insert("name".into(), json!(call.target.name));
    if !resource.group.is_empty() {
        details.insert("group".into(), json!(resource.group));
    }
    details.insert("kind".into(), json!(resource.plural));
    details.insert("uid".into(), json!(&*edited.record.lifted.uid));
    Ok(status_success(StatusCode::OK, details))
}

/// Deletes one object as the options say, in the name of the server itself.
pub(crate) async fn delete_object(
    hub: &Hub,
    resource: &Arc<Resource>,
    key: &Key,
    options: &DeleteOptions,
) -> ApiResult<Edited> {
    delete_as(hub, (&User::server(), &Notes::default()), resource, key, options).await
}

/// Deletes one object as the options say.
pub(crate) async fn delete_as(
    hub: &Hub,
    (user, notes): (&User, &Notes),
    resource: &Arc<Resource>,
    key: &Key,
    options: &DeleteOptions,
) -> ApiResult<Edited> {
    let (action, dry_run) = (Action::Delete, options.is_dry_run());
    notes.asks(Options::of_deletion(options.given()));
    let writer = Writer { resource, user, subresource: "", action, dry_run, notes };
    edit_as(hub, &writer, key, |old| decide(resource, options, old, Timestamp::now())).await
}
