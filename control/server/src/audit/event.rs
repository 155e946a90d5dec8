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
/// Where a request has come by: addresses that are written. Upstream has no bound but that of a head.
const HOPS: usize = 16;

/// The address at the other end of a connection, among a request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Origin {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let addresses = addresses(text("x-forwarded-for"), text("x-real-ip"), peer);
        let given = text("audit-id");
        let is_usable = !given.is_empty() && given.len() <= ID_LIMIT_BYTES;
        Self {
            audit_id: if is_usable { given.to_string() } else { Uuid::new_v4().to_string() },
            method: request.method().as_str().to_string(),
            uri: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            agent: text("user-agent").to_string(),
        }
    }

    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }
}

/// The addresses that a request has come by (`SourceIPs`): what proxies say, and last the one at the other end of the
/// connection, which nobody can make up. When proxies say much, what was said first is left out: whoever sends a request
/// begins the list, and could hide behind it.
fn addresses(forwarded: &str, real: &str, peer: Option<IpAddr>) -> Vec<IpAddr> {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let said = forwarded.rsplit(',').filter_map(|hop| address(hop.trim()));
    let mut addresses: Vec<IpAddr> = said.take(HOPS - 2).collect();
    addresses.reverse();
    let real = address(real).filter(|real| !addresses.contains(real));
    addresses.extend(real);
    let peer = peer.map(|peer| peer.to_canonical()).filter(|peer| addresses.last() != Some(peer));
    addresses.extend(peer);
    addresses
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(forwarded: &str, real: &str, peer: &str) -> Vec<String> {
        addresses(forwarded, real, peer.parse().ok()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn proxies_come_first_and_the_peer_last() {
        assert_eq!(
            written("192.0.2.1, nobody, 2001:db8::1", "192.0.2.9", "198.51.100.1").join(" "),
            "192.0.2.1 2001:db8::1 192.0.2.9 198.51.100.1"
        );
        assert_eq!(written("192.0.2.1,192.0.2.2", "192.0.2.1", "192.0.2.2"), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(written("", "", "::ffff:198.51.100.1"), ["198.51.100.1"]);
        assert!(written("", "", "").is_empty());
    }

    #[test]
    fn nobody_hides_the_peer_behind_a_long_list() {
        let many: Vec<String> = (0..1000).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
        let found = written(&many.join(","), "192.0.2.9", "198.51.100.1");
        assert_eq!(found.len(), HOPS);
        assert_eq!(found[HOPS - 3..], ["10.0.3.249", "192.0.2.9", "198.51.100.1"]);
    }
}
