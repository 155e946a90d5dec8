//! `scale`: the replica count of anything that has one, as `autoscaling/v1 Scale`.

use axum::body::Body;
use coracle_api::catalog::Scale;
use coracle_api::decode::decode_as;
use coracle_api::field::{FieldError, Path};
use coracle_api::patch::patch_object_as;
use coracle_api::selector::LabelSelector;
use coracle_api::{ApiError, ApiResult, meta};
use coracle_store::Record;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::convert;
use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::{View, key};
use crate::write::{Next, Part, Writer, author, edit_as, load, parsed, patch_kind, revise};

const TYPE: (&str, &str) = ("autoscaling/v1", "Scale");

fn paths(call: &Call) -> ApiResult<Scale> {
    call.target.resource.scale().ok_or_else(ApiError::no_such_path)
}

/// Answers a GET.
pub(super) async fn get(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let record = hub.store.get(&key(&call.target));
    let record = record.ok_or_else(|| ApiError::not_found(&call.target.resource, &call.target.name))?;
    let record = convert::present_one(hub, &call.target.resource, record).await?;
    respond(call, &record, &[])
}

/// Answers a PUT or PATCH.
pub(super) async fn update(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let paths = paths(call)?;
    let validation = call.params.field_validation()?;
    let resource = &call.target.resource;
    let mut warnings = Vec::new();
    let given = match call.verb {
        Verb::Patch => None,
        _ => Some(decode_as(TYPE.0, TYPE.1, parsed(call, TYPE.1)?, validation)?),
    };
    let author = author(call)?;
    let decide = |old: &Value| {
        let (scale, found) = match &given {
            Some((scale, found)) => (scale.clone(), found.clone()),
            None => patch_object_as(TYPE, patch_kind(call)?, &view(call, &paths, old)?, &call.body, validation)?,
        };
        warnings = found;
        let version = meta::resource_version(&scale);
        if !version.is_empty() && version != meta::resource_version(old) {
            return Err(ApiError::modified(resource, &call.target.name));
        }
        check(call, &scale)?;
        let pinned = given.is_some() && !version.is_empty();
        let before = Some(before(call, &paths, old)?);
        let (resource, old, author) = (resource.clone(), old.clone(), author.clone());
        let path = paths.spec_replicas.clone();
        let make = move |scale: &Value| {
            let mut new = old.clone();
            // A Scale without a count means none: Go's zero value.
            set(&mut new, &path, scale["spec"].get("replicas").cloned().unwrap_or(json!(0)));
            revise(&resource, Part::Main, new, &old, &author)
        };
        Ok(Next::Ask { asked: scale, before, make: Box::new(make), pinned })
    };
    let edited = edit_as(hub, &Writer::of(call)?, &key(&call.target), decide).await?;
    respond(call, &edited.record, &warnings)
}

/// What is scaled, as a Scale; one that nobody has given a count yet has none.
fn before(call: &Call, paths: &Scale, old: &Value) -> ApiResult<Value> {
    if meta::at(old, &paths.spec_replicas).is_some() {
        return view(call, paths, old);
    }
    let mut counted = old.clone();
    set(&mut counted, &paths.spec_replicas, json!(0));
    view(call, paths, &counted)
}

fn check(call: &Call, scale: &Value) -> ApiResult<()> {
    let name = meta::name(scale);
    if name != call.target.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.target.name
        )));
    }
    let replicas = &scale["spec"]["replicas"];
    if replicas.as_i64().is_some_and(|r| r < 0) {
        let path = Path::root("spec").child("replicas");
        let error = FieldError::invalid(&path, replicas, "must be greater than or equal to 0");
        return Err(ApiError::invalid_kind(("autoscaling", "Scale"), name, &[error]));
    }
    Ok(())
}

fn respond(call: &Call, record: &Record, warnings: &[String]) -> ApiResult<Response<Body>> {
    let object = load(&call.target.resource, record)?;
    let scale = view(call, &paths(call)?, &object)?;
    let shown = View::new(&coracle_api::catalog::scale(), call.accept, &call.params)?;
    Ok(call.respond(StatusCode::OK, shown.made(&scale, record.revision), warnings))
}

/// The object as a Scale.
fn view(call: &Call, paths: &Scale, object: &Value) -> ApiResult<Value> {
    let number = |path: &str| meta::at(object, path).and_then(Value::as_i64);
    let wanted = number(&paths.spec_replicas);
    if wanted.is_none() && call.target.resource.custom.is_some() {
        // Nothing defaults it, and whoever scales must not take nothing for zero.
        let path = &paths.spec_replicas;
        return Err(ApiError::internal(format!("the spec replicas field \".{path}\" does not exist")));
    }
    let selector = paths.selector.as_ref().and_then(|path| meta::at(object, path));
    let selector = match selector {
        Some(Value::String(text)) => text.clone(),
        None if call.target.resource.custom.is_some() => String::new(),
        selector => LabelSelector::from_value(selector)
            .map_err(|e| ApiError::internal(format!("the stored selector is invalid: {e}")))?
            .to_string(),
    };
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        metadata[field] = object["metadata"][field].clone();
    }
    Ok(json!({
        "kind": TYPE.1,
        "apiVersion": TYPE.0,
        "metadata": metadata,
        "spec": { "replicas": wanted.unwrap_or_default() },
        "status": { "replicas": number(&paths.status_replicas).unwrap_or_default(), "selector": selector },
    }))
}

/// Sets the value at a dotted path whose parents are objects.
fn set(object: &mut Value, path: &str, value: Value) {
    let place = path.split('.').fold(object, |object, field| &mut object[field]);
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_set_where_it_leads() {
        let mut object = json!({ "spec": { "replicas": 1 } });
        set(&mut object, "spec.replicas", json!(3));
        assert_eq!(object, json!({ "spec": { "replicas": 3 } }));
    }
}
