//! One event of the audit log, `audit.k8s.io/v1 Event`.

use std::net::IpAddr;

use coracle_api::meta;
use http::Request;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::policy::{Level, Stage};
use crate::authz::{Attributes, Subject};
use crate::identity::User;

/// What is the same in all events of a request.
#[derive(Debug, Clone)]
pub(super) struct Event(Map<String, Value>);

/// Where a request comes from and what it literally asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// Chosen here, or by a proxy in front of this server.
    pub(crate) audit_id: String,
    pub(crate) method: String,
    uri: String,
    addresses: Vec<String>,
    agent: String,
}

/// Bytes of an `Audit-ID` that somebody else has chosen.
const ID_LIMIT_BYTES: usize = 64;
/// Where a request has come by, if proxies say so: hops that are written.
const HOPS: usize = 16;

/// The address at the other end of a connection, among a request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Origin {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let forwarded = text("x-forwarded-for").split(',').filter_map(|hop| hop.trim().parse::<IpAddr>().ok());
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let mut addresses: Vec<String> = forwarded.chain(peer).take(HOPS).map(|address| address.to_string()).collect();
        addresses.dedup();
        let given = text("audit-id");
        let is_usable = !given.is_empty() && given.len() <= ID_LIMIT_BYTES;
        Self {
            audit_id: if is_usable { given.to_string() } else { Uuid::new_v4().to_string() },
            method: request.method().as_str().to_string(),
            uri: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            addresses,
            agent: text("user-agent").to_string(),
        }
    }

    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }
}

impl Event {
    pub(super) fn new(level: Level, origin: &Origin, user: Option<&User>, attributes: &Attributes<'_>) -> Self {
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": level, "auditID": origin.audit_id,
            "requestURI": origin.uri, "verb": attributes.verb,
            "user": user.map(User::info).unwrap_or_else(|| json!({})),
            "sourceIPs": origin.addresses, "userAgent": origin.agent, "requestReceivedTimestamp": micros(Timestamp::now()),
        });
        if let Subject::Resource { group, resource, subresource, namespace, name } = attributes.target {
            let fields = [
                ("resource", resource),
                ("namespace", namespace),
                ("name", name),
                ("apiGroup", group),
                ("subresource", subresource),
            ];
            let set = fields.into_iter().filter(|(_, value)| !value.is_empty());
            event["objectRef"] = Value::Object(set.map(|(field, value)| (field.into(), json!(value))).collect());
        }
        let Value::Object(fields) = event else { return Self(Map::new()) };
        Self(fields)
    }

    pub(super) fn set(&mut self, field: &str, value: Value) {
        self.0.insert(field.into(), value);
    }

    /// The version of the API that was asked for.
    pub(super) fn set_version(&mut self, version: &str) {
        if let Some(reference) = self.0.get_mut("objectRef").and_then(Value::as_object_mut) {
            reference.insert("apiVersion".into(), json!(version));
        }
    }

    /// Completes the reference by what the body of the request says about the object.
    pub(super) fn name(&mut self, object: &Value) {
        let Some(reference) = self.0.get_mut("objectRef").and_then(Value::as_object_mut) else { return };
        let known = [
            ("name", meta::name(object)),
            ("uid", meta::uid(object)),
            ("resourceVersion", meta::resource_version(object)),
        ];
        for (field, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
            reference.entry(field).or_insert_with(|| json!(value));
        }
    }

    /// The event of a stage, as a line.
    pub(super) fn line(&self, stage: Stage) -> String {
        let mut event = self.0.clone();
        event.insert("stage".into(), json!(stage));
        event.insert("stageTimestamp".into(), json!(micros(Timestamp::now())));
        Value::Object(event).to_string()
    }
}

/// An object without what `omitManagedFields` leaves out; in a list, of each item.
pub(super) fn without_books(mut object: Value) -> Value {
    let strip = |object: &mut Value| {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    };
    strip(&mut object);
    object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten().for_each(strip);
    object
}

fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
