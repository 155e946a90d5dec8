//! What a Service needs allocated, what it may choose itself, and what it gives back.

use std::net::IpAddr;

use coracle_api::ApiResult;
use coracle_api::field::{FieldError, Path};
use coracle_api::{ApiError, Resource, meta};
use serde_json::{Value, json};

use super::addresses::AddressError;
use super::ports::PortError;
use super::{Allocators, NodePort, Reservation, give_back, is_service, objects};

/// The resource whose objects are allocated for.
pub(super) const STORED_AS: &str = "services";

/// What health checks speak.
const HEALTH_CHECK: &str = "TCP";

/// A headless Service says this instead of an address.
const HEADLESS: &str = "None";

impl Allocators {
    /// Fills in what the Service lacks and takes what it has chosen. `old` is the stored version: what it has stays.
    pub(crate) fn reserve(&self, resource: &Resource, new: &mut Value, old: Option<&Value>) -> ApiResult<Reservation> {
        if objects::concern(resource) && old.is_none() {
            return self.reserve_object(resource, new);
        }
        if !is_service(resource) {
            return Ok(Reservation::none());
        }
        let mut reservation = Reservation::none();
        let mut errors = Vec::new();
        let owner = meta::uid(new).to_string();
        self.reserve_addresses(new, old, &owner, &mut reservation, &mut errors);
        self.reserve_ports(new, old, &owner, &mut reservation, &mut errors);
        if errors.is_empty() { Ok(reservation) } else { Err(ApiError::invalid(resource, meta::name(new), &errors)) }
    }

    /// What `old` had and `new` has not (nothing at all after a deletion) is free again. Called after the write.
    pub(crate) fn release(&self, resource: &Resource, old: &Value, new: Option<&Value>) {
        if objects::concern(resource) && new.is_none() {
            return self.release_object(old);
        }
        if !is_service(resource) {
            return;
        }
        let kept = new.map(addresses_of).unwrap_or_default();
        let mut taken = self.addresses.taken.lock();
        for address in addresses_of(old).iter().filter(|a| !kept.contains(a)) {
            give_back(&mut taken, address, meta::uid(old));
        }
        drop(taken);
        let kept = new.map(ports_of).unwrap_or_default();
        let mut taken = self.ports.taken.lock();
        for port in ports_of(old).iter().filter(|p| !kept.contains(p)) {
            give_back(&mut taken, port, meta::uid(old));
        }
    }

    /// Takes what a stored Service has.
    pub(super) fn adopt(&self, stored: &Value) {
        let uid = meta::uid(stored);
        for address in addresses_of(stored) {
            if let Err(error) = self.addresses.take(address, uid) {
                tracing::warn!(service = meta::name(stored), %address, %error, "a stored Service has an address it should not have");
            }
        }
        for port in ports_of(stored) {
            if let Err(error) = self.ports.take(port, uid) {
                tracing::warn!(service = meta::name(stored), port = port.1, %error, "a stored Service has a node port it should not have");
            }
        }
    }

    fn reserve_addresses(
        &self,
        new: &mut Value,
        old: Option<&Value>,
        owner: &str,
        reservation: &mut Reservation,
        errors: &mut Vec<FieldError>,
    ) {
        if kind_of(new) == "ExternalName" {
            return;
        }
        let had = old.filter(|o| kind_of(o) != "ExternalName");
        let spec = &new["spec"];
        let chosen = spec["clusterIP"].as_str().filter(|ip| !ip.is_empty());
        let chosen = chosen.or_else(|| spec["clusterIPs"][0].as_str()).unwrap_or_default().to_string();
        // An update that does not mention the address keeps it: clients that PUT what they once wrote do so.
        let kept = had.and_then(|o| o["spec"]["clusterIP"].as_str()).unwrap_or_default();
        let wanted = if chosen.is_empty() { kept.to_string() } else { chosen };
        if wanted == HEADLESS || (!wanted.is_empty() && wanted == kept) {
            return set_address(new, &wanted);
        }
        let taken = match wanted.parse::<IpAddr>() {
            Ok(address) => self.addresses.take(address, owner).map(|()| address),
            Err(_) if wanted.is_empty() => self.addresses.take_any(owner),
            // Not an address: validation has said so already, or will.
            Err(_) => return,
        };
        match taken {
            Ok(address) => {
                reservation.add(&self.addresses.taken, address);
                set_address(new, &address.to_string());
            }
            Err(error) => errors.push(address_error(&wanted, &error)),
        }
    }

