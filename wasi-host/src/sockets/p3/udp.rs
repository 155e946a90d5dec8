//! UDP sockets of WASI 0.3.

use std::net::SocketAddr;

use futures::FutureExt;
use wasmtime::component::{Accessor, Resource};
use wasmtime_wasi::{
    p3::{
        bindings::sockets::types::{self as udp, ErrorCode, HostUdpSocketWithStore, IpAddressFamily, IpSocketAddress},
        sockets::{SocketError, SocketResult},
    },
    sockets::{UdpSocket, WasiSockets},
};

use super::{
    super::{
        HasPodSockets, PodSockets,
        delegate::delegate_udp,
        faces::{Face, fits},
    },
    family, inner, is_ipv4,
};
use crate::{limits, pod::is_localhost, sandbox::Sandbox};

impl PodSockets<'_> {
    fn is_udp_bound(&mut self, socket: &Resource<UdpSocket>) -> bool {
        udp::HostUdpSocket::get_local_address(&mut self.inner, again(socket)).is_ok()
    }

    fn udp_face(&mut self, socket: &Resource<UdpSocket>) -> Face {
        self.places.faces.of(socket.rep(), || None)
    }

    /// The family as the guest sees it.
    fn seen_udp_family(&mut self, socket: &Resource<UdpSocket>) -> wasmtime::Result<IpAddressFamily> {
        let face = self.udp_face(socket);
        let real = udp::HostUdpSocket::get_address_family(&mut self.inner, again(socket))?;
        Ok(family(is_ipv4(real) != face.foreign))
    }

    /// Where datagrams to `wanted` go. A socket that the guest has not bound has the pod's address then: what it receives
    /// is the pod's, too.
    fn prepare_udp(&mut self, socket: &Resource<UdpSocket>, wanted: SocketAddr) -> SocketResult<SocketAddr> {
        let family = self.seen_udp_family(socket).map_err(SocketError::trap)?;
        let target = self.target(wanted, is_ipv4(family))?;
        let own = self.own_address();
        let is_foreign = is_ipv4(family) != own.is_ipv4();
        if is_foreign && target.ip() != own {
            return Err(ErrorCode::RemoteUnreachable.into());
        }
        if !self.is_udp_bound(socket) {
            self.bind_udp_now(socket, SocketAddr::new(own, 0))?;
        }
        Ok(target)
    }

    /// As with TCP, binding waits for nothing but the check of the address, which is ours and ready at once.
    fn bind_udp_now(&mut self, socket: &Resource<UdpSocket>, address: SocketAddr) -> SocketResult<()> {
        udp::HostUdpSocket::bind(&mut self.inner, again(socket), address.into())
            .now_or_never()
            .unwrap_or(Err(ErrorCode::Other(None).into()))
    }
}

fn again(socket: &Resource<UdpSocket>) -> Resource<UdpSocket> {
    Resource::new_borrow(socket.rep())
}

impl HostUdpSocketWithStore<Sandbox> for HasPodSockets {
    async fn send(
        store: &Accessor<Sandbox, Self>,
        socket: Resource<UdpSocket>,
        data: Vec<u8>,
        remote: Option<IpSocketAddress>,
    ) -> SocketResult<()> {
        if data.len() > limits::DATAGRAM_LIMIT_BYTES {
            return Err(ErrorCode::DatagramTooLarge.into());
        }
        let (target, shared) = store.with(|mut access| -> SocketResult<_> {
            let mut sockets = access.get();
            let wanted = remote.map(SocketAddr::from);
            let target = wanted.map(|wanted| sockets.prepare_udp(&socket, wanted)).transpose()?;
            Ok((target, sockets.places.shared()))
        })?;
        // As a full buffer of the kernel (ENOBUFS): waiting here would pile up what is to be sent.
        let _place = shared.datagrams.try_acquire().map_err(|_| ErrorCode::OutOfMemory)?;
        let store = store.with_getter::<WasiSockets>(inner);
        let target = target.map(IpSocketAddress::from);
        <WasiSockets as HostUdpSocketWithStore<Sandbox>>::send(&store, socket, data, target).await
    }

