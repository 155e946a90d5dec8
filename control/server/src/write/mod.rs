//! Everything that changes objects: decode, patch, default, admit, validate, commit.
//!
//! Invariant: a write is committed with the revision it was decided on, or decided again.
//! Invariant: an update that changes nothing writes nothing.

mod address_objects;
mod admission;
mod apply;
mod author;
mod collection;
mod commit;
mod create;
mod delete;
mod deletion;
mod document;
mod edit;
mod owners;
mod strategy;
mod update;

use std::sync::Arc;

use axum::body::Body;
use coracle_api::ApiResult;
use http::Response;
use serde_json::Value;

use admission::Admitted;

pub(crate) use address_objects::ensure as ensure_addresses;
pub(crate) use admission::{Action, Chain, Notes, Options};
pub use admission::{PodSecurityConfig, PodSecurityError};
pub(crate) use author::author;
pub(crate) use commit::commit;
pub(crate) use create::{Intent, create_object};
pub(crate) use delete::{delete_as, delete_object};
pub(crate) use document::{body_of, encode as stored_as_is, load, parsed};
pub(crate) use edit::{Next, Writer, edit, edit_as};
pub(crate) use strategy::{Author, Part, now, prepare_create, revise, revise_as, seconds_text};
pub(crate) use update::{check_place, check_version, patch_kind, respond, update_part};

use crate::http::{Target, Verb};
use crate::hub::{Call, Hub};
use crate::identity::User;
use crate::server::detached;

/// Has admission look at what a request asks for that is not stored as such: a token, an eviction. `object` is what the
/// request says, which admission may change.
pub(crate) async fn admit_request(hub: &Hub, call: &Call, action: Action, object: &mut Value) -> ApiResult<()> {
    let target = &call.target;
    let write = Admitted {
        resource: &target.resource,
        namespace: &target.namespace,
        name: &target.name,
        subresource: target.subresource_name(),
        action,
        old: None,
        user: &call.user,
        dry_run: call.params.dry_run()?,
        notes: &call.notes,
    };
    hub.admission.admit(hub, &write, object).await?;
    hub.admission.validate(hub, &write, object).await
}

/// Has admission look at a connection to something that runs. `options` are what the request says about it.
pub(crate) async fn admit_connection(
    hub: &Hub,
    target: &Target,
    (user, notes): (&User, &Notes),
    options: &mut Value,
) -> ApiResult<()> {
    let write = Admitted {
        resource: &target.resource,
        namespace: &target.namespace,
        name: &target.name,
        subresource: target.subresource_name(),
        action: Action::Connect,
        old: None,
        user,
        dry_run: false,
        notes,
    };
    hub.admission.admit(hub, &write, options).await?;
    hub.admission.validate(hub, &write, options).await
}

/// Does what a request on an object or a collection asks for, to its end even if the client goes away.
pub(crate) async fn serve(hub: &Arc<Hub>, call: Call) -> ApiResult<Response<Body>> {
    let hub = hub.clone();
    detached(async move {
        match call.verb {
            Verb::Create => create::create(&hub, &call).await,
            Verb::Delete => delete::delete(&hub, &call).await,
            Verb::DeleteCollection => collection::delete(&hub, &call).await,
            // Reads never come here.
            Verb::Update | Verb::Patch | Verb::Get | Verb::List | Verb::Watch => {
                update_part(&hub, &call, Part::Main).await
            }
        }
    })
    .await
}