    fn reserve_ports(
        &self,
        new: &mut Value,
        old: Option<&Value>,
        owner: &str,
        reservation: &mut Reservation,
        errors: &mut Vec<FieldError>,
    ) {
        let needs = needs_ports(new);
        let had = old.map(ports_of).unwrap_or_default();
        // By pointer: indexing for writing would leave a null where there is nothing.
        let Some(ports) = new.pointer_mut("/spec/ports").and_then(Value::as_array_mut) else { return };
        let mut seen: Vec<NodePort> = Vec::new();
        // One number in two protocols gets one node port for both.
        let mut given: Vec<(u64, u16)> = Vec::new();
        for (index, port) in ports.iter_mut().enumerate() {
            let path = Path::root("spec").child("ports").index(index).child("nodePort");
            let protocol = protocol_of(port);
            let chosen = port["nodePort"].as_u64().and_then(|p| u16::try_from(p).ok()).filter(|p| *p > 0);
            match chosen {
                // Two ports of one Service may share a node port only when they differ in protocol: validated.
                Some(number) if had.contains(&(protocol, number)) || seen.contains(&(protocol, number)) => {}
                Some(number) => match self.ports.take((protocol, number), owner) {
                    Ok(()) => reservation.add(&self.ports.taken, (protocol, number)),
                    Err(error) => errors.push(FieldError::invalid(&path, &json!(number), &error.to_string())),
                },
                None if needs => match self.take_like(&given, port["port"].as_u64(), protocol, owner) {
                    Ok(number) => {
                        reservation.add(&self.ports.taken, (protocol, number));
                        port["nodePort"] = json!(number);
                    }
                    Err(error) => {
                        let detail = format!("failed to allocate a nodePort: {error}");
                        errors.push(FieldError::invalid(&path, &json!(0), &detail));
                    }
                },
                None => {}
            }
            let number = port["nodePort"].as_u64().and_then(|p| u16::try_from(p).ok());
            seen.extend(number.map(|p| (protocol, p)));
            given.extend(port["port"].as_u64().zip(number.filter(|n| *n > 0)));
        }
        self.reserve_health_check(new, old, owner, reservation, errors);
    }

    /// A free node port: the one that the same port has in another protocol, if that is free.
    fn take_like(
        &self,
        given: &[(u64, u16)],
        port: Option<u64>,
        protocol: &'static str,
        owner: &str,
    ) -> Result<u16, PortError> {
        let twin = given.iter().find(|(number, _)| Some(*number) == port).map(|(_, node_port)| *node_port);
        match twin {
            Some(number) if self.ports.take((protocol, number), owner).is_ok() => Ok(number),
            _ => self.ports.take_any(protocol, owner),
        }
    }

    /// Load balancers that keep traffic on the node ask a port of the node whether it has endpoints.
    fn reserve_health_check(
        &self,
        new: &mut Value,
        old: Option<&Value>,
        owner: &str,
        reservation: &mut Reservation,
        errors: &mut Vec<FieldError>,
    ) {
        if !is_health_checked(new) {
            return;
        }
        let chosen = health_check_of(new);
        if chosen.is_some() && chosen == old.and_then(health_check_of) {
            return;
        }
        let taken = match chosen {
            Some(number) => self.ports.take((HEALTH_CHECK, number), owner).map(|()| number),
            None => self.ports.take_any(HEALTH_CHECK, owner),
        };
        match taken {
            Ok(number) => {
                reservation.add(&self.ports.taken, (HEALTH_CHECK, number));
                new["spec"]["healthCheckNodePort"] = json!(number);
            }
            Err(error) => {
                let path = Path::root("spec").child("healthCheckNodePort");
                let detail = format!("failed to allocate requested HealthCheck NodePort: {error}");
                errors.push(FieldError::invalid(&path, &json!(chosen.unwrap_or_default()), &detail));
            }
        }
    }
}

fn is_health_checked(service: &Value) -> bool {
    kind_of(service) == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local"
}

fn health_check_of(service: &Value) -> Option<u16> {
    service["spec"]["healthCheckNodePort"].as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0)
}

fn set_address(service: &mut Value, address: &str) {
    service["spec"]["clusterIP"] = json!(address);
    service["spec"]["clusterIPs"] = json!([address]);
}

fn address_error(wanted: &str, error: &AddressError) -> FieldError {
    let path = Path::root("spec").child("clusterIPs");
    if wanted.is_empty() {
        let detail = format!("failed to allocate a serviceIP: {error}");
        return FieldError::invalid(&path, &json!([]), &detail);
    }
    FieldError::invalid(&path, &json!([wanted]), &format!("failed to allocate IP {wanted}: {error}"))
}

fn kind_of(service: &Value) -> &str {
    service["spec"]["type"].as_str().unwrap_or("ClusterIP")
}

fn needs_ports(service: &Value) -> bool {
    match kind_of(service) {
        "NodePort" => true,
        "LoadBalancer" => service["spec"]["allocateLoadBalancerNodePorts"].as_bool().unwrap_or(true),
        _ => false,
    }
}

fn protocol_of(port: &Value) -> &'static str {
    match port["protocol"].as_str() {
        Some("UDP") => "UDP",
        Some("SCTP") => "SCTP",
        _ => "TCP",
    }
}

/// The addresses that a Service has.
pub(crate) fn addresses_of(service: &Value) -> Vec<IpAddr> {
    let all = service["spec"]["clusterIPs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<IpAddr> = all.iter().filter_map(|ip| ip.as_str()?.parse().ok()).collect();
    let first: Option<IpAddr> = service["spec"]["clusterIP"].as_str().and_then(|ip| ip.parse().ok());
    found.extend(first.filter(|_| all.is_empty()));
    found
}

fn ports_of(service: &Value) -> Vec<NodePort> {
    let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |p: &Value| p["nodePort"].as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    let checked = health_check_of(service).map(|number| (HEALTH_CHECK, number));
    ports.iter().filter_map(|p| Some((protocol_of(p), number(p)?))).chain(checked).collect()
}