    async fn receive(
        store: &Accessor<Sandbox, Self>,
        socket: Resource<UdpSocket>,
    ) -> SocketResult<(Vec<u8>, IpSocketAddress)> {
        let (shared, face, own) = store.with(|mut access| {
            let mut sockets = access.get();
            (sockets.places.shared(), sockets.udp_face(&socket), sockets.own_address())
        });
        let _turn = shared.datagrams.acquire().await.map_err(|_| ErrorCode::Other(None))?;
        let store = store.with_getter::<WasiSockets>(inner);
        let (data, sender) = <WasiSockets as HostUdpSocketWithStore<Sandbox>>::receive(&store, socket).await?;
        Ok((data, face.remote(own, sender.into()).into()))
    }
}

impl udp::HostUdpSocket for PodSockets<'_> {
    async fn bind(&mut self, socket: Resource<UdpSocket>, local: IpSocketAddress) -> SocketResult<()> {
        let wanted = SocketAddr::from(local);
        let family = self.seen_udp_family(&socket).map_err(SocketError::trap)?;
        if !fits(wanted.ip(), is_ipv4(family)) {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let real = self.bindable(wanted)?;
        udp::HostUdpSocket::bind(&mut self.inner, again(&socket), real.into()).await?;
        self.places.faces.change(socket.rep(), |face| face.bound = is_localhost(wanted.ip()));
        Ok(())
    }

    async fn connect(&mut self, socket: Resource<UdpSocket>, remote: IpSocketAddress) -> SocketResult<()> {
        let wanted = SocketAddr::from(remote);
        let target = self.prepare_udp(&socket, wanted)?;
        udp::HostUdpSocket::connect(&mut self.inner, again(&socket), target.into()).await?;
        self.places.faces.change(socket.rep(), |face| face.dialled = is_localhost(wanted.ip()));
        Ok(())
    }

    async fn create(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        // See `HostTcpSocket::create`.
        let place = self.places.take().ok_or(ErrorCode::OutOfMemory)?;
        // Of the pod's family at once, whichever the guest names: a new socket is waited for until it can be written, and
        // where datagrams are sent nobody can wait for another one.
        let own = self.own_family();
        let socket = udp::HostUdpSocket::create(&mut self.inner, own).await?;
        self.places.settle(socket.rep(), place);
        self.places.faces.change(socket.rep(), |face| face.foreign = is_ipv4(family) != is_ipv4(own));
        Ok(socket)
    }

    fn disconnect(&mut self, socket: Resource<UdpSocket>) -> SocketResult<()> {
        udp::HostUdpSocket::disconnect(&mut self.inner, again(&socket))?;
        self.places.faces.change(socket.rep(), |face| face.dialled = false);
        Ok(())
    }

    fn get_local_address(&mut self, socket: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let (face, own) = (self.udp_face(&socket), self.own_address());
        let real = udp::HostUdpSocket::get_local_address(&mut self.inner, socket)?;
        Ok(face.local(own, real.into()).into())
    }

    fn get_remote_address(&mut self, socket: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let (face, own) = (self.udp_face(&socket), self.own_address());
        let real = udp::HostUdpSocket::get_remote_address(&mut self.inner, socket)?;
        Ok(face.remote(own, real.into()).into())
    }

    fn get_address_family(&mut self, socket: Resource<UdpSocket>) -> wasmtime::Result<IpAddressFamily> {
        self.seen_udp_family(&socket)
    }

    fn drop(&mut self, socket: Resource<UdpSocket>) -> wasmtime::Result<()> {
        self.places.leave(socket.rep());
        udp::HostUdpSocket::drop(&mut self.inner, socket)
    }

    delegate_udp! {
        fn get_unicast_hop_limit() -> SocketResult<u8>;
        fn set_unicast_hop_limit(value: u8) -> SocketResult<()>;
        fn get_receive_buffer_size() -> SocketResult<u64>;
        fn set_receive_buffer_size(value: u64) -> SocketResult<()>;
        fn get_send_buffer_size() -> SocketResult<u64>;
        fn set_send_buffer_size(value: u64) -> SocketResult<()>;
    }
}
