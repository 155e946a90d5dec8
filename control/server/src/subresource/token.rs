//! `token` of a service account: a token for it, as `authentication.k8s.io/v1 TokenRequest`.

use axum::body::Body;
use coracle_api::decode::decode_as;
use coracle_api::field::{FieldError, Path};
use coracle_api::{ApiError, ApiResult, Reason, Resource, meta};
use coracle_store::Key;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hub::{Call, Hub};
use crate::identity::token::{Bound, Claims};
use crate::read::{key, parse};
use crate::write::{Action, admit_request, parsed, seconds_text};

const TYPE: (&str, &str) = ("authentication.k8s.io/v1", "TokenRequest");

/// How long tokens are good for when nobody says.
const DEFAULT_SECONDS: i64 = 3600;
/// The shortest and the longest that may be asked for.
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;

/// Answers a POST with the request, `status.token` filled in.
pub(super) async fn issue(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let dry_run = call.params.dry_run()?;
    let (mut request, mut warnings) =
        decode_as(TYPE.0, TYPE.1, parsed(call, TYPE.1)?, call.params.field_validation()?)?;
    let record = hub.store.get(&key(&call.target));
    let record = record.ok_or_else(|| ApiError::not_found(&call.target.resource, &call.target.name))?;
    check_place(call, &request)?;
    admit_request(hub, call, Action::Create, &mut request).await?;
    let spec = &mut request["spec"];
    if spec["audiences"].as_array().is_none_or(Vec::is_empty) {
        spec["audiences"] = json!([hub.issuer.audience()]);
    }
    let asked = spec["expirationSeconds"].as_i64().unwrap_or(DEFAULT_SECONDS);
    check_seconds(&call.target.name, asked)?;
    let most = hub.config.max_token_seconds;
    let seconds = asked.min(most);
    if asked > most {
        warnings.push(format!("requested expiration of {asked} seconds shortened to {most} seconds"));
    }
    spec["expirationSeconds"] = json!(seconds);
    let bound = bound(hub, call, &spec["boundObjectRef"])?;
    let audiences = spec["audiences"].as_array().into_iter().flatten();
    let issued = Timestamp::now().as_second();
    let claims = Claims {
        audiences: audiences.filter_map(|a| a.as_str().map(str::to_string)).collect(),
        namespace: call.target.namespace.clone(),
        account: call.target.name.clone(),
        account_uid: record.lifted.uid.to_string(),
        bound,
        id: Uuid::new_v4().to_string(),
        issued,
        expires: issued + seconds,
    };
    // So that the audit log leads from what a token has done to who has asked for it.
    call.notes.annotate("authentication.kubernetes.io/issued-credential-id", format!("JTI={}", claims.id));
    let until = Timestamp::from_second(claims.expires).map_err(ApiError::internal)?;
    let token = if dry_run { String::new() } else { hub.issuer.issue(&claims).map_err(ApiError::internal)? };
    request["status"] = json!({ "token": token, "expirationTimestamp": seconds_text(until) });
    let metadata = meta::metadata_mut(&mut request);
    metadata.insert("name".into(), json!(call.target.name));
    metadata.insert("namespace".into(), json!(call.target.namespace));
    metadata.insert("creationTimestamp".into(), json!(seconds_text(Timestamp::now())));
    Ok(call.respond(StatusCode::CREATED, request.to_string().into(), &warnings))
}

fn check_place(call: &Call, request: &Value) -> ApiResult<()> {
    let target = &call.target;
    for (what, named, actual) in
        [("name", meta::name(request), &target.name), ("namespace", meta::namespace(request), &target.namespace)]
    {
        if !named.is_empty() && named != actual {
            return Err(ApiError::bad_request(format!(
                "the {what} of the object ({named}) does not match the {what} on the URL ({actual})"
            )));
        }
    }
    Ok(())
}

fn check_seconds(name: &str, seconds: i64) -> ApiResult<()> {
    let why = match seconds {
        ..MIN_SECONDS => "may not specify a duration less than 10 minutes",
        _ if seconds > MAX_SECONDS => "may not specify a duration larger than 2^32 seconds",
        _ => return Ok(()),
    };
    let error = FieldError::invalid(&Path::root("spec").child("expirationSeconds"), &json!(seconds), why);
    let mut invalid =
        ApiError::new(Reason::Invalid, format!("TokenRequest.authentication.k8s.io \"{name}\" is invalid: {error}"));
    let details = json!({
        "name": name, "group": "authentication.k8s.io", "kind": "TokenRequest", "causes": [error.cause()],
    });
    invalid.details = details.as_object().cloned().unwrap_or_default();
    Err(invalid)
}

/// What the token is to be bound to: the object that is there now.
fn bound(hub: &Hub, call: &Call, reference: &Value) -> ApiResult<Vec<Bound>> {
    if reference.is_null() {
        return Ok(Vec::new());
    }
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let (kind, plural) = match (text("apiVersion"), text("kind")) {
        ("v1", "Pod") => ("pod", "pods"),
        ("v1", "Secret") => ("secret", "secrets"),
        ("v1", "Node") => ("node", "nodes"),
        (version, kind) => {
            let text = format!("cannot bind token to object of type {version}, Kind={kind}");
            return Err(ApiError::bad_request(text));
        }
    };
    let resource = hub.row("v1", plural)?;
    let (object, uid) = find(hub, call, &resource, text("name"))?;
    if !text("uid").is_empty() && text("uid") != uid {
        let why = format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The object might have been \
             deleted and then recreated",
            text("uid")
        );
        return Err(ApiError::conflict(&resource, text("name"), &why));
    }
    let mut all = vec![Bound { kind, name: text("name").to_string(), uid }];
    if kind == "pod" {
        let account = object["spec"]["serviceAccountName"].as_str().unwrap_or_default();
        if account != call.target.name {
            return Err(ApiError::bad_request(format!(
                "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                call.target.name
            )));
        }
        let node = object["spec"]["nodeName"].as_str().unwrap_or_default();
        let record = hub.store.get(&Key::new("nodes", "", node));
        all.extend(record.map(|r| Bound { kind: "node", name: node.to_string(), uid: r.lifted.uid.to_string() }));
    }
    Ok(all)
}

fn find(hub: &Hub, call: &Call, resource: &Resource, name: &str) -> ApiResult<(Value, String)> {
    let namespace = if resource.namespaced { call.target.namespace.as_str() } else { "" };
    let record = hub.store.get(&Key::new(resource.storage_key(), namespace, name));
    let record = record.ok_or_else(|| ApiError::not_found(resource, name))?;
    Ok((parse(&record.json)?, record.lifted.uid.to_string()))
}
