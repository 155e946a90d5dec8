//! Create.

use std::sync::Arc;

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, Reason, Resource, meta};
use coracle_store::{Expect, Key, Op, Record};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::admission::{Action, Admitted, Notes};
use super::author::author;
use super::commit::{commit_charged, imagined};
use super::document::body_of;
use super::owners;
use super::strategy::{Author, book_create, name_from_prefix, prepare_create, validate_create};
use crate::convert;
use crate::hub::{Call, Hub};
use crate::identity::User;
use crate::read::View;

/// Names tried for an object with `generateName`: with 14 million suffixes a second try is rare, and more than this
/// means that the prefix is exhausted.
const MAX_NAMES: usize = 8;

/// What somebody is about to write.
pub(crate) struct Intent<'a> {
    pub(crate) resource: &'a Arc<Resource>,
    /// Empty for cluster-scoped objects.
    pub(crate) namespace: &'a str,
    pub(crate) dry_run: bool,
    /// Whose fields they are.
    pub(crate) author: &'a Author,
    /// Who asks, for admission.
    pub(crate) user: &'a User,
    /// Where admission's warnings go.
    pub(crate) notes: &'a Notes,
}

impl<'a> Intent<'a> {
    /// The author of a request that makes what its body says.
    pub(super) fn of(call: &'a Call, author: &'a Author, dry_run: bool) -> Self {
        let (resource, namespace) = (&call.target.resource, call.target.namespace.as_str());
        Self { resource, namespace, dry_run, author, user: &call.user, notes: &call.notes }
    }

    fn admitted<'b>(&'b self, name: &'b str) -> Admitted<'b> {
        Admitted {
            resource: self.resource,
            namespace: self.namespace,
            name,
            subresource: "",
            action: Action::Create,
            old: None,
            user: self.user,
            dry_run: self.dry_run,
            notes: self.notes,
        }
    }
}

/// Answers a POST.
pub(super) async fn create(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let author = author(call)?;
    let dry_run = call.params.dry_run()?;
    let (mut object, mut warnings) = body_of(call)?;
    warnings.extend(owners::dedup(&mut object, false));
    let resource = &call.target.resource;
    let intent = Intent::of(call, &author, dry_run);
    let created = create_object(hub, &intent, object).await?;
    warnings.extend(created.warnings);
    let view = View::new(resource, call.accept, &call.params)?;
    Ok(call.respond(StatusCode::CREATED, view.object(&created.record, true)?, &warnings))
}

/// What a creation comes to.
pub(crate) struct Created {
    pub(crate) record: Arc<Record>,
    /// What its author should know about it.
    pub(crate) warnings: Vec<String>,
}

/// Creates a decoded object.
pub(crate) async fn create_object(hub: &Hub, intent: &Intent<'_>, mut object: Value) -> ApiResult<Created> {
    place(intent, &mut object)?;
    let resource = intent.resource;
    resource.defaults(&mut object);
    let name = [meta::name(&object), meta::text(&object, "generateName")].into_iter().find(|n| !n.is_empty());
    let name = name.unwrap_or_default().to_string();
    book_create(resource, &mut object, intent.author);
    hub.admission.admit(hub, &intent.admitted(&name), &mut object).await?;
    // Where it goes is not for a webhook to choose.
    place(intent, &mut object)?;
    if !meta::name(&object).is_empty() || name.is_empty() {
        return write(hub, intent, object).await;
    }
    for _ in 0..MAX_NAMES {
        name_from_prefix(&mut object);
        // Once more, for defaults that are made of the name.
        resource.defaults(&mut object);
        match write(hub, intent, object.clone()).await {
            Err(error) if error.reason == Reason::AlreadyExists => {}
            outcome => return outcome,
        }
    }
    Err(ApiError::already_exists(resource, meta::name(&object)))
}

/// Puts the object where the path says, or says why it does not belong there.
fn place(intent: &Intent<'_>, object: &mut Value) -> ApiResult<()> {
    let resource = intent.resource;
    if !meta::resource_version(object).is_empty() {
        return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
    }
    let named = meta::namespace(object);
    if !resource.namespaced {
        meta::metadata_mut(object).remove("namespace");
    } else if named.is_empty() || named == intent.namespace {
        meta::metadata_mut(object).insert("namespace".into(), json!(intent.namespace));
    } else {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Prepares, checks and commits an object that has its name.
async fn write(hub: &Hub, intent: &Intent<'_>, mut object: Value) -> ApiResult<Created> {
    let resource = intent.resource;
    // A kind may make labels of its name, so that comes first.
    prepare_create(resource, &mut object);
    validate_create(resource, &object)?;
    // About the object with its defaults, but not yet with what is allocated for it.
    let warnings = resource.create_warnings(&object);
    let name = meta::name(&object).to_string();
    let admitted = intent.admitted(&name);
    hub.admission.validate(hub, &admitted, &object).await?;
    let key = Key::new(resource.storage_key(), intent.namespace, name.as_str());
    // Seen before anything is allocated or written: most duplicates are found here.
    if hub.store.get(&key).is_some() {
        return Err(ApiError::already_exists(resource, &name));
    }
    let reservation = hub.allocators.reserve(resource, &mut object, None)?;
    if intent.dry_run {
        hub.admission.quotas.charge(hub, &admitted, &object).await?;
        return Ok(Created { record: imagined(resource, key, object, 0)?, warnings });
    }
    let op = Op::Put { key, object: convert::encode(hub, resource, object.clone()).await?, expect: Expect::Absent };
    let record = commit_charged(hub, &admitted, Some(&object), op).await?;
    reservation.keep();
    Ok(Created { record: convert::present_one(hub, resource, record).await?, warnings })
}
