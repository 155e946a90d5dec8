//! Versions of custom resources: an object is stored in one, and shown in whichever is asked for.
//!
//! What was written by the present schema in the version that is asked for is shown as it is stored. Everything else
//! is parsed, converted (by its definition's webhook, or by having its `apiVersion` rewritten) and defaulted.
//!
//! Invariant: rows of built-in kinds pass through untouched, without a lookup.

mod webhook;

use std::sync::Arc;

use coracle_api::custom::convert_by_name;
use coracle_api::{ApiError, ApiResult, Reason, Resource};
use coracle_store::{Object, Record};
use serde_json::Value;

pub(crate) use webhook::Webhook;

use crate::custom::Installed;
use crate::hub::Hub;
use crate::read::parse;
use crate::write::{load as load_built_in, stored_as_is};

/// How a definition's versions become each other.
pub(crate) enum Conversion {
    /// They differ in name only.
    None,
    /// A webhook knows.
    Webhook(Box<Webhook>),
    /// A webhook would know, but what the definition says of it can't be used.
    Broken(String),
}

/// Objects converted in one call: a list of thousands is several reviews of a size that webhooks can take.
const MAX_OBJECTS: usize = 500;

/// A stored object in the version of `resource`.
pub(crate) async fn load(hub: &Hub, resource: &Resource, record: &Record) -> ApiResult<Value> {
    let Some(installed) = installed(hub, resource) else { return load_built_in(resource, record) };
    let mut shown = values(&installed, resource, vec![parse(&record.json)?]).await?;
    shown.pop().ok_or_else(|| ApiError::internal("a conversion left nothing"))
}

/// An object in the version of `resource`, as it is stored.
pub(crate) async fn encode(hub: &Hub, resource: &Resource, object: Value) -> ApiResult<Object> {
    let Some(installed) = installed(hub, resource) else { return stored_as_is(resource, object) };
    let wanted = format!("{}/{}", resource.group, installed.storage_version);
    let mut converted = converted(&installed, &wanted, vec![object]).await?;
    let object = converted.pop().ok_or_else(|| ApiError::internal("a conversion left nothing"))?;
    stored_as_is(resource, object)
}

/// One record as `resource` shows it.
pub(crate) async fn present_one(hub: &Hub, resource: &Resource, record: Arc<Record>) -> ApiResult<Arc<Record>> {
    let mut shown = present(hub, resource, vec![record]).await?;
    shown.pop().ok_or_else(|| ApiError::internal("a conversion left nothing"))
}

/// Records as `resource` shows them, in their order.
pub(crate) async fn present(
    hub: &Hub,
    resource: &Resource,
    mut records: Vec<Arc<Record>>,
) -> ApiResult<Vec<Arc<Record>>> {
    let Some(installed) = installed(hub, resource) else { return Ok(records) };
    let api_version = resource.api_version();
    let old = |record: &Record| record.revision <= installed.schema_since || !is_of(&record.json, &api_version);
    let places: Vec<usize> = records.iter().enumerate().filter(|(_, r)| old(r)).map(|(place, _)| place).collect();
    for places in places.chunks(MAX_OBJECTS) {
        let parsed: ApiResult<Vec<Value>> = places.iter().map(|place| parse(&records[*place].json)).collect();
        for (place, value) in places.iter().zip(values(&installed, resource, parsed?).await?) {
            let shown = Record { json: value.to_string().into(), ..(*records[*place]).clone() };
            records[*place] = Arc::new(shown);
        }
    }
    Ok(records)
}

/// An object of one row as another row of the same objects has it: another version, or another group.
pub(crate) async fn between(hub: &Hub, from: &Resource, to: &Resource, object: Value) -> ApiResult<Value> {
    if let Some(installed) = installed(hub, from) {
        let mut shown = converted(&installed, &to.api_version(), vec![object]).await?;
        let object = shown.pop().ok_or_else(|| ApiError::internal("a conversion left nothing"))?;
        return Ok(match &to.custom {
            Some(custom) => custom.read_stored(object),
            None => object,
        });
    }
    let stored = match from.rules.to_storage {
        Some(convert) => convert(object),
        None => object,
    };
    Ok(match to.rules.from_storage {
        Some(convert) => convert(stored),
        None => stored,
    })
}

fn installed(hub: &Hub, resource: &Resource) -> Option<Arc<Installed>> {
    if resource.custom.is_some() { hub.custom.installed(&resource.storage_key()) } else { None }
}

/// Whether the object says so in its first field, where ours are. One that has another first is parsed to find out.
fn is_of(json: &[u8], api_version: &str) -> bool {
    let rest = json.strip_prefix(b"{\"apiVersion\":\"".as_slice());
    rest.and_then(|rest| rest.strip_prefix(api_version.as_bytes())).is_some_and(|rest| rest.first() == Some(&b'"'))
}

/// Stored objects in the version of `resource`, through its schema.
async fn values(installed: &Installed, resource: &Resource, stored: Vec<Value>) -> ApiResult<Vec<Value>> {
    let mut shown = converted(installed, &resource.api_version(), stored).await?;
    if let Some(custom) = &resource.custom {
        for object in &mut shown {
            *object = custom.read_stored(object.take());
        }
    }
    Ok(shown)
}

/// The objects in another version.
async fn converted(installed: &Installed, wanted: &str, mut objects: Vec<Value>) -> ApiResult<Vec<Value>> {
    let places: Vec<usize> = (0..objects.len()).filter(|place| objects[*place]["apiVersion"] != wanted).collect();
    let Some(first) = places.first().map(|place| &objects[*place]) else { return Ok(objects) };
    let text = |field: &str| first[field].as_str().unwrap_or_default().to_string();
    let what = format!("{}, Kind={}", text("apiVersion"), text("kind"));
    match &installed.conversion {
        Conversion::None => {
            for place in places {
                convert_by_name(&mut objects[place], wanted);
            }
        }
        Conversion::Webhook(webhook) => {
            let asked: Vec<Value> = places.iter().map(|place| objects[*place].clone()).collect();
            let answered = webhook.convert(&what, wanted, &asked).await.map_err(failed)?;
            for (place, object) in places.into_iter().zip(answered) {
                objects[place] = object;
            }
        }
        Conversion::Broken(why) => return Err(failed(format!("conversion webhook for {what} failed: {why}"))),
    }
    Ok(objects)
}

/// 500 without more of a reason, as kube-apiserver answers when a converter fails.
fn failed(text: String) -> ApiError {
    ApiError::new(Reason::Unknown, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_an_object_is_read_from_its_first_bytes() {
        let json = br#"{"apiVersion":"example.com/v1","kind":"A"}"#;
        assert!(is_of(json, "example.com/v1"));
        assert!(!is_of(json, "example.com/v"));
        assert!(!is_of(json, "example.com/v2"));
        assert!(!is_of(br#"{"a":1,"apiVersion":"example.com/v1"}"#, "example.com/v1"));
    }
}
