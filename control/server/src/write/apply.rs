//! Server-side apply (KEP-555): a PATCH that says what its author wants and leaves the rest to others.

use axum::body::Body;
use coracle_api::apply::{ApplyOptions, apply as merge};
use coracle_api::decode::{parse_json, parse_yaml};
use coracle_api::field::{FieldError, Path};
use coracle_api::{ApiError, ApiResult, Reason, meta};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::create::{Intent, create_object};
use super::edit::{Writer, edit_as};
use super::strategy::{Author, Part, now};
use super::update::{respond, successor};
use crate::hub::{Call, Hub};
use crate::read::{View, key};

/// How often an object may appear or vanish while it is being applied.
const MAX_ATTEMPTS: usize = 8;

/// Answers an apply: changes the object, or creates it.
pub(super) async fn apply(hub: &Hub, call: &Call, part: Part, author: Author) -> ApiResult<Response<Body>> {
    let config = configuration(call)?;
    if call.params.get("fieldManager").is_none() {
        let missing = FieldError::required(&Path::root("fieldManager"), "is required for apply patch");
        return Err(ApiError::invalid_kind(("meta.k8s.io", "PatchOptions"), "", &[missing]));
    }
    let (key, dry_run) = (key(&call.target), call.params.dry_run()?);
    let author = Author { applied: true, ..author };
    for _ in 0..MAX_ATTEMPTS {
        let outcome = if hub.store.get(&key).is_some() {
            let decide = |old: &Value| successor(call, part, merged(call, Some(old), &config, &author)?, old, &author);
            let edited = edit_as(hub, &Writer::of(call)?, &key, decide).await;
            edited.and_then(|edited| respond(call, &edited.record, &[]))
        } else {
            create(hub, call, part, &config, &author, dry_run).await
        };
        match outcome {
            Err(error) if matches!(error.reason, Reason::AlreadyExists) => {}
            // Deleted between the look and the change; a status can't bring its object into being.
            Err(error)
                if error.reason == Reason::NotFound
                    && part == Part::Main
                    && hub.store.get(&key).is_none()
                    && namespace_exists(hub, call) => {}
            outcome => return outcome,
        }
    }
    Err(ApiError::modified(&call.target.resource, &call.target.name))
}

/// A missing namespace is a 404 that does not go away by trying again.
fn namespace_exists(hub: &Hub, call: &Call) -> bool {
    let namespace = call.target.namespace.as_str();
    namespace.is_empty() || hub.store.get(&coracle_store::Key::new("namespaces", "", namespace)).is_some()
}

async fn create(
    hub: &Hub,
    call: &Call,
    part: Part,
    config: &Value,
    author: &Author,
    dry_run: bool,
) -> ApiResult<Response<Body>> {
    let resource = &call.target.resource;
    if part != Part::Main {
        return Err(ApiError::not_found(resource, &call.target.name));
    }
    let object = merged(call, None, config, author)?;
    let intent = Intent { resource, namespace: &call.target.namespace, dry_run, author, user: &call.user };
    let record = create_object(hub, &intent, object).await?;
    let view = View::new(resource, call.accept, &call.params)?;
    Ok(call.respond(StatusCode::CREATED, view.object(&record, true)?, &[]))
}

fn merged(call: &Call, live: Option<&Value>, config: &Value, author: &Author) -> ApiResult<Value> {
    let now = now();
    let options = ApplyOptions {
        manager: &author.manager,
        force: call.params.flag("force"),
        subresource: author.subresource,
        now: &now,
    };
    merge(&call.target.resource, live, config.clone(), options)
}

/// The configuration in the body, placed where the URL says.
fn configuration(call: &Call) -> ApiResult<Value> {
    // Nearly all clients send JSON, which is quicker to read; a YAML document may begin like it (`{kind: Pod}`).
    let parsed = parse_json(&call.body).or_else(|_| parse_yaml(&call.body));
    let mut config = parsed.map_err(|e| ApiError::bad_request(format!("error decoding YAML: {e}")))?.value;
    if !config.is_object() {
        return Err(ApiError::bad_request("the body of an apply patch must be an object"));
    }
    let target = &call.target;
    let (name, namespace) = (meta::name(&config), meta::namespace(&config));
    if !name.is_empty() && name != target.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name
        )));
    }
    if !namespace.is_empty() && namespace != target.namespace {
        return Err(ApiError::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the URL ({})",
            target.namespace
        )));
    }
    let metadata = meta::metadata_mut(&mut config);
    metadata.insert("name".into(), json!(target.name));
    if target.resource.namespaced {
        metadata.insert("namespace".into(), json!(target.namespace));
    }
    Ok(config)
}
