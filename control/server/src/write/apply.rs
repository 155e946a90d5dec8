//! Server-side apply (KEP-555): a PATCH that says what its author wants and leaves the rest to others.

use axum::body::Body;
use coracle_api::apply::{ApplyOptions, apply as merge};
use coracle_api::decode::{FieldValidation, parse_json, parse_yaml};
use coracle_api::{ApiError, ApiResult, Reason, meta};
use http::{Response, StatusCode};
use serde_json::Value;

use super::create::{Intent, create_object};
use super::document::validation;
use super::edit::{Writer, edit_as};
use super::strategy::{Author, Part, now};
use super::update::{check_place, respond, successor};
use crate::hub::{Call, Hub};
use crate::read::{View, key};

/// How often an object may appear or vanish while it is being applied.
const MAX_ATTEMPTS: usize = 8;

/// Answers an apply: changes the object, or creates it.
pub(super) async fn apply(hub: &Hub, call: &Call, part: Part, author: Author) -> ApiResult<Response<Body>> {
    let Configuration { config, warnings } = configuration(call)?;
    let (key, dry_run) = (key(&call.target), call.params.dry_run()?);
    let author = Author { applied: true, ..author };
    for _ in 0..MAX_ATTEMPTS {
        let outcome = if hub.store.get(&key).is_some() {
            let decide = |old: &Value| successor(call, part, merged(call, Some(old), &config, &author)?, old, &author);
            let edited = edit_as(hub, &Writer::of(call)?, &key, decide).await;
            edited.and_then(|edited| respond(call, &edited.record, &warnings))
        } else {
            create(hub, call, part, (&config, &warnings), &author, dry_run).await
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
    (config, warnings): (&Value, &[String]),
    author: &Author,
    dry_run: bool,
) -> ApiResult<Response<Body>> {
    let resource = &call.target.resource;
    if part != Part::Main {
        return Err(ApiError::not_found(resource, &call.target.name));
    }
    let object = merged(call, None, config, author)?;
    check_place(call, &object)?;
    if !meta::uid(&object).is_empty() {
        let uid = meta::uid(&object);
        let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
        return Err(ApiError::conflict(resource, &call.target.name, &why));
    }
    // A version that an object is to follow means nothing to one that is not there.
    let mut object = object;
    meta::metadata_mut(&mut object).remove("resourceVersion");
    let intent = Intent::of(call, author, dry_run);
    let created = create_object(hub, &intent, object).await?;
    let warnings = [warnings, &created.warnings].concat();
    let view = View::new(resource, call.accept, &call.params)?;
    Ok(call.respond(StatusCode::CREATED, view.object(&created.record, true)?, &warnings))
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

/// What a body asks for.
struct Configuration {
    config: Value,
    warnings: Vec<String>,
}

/// The configuration in the body. Fields that it gives twice are told as `fieldValidation` wants.
fn configuration(call: &Call) -> ApiResult<Configuration> {
    // Nearly all clients send JSON, which is quicker to read; a YAML document may begin like it (`{kind: Pod}`).
    let parsed = parse_json(&call.body).or_else(|_| parse_yaml(&call.body));
    let parsed = parsed.map_err(|e| ApiError::bad_request(format!("error decoding YAML: {e}")))?;
    if !parsed.value.is_object() {
        let found = match &parsed.value {
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            Value::Null | Value::Object(_) => "null",
        };
        return Err(ApiError::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go \
             value of type map[string]interface {{}}"
        )));
    }
    let twice = parsed.duplicates.join(", ");
    let warnings = match validation(call)? {
        _ if twice.is_empty() => Vec::new(),
        FieldValidation::Ignore => Vec::new(),
        FieldValidation::Warn => vec![twice],
        FieldValidation::Strict => {
            return Err(ApiError::bad_request(format!("error strict decoding YAML: {twice}")));
        }
    };
    Ok(Configuration { config: parsed.value, warnings })
}
