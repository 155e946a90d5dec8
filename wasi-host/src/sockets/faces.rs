//! What a guest knows of its sockets' addresses.
//!
//! Below, every socket of a pod has the pod's one address. A guest that has bound or dialled its localhost sees that, as in a
//! network namespace of its own. A pod's address is of one family, and its localhost of both: a socket of the other family is
//! exchanged for one of the pod's before it is used there, or is one from the start ([`Face::foreign`]), and the guest sees the
//! one that it made.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// What the guest knows of one socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Face {
    /// The guest made a socket of the family that the pod's address is not of.
    pub foreign: bool,
    /// The guest has bound it to localhost.
    pub bound: bool,
    /// The guest has connected it to localhost.
    pub dialled: bool,
}

impl Face {
    /// The socket's own address as the guest sees it.
    pub fn local(self, pod: IpAddr, real: SocketAddr) -> SocketAddr {
        match real.ip() == pod {
            true if self.bound || self.dialled => SocketAddr::new(self.localhost(pod), real.port()),
            true if self.foreign => SocketAddr::new(unspecified(!pod.is_ipv4()), real.port()),
            _ => real,
        }
    }

    /// The address of somebody else: of the pod itself, where the socket is at localhost.
    pub fn remote(self, pod: IpAddr, real: SocketAddr) -> SocketAddr {
        let is_local = self.foreign || self.bound || self.dialled;
        if real.ip() == pod && is_local { SocketAddr::new(self.localhost(pod), real.port()) } else { real }
    }

    fn localhost(self, pod: IpAddr) -> IpAddr {
        match pod.is_ipv4() != self.foreign {
            true => Ipv4Addr::LOCALHOST.into(),
            false => Ipv6Addr::LOCALHOST.into(),
        }
    }
}

fn unspecified(is_ipv4: bool) -> IpAddr {
    if is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Whether a socket of a family can have anything to do with an address. An IPv4 address in the form of IPv6 is neither:
/// sockets of WASI are of one family.
pub(super) fn fits(address: IpAddr, is_ipv4: bool) -> bool {
    match address {
        IpAddr::V4(_) => is_ipv4,
        IpAddr::V6(address) => !is_ipv4 && address.to_ipv4_mapped().is_none(),
    }
}

/// Whether an address can be one machine's, as those of TCP must be.
pub(super) fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_multicast() && !address.is_broadcast(),
        IpAddr::V6(address) => !address.is_multicast(),
    }
}

/// The faces of an instance's sockets, by their numbers in its table.
#[derive(Default)]
pub(super) struct Faces {
    of: HashMap<u32, Face>,
    /// The faces of sockets that listen, by their ports: a connection has that of the socket that accepted it.
    listening: HashMap<u16, Face>,
}

impl Faces {
    /// The face of a socket. One that is seen for the first time was accepted, at the port that `local_port` finds out.
    pub fn of(&mut self, rep: u32, local_port: impl FnOnce() -> Option<u16>) -> Face {
        *self
            .of
            .entry(rep)
            .or_insert_with(|| local_port().and_then(|port| self.listening.get(&port).copied()).unwrap_or_default())
    }

    /// A socket that the guest has made has nothing of others that had its number or port.
    pub fn made(&mut self, rep: u32) {
        self.of.insert(rep, Face::default());
    }

    /// Changes what is known of a socket.
    pub fn change(&mut self, rep: u32, change: impl FnOnce(&mut Face)) {
        change(self.of.entry(rep).or_default());
    }

    /// The socket listens at `port`.
    pub fn listens(&mut self, rep: u32, port: u16) {
        match self.of.get(&rep).copied().unwrap_or_default() {
            face if face == Face::default() => drop(self.listening.remove(&port)),
            face => drop(self.listening.insert(port, face)),
        }
    }

    /// The socket is gone.
    pub fn forget(&mut self, rep: u32) {
        self.of.remove(&rep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn localhost_is_seen_where_it_was_asked_for() {
        let pod: IpAddr = "127.64.0.2".parse().unwrap();
        let (real, peer, far) = (at("127.64.0.2:80"), at("127.64.0.2:9"), at("127.64.0.3:9"));
        let none = Face::default();
        assert_eq!((none.local(pod, real), none.remote(pod, peer)), (real, peer));
        let bound = Face { bound: true, ..none };
        assert_eq!((bound.local(pod, real), bound.remote(pod, peer)), (at("127.0.0.1:80"), at("127.0.0.1:9")));
        assert_eq!(bound.remote(pod, far), far);
        let foreign = Face { foreign: true, ..none };
        assert_eq!((foreign.local(pod, real), foreign.remote(pod, peer)), (at("[::]:80"), at("[::1]:9")));
        let dialled = Face { dialled: true, ..foreign };
        assert_eq!(dialled.local(pod, real), at("[::1]:80"));
        let pod6: IpAddr = "fd00::2".parse().unwrap();
        assert_eq!(dialled.local(pod6, at("[fd00::2]:80")), at("127.0.0.1:80"));
    }

    #[test]
    fn a_connection_has_the_face_of_the_socket_that_accepted_it() {
        let mut faces = Faces::default();
        let bound = Face { bound: true, ..Face::default() };
        faces.made(1);
        faces.change(1, |face| face.bound = true);
        faces.listens(1, 80);
        assert_eq!(faces.of(2, || Some(80)), bound);
        assert_eq!(faces.of(3, || Some(81)), Face::default());
        assert_eq!(faces.of(2, || None), bound, "it is known from then on");
        faces.forget(2);
        faces.made(2);
        assert_eq!(faces.of(2, || Some(80)), Face::default());
        faces.made(4);
        faces.listens(4, 80);
        assert_eq!(faces.of(5, || Some(80)), Face::default(), "another one listens there now");
    }

    #[test]
    fn families_are_not_mixed() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(fits(address("127.0.0.1"), true) && fits(address("::1"), false));
        assert!(!fits(address("127.0.0.1"), false) && !fits(address("::1"), true));
        assert!(!fits(address("::ffff:127.0.0.1"), false));
        assert!(is_unicast(address("10.0.0.1")) && is_unicast(address("::1")));
        assert!(["224.0.0.1", "255.255.255.255", "ff02::1"].iter().all(|text| !is_unicast(address(text))));
    }
}
