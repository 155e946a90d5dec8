//! Addresses and ports of Services: handed out in memory, rebuilt from the store at start.
//!
//! A reservation is made before the Service is written and given back unless the write succeeds, so two requests can
//! never get the same address, and a refused write leaves no trace.
//!
//! The addresses are objects, too: those of Services are written with them (`write/address_objects.rs`), and one that
//! somebody makes takes its address away from Services.

mod addresses;
mod objects;
mod ports;
mod service;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use coracle_api::Resource;
use coracle_store::{Scope, Store};
use parking_lot::Mutex;
use serde_json::Value;

use crate::config::ServerConfig;
use crate::server::StartError;

pub(crate) use service::addresses_of;

/// Things that are taken, by the uid of the object that has them.
type Taken<T> = Arc<Mutex<HashMap<T, String>>>;

/// A node port: TCP 30080 and UDP 30080 are two.
type NodePort = (&'static str, u16);

/// What can be allocated.
pub(crate) struct Allocators {
    addresses: addresses::Addresses,
    ports: ports::Ports,
}

impl Allocators {
    /// Everything that the stored Services have is taken.
    pub(crate) fn rebuild(store: &Store, config: &ServerConfig) -> Result<Self, StartError> {
        let addresses =
            addresses::Addresses::new(config.service_cidr).ok_or(StartError::ServiceNetwork(config.service_cidr))?;
        let allocators = Self { addresses, ports: ports::Ports::new(config.node_port_range.clone()) };
        for record in store.list(&Scope::all(service::STORED_AS)).iter() {
            // A record that does not parse has nothing that could be taken from it.
            let Ok(stored) = serde_json::from_slice::<Value>(&record.json) else { continue };
            allocators.adopt(&stored);
        }
        for record in store.list(&Scope::all(objects::STORED_AS)).iter() {
            let Ok(stored) = serde_json::from_slice::<Value>(&record.json) else { continue };
            allocators.adopt_object(&stored);
        }
        Ok(allocators)
    }

    /// The first address of the network: that of the `kubernetes` Service.
    pub(crate) fn first_address(&self) -> IpAddr {
        self.addresses.first()
    }
}

/// Whether the objects of this resource are Services.
pub(crate) fn is_service(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == service::STORED_AS
}

fn give_back<T: Hash + Eq>(taken: &mut HashMap<T, String>, what: &T, uid: &str) {
    // Only what is really this object's: a stored duplicate must not free somebody else's.
    if taken.get(what).is_some_and(|owner| owner == uid) {
        taken.remove(what);
    }
}

/// Something taken for a write that is under way. Dropped without [`Reservation::keep`], it is free again.
pub(crate) struct Reservation {
    give_back: Vec<Box<dyn FnOnce() + Send>>,
}

impl Reservation {
    fn none() -> Self {
        Self { give_back: Vec::new() }
    }

    fn add<T: Hash + Eq + Send + 'static>(&mut self, taken: &Taken<T>, what: T) {
        let taken = taken.clone();
        self.give_back.push(Box::new(move || {
            taken.lock().remove(&what);
        }));
    }

    /// The write has happened.
    pub(crate) fn keep(mut self) {
        self.give_back.clear();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for give_back in self.give_back.drain(..) {
            give_back();
        }
    }
}
