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

pub(crate) use address_objects::ensure as ensure_addresses;
pub(crate) use admission::Chain;
pub(crate) use author::author;
pub(crate) use commit::commit;
pub(crate) use create::{Intent, create_object};
pub(crate) use delete::{delete_as, delete_object};
pub(crate) use document::{body_of, encode as stored_as_is, load, parsed};
pub(crate) use edit::{Next, Writer, edit, edit_as};
pub(crate) use strategy::{Author, Part, now, prepare_create, revise, revise_as, seconds_text};
pub(crate) use update::{check_place, check_version, patch_kind, respond, update_part};

use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::server::detached;

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
