//! `IPAddress` objects (KEP-1880): one that somebody makes takes its address away from Services.

use std::net::IpAddr;

use coracle_api::{ApiError, ApiResult, Resource, meta};
use serde_json::Value;

use super::addresses::AddressError;
use super::{Allocators, Reservation, give_back};

/// Where the objects are stored.
pub(super) const STORED_AS: &str = "ipaddresses.networking.k8s.io";

/// Whether the resource is that of the addresses.
pub(super) fn concern(resource: &Resource) -> bool {
    resource.group == "networking.k8s.io" && resource.plural == "ipaddresses"
}

impl Allocators {
    /// Takes the address that a new object is called by. One outside of the network of Services is nobody's concern.
    pub(super) fn reserve_object(&self, resource: &Resource, object: &Value) -> ApiResult<Reservation> {
        let mut reservation = Reservation::none();
        let Some(address) = address_of(object) else { return Ok(reservation) };
        match self.addresses.take(address, meta::uid(object)) {
            Ok(()) => reservation.add(&self.addresses.taken, address),
            Err(AddressError::Taken) => return Err(ApiError::already_exists(resource, meta::name(object))),
            Err(AddressError::OutOfRange { .. } | AddressError::Full) => {}
        }
        Ok(reservation)
    }

    /// The object is gone; an address that a Service has stays taken.
    pub(super) fn release_object(&self, object: &Value) {
        if let Some(address) = address_of(object) {
            give_back(&mut self.addresses.taken.lock(), &address, meta::uid(object));
        }
    }

    /// Takes the address of a stored object, unless a Service has it already.
    pub(super) fn adopt_object(&self, stored: &Value) {
        if let Some(address) = address_of(stored) {
            let _ = self.addresses.take(address, meta::uid(stored));
        }
    }
}

fn address_of(object: &Value) -> Option<IpAddr> {
    meta::name(object).parse().ok()
}
