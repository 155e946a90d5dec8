//! The addresses of Services as objects (KEP-1880). They come and go in the very transaction that gives a Service its
//! address or takes it away, so that neither is ever there without the other.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use coracle_api::{ApiResult, Reason, Resource, meta};
use coracle_store::{Expect, Key, Op, Scope, Txn};
use serde_json::{Value, json};

use super::commit::commit;
use super::document::encode;
use super::strategy::{Author, book_create, prepare_create};
use crate::allocate::{addresses_of, is_service};
use crate::hub::Hub;

const VERSION: &str = "networking.k8s.io/v1";
const PLURAL: &str = "ipaddresses";
/// Who made an address, in its label.
const MANAGER: &str = "ipallocator.k8s.io";
/// Objects made in one transaction when a server starts.
const BATCH: usize = 256;
/// How often a server that starts looks for what is missing.
const MAX_ATTEMPTS: usize = 8;

/// What happens to addresses when a Service that was `old` becomes `new`. One that lost its object gets another.
pub(super) fn changes(hub: &Hub, resource: &Resource, old: Option<&Value>, new: Option<&Value>) -> ApiResult<Vec<Op>> {
    // A server may be given a catalogue without addresses.
    let Some(row) = is_service(resource).then(|| hub.row(VERSION, PLURAL).ok()).flatten() else {
        return Ok(Vec::new());
    };
    let (kept, had) = (new.map(addresses_of).unwrap_or_default(), old.map(addresses_of).unwrap_or_default());
    let mut ops = Vec::new();
    for address in &kept {
        let key = key(&row, address);
        if let Some(service) = new.filter(|_| hub.store.get(&key).is_none()) {
            let object = encode(&row, object(&row, address, service))?;
            ops.push(Op::Put { key, object, expect: Expect::Absent });
        }
    }
    for address in had.iter().filter(|address| !kept.contains(address)) {
        let record = hub.store.get(&key(&row, address));
        let own = |json: &[u8]| {
            let stored: Value = serde_json::from_slice(json).unwrap_or_default();
            old.is_some_and(|service| stored["spec"]["parentRef"] == parent(service))
        };
        if let Some(record) = record.filter(|record| own(&record.json)) {
            ops.push(Op::Delete { key: record.key.clone(), expect: Expect::Revision(record.revision), last: None });
        }
    }
    Ok(ops)
}

/// Makes the objects that stored Services lack: those of a data directory that is older than them.
pub(crate) async fn ensure(hub: &Hub) -> ApiResult<()> {
    let services = hub.row("v1", "services")?;
    for _ in 0..MAX_ATTEMPTS {
        match make(hub, &services, missing(hub, &services)?).await {
            // Another server that starts was faster.
            Err(error) if error.reason == Reason::AlreadyExists => {}
            outcome => return outcome,
        }
    }
    // What is still missing comes with the next version of its Service.
    Ok(())
}

fn missing(hub: &Hub, services: &Resource) -> ApiResult<Vec<Op>> {
    let (mut ops, mut seen) = (Vec::new(), HashSet::new());
    for record in hub.store.list(&Scope::all(services.storage_key())).iter() {
        // A record that does not parse has no address.
        let Ok(service) = serde_json::from_slice::<Value>(&record.json) else { continue };
        let lacks = changes(hub, services, Some(&service), Some(&service))?;
        // Two that have the same address, which should not be, would contradict each other.
        ops.extend(lacks.into_iter().filter(|op| seen.insert(op.key().clone())));
    }
    Ok(ops)
}

async fn make(hub: &Hub, services: &Resource, ops: Vec<Op>) -> ApiResult<()> {
    for batch in ops.chunks(BATCH) {
        commit(hub, services, "", Txn::new(batch.to_vec())).await?;
    }
    Ok(())
}

fn key(row: &Resource, address: &IpAddr) -> Key {
    Key::new(row.storage_key(), "", address.to_string())
}

fn object(row: &Arc<Resource>, address: &IpAddr, service: &Value) -> Value {
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let mut object = json!({
        "apiVersion": VERSION,
        "kind": "IPAddress",
        "metadata": {
            "name": address.to_string(),
            "labels": {
                "ipaddress.kubernetes.io/ip-family": family,
                "ipaddress.kubernetes.io/managed-by": MANAGER,
            },
        },
        "spec": { "parentRef": parent(service) },
    });
    book_create(row, &mut object, &Author::server());
    prepare_create(row, &mut object);
    object
}

/// The group of Services is the empty one, which is left out.
fn parent(service: &Value) -> Value {
    json!({ "resource": "services", "namespace": meta::namespace(service), "name": meta::name(service) })
}
