//! UDP sockets of WASI 0.3.

use wasmtime::component::{Accessor, Resource};
use wasmtime_wasi::{
    p3::{
        bindings::sockets::types::{self as udp, ErrorCode, HostUdpSocketWithStore, IpAddressFamily, IpSocketAddress},
        sockets::SocketResult,
    },
    sockets::{UdpSocket, WasiSockets},
};

use super::{
    super::{HasPodSockets, PodSockets, delegate::delegate_udp},
    inner,
};
use crate::{limits, sandbox::Sandbox};

impl PodSockets<'_> {
    /// Binds a socket that the guest has not bound to the pod's address: what it receives then is the pod's, too.
    fn bind_before_use(&mut self, socket: &Resource<UdpSocket>) -> SocketResult<()> {
        use futures::FutureExt;

        let again = || Resource::new_borrow(socket.rep());
        if udp::HostUdpSocket::get_local_address(&mut self.inner, again()).is_ok() {
            return Ok(());
        }
        let family = udp::HostUdpSocket::get_address_family(&mut self.inner, again());
        let address = family.ok().and_then(|family| self.any_port(family)).ok_or(ErrorCode::RemoteUnreachable)?;
        udp::HostUdpSocket::bind(&mut self.inner, again(), address.into())
            .now_or_never()
            .unwrap_or(Err(ErrorCode::Other(None).into()))
    }
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
            let target = remote.map(|remote| sockets.target(remote)).transpose()?;
            sockets.bind_before_use(&socket)?;
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
        let shared = store.with(|mut access| access.get().places.shared());
        let _turn = shared.datagrams.acquire().await.map_err(|_| ErrorCode::Other(None))?;
        let store = store.with_getter::<WasiSockets>(inner);
        <WasiSockets as HostUdpSocketWithStore<Sandbox>>::receive(&store, socket).await
    }
}

impl udp::HostUdpSocket for PodSockets<'_> {
    async fn bind(&mut self, socket: Resource<UdpSocket>, local: IpSocketAddress) -> SocketResult<()> {
        let real = self.pod.bindable(local.into()).ok_or(ErrorCode::AddressNotBindable)?;
        udp::HostUdpSocket::bind(&mut self.inner, socket, real.into()).await
    }

    async fn connect(&mut self, socket: Resource<UdpSocket>, remote: IpSocketAddress) -> SocketResult<()> {
        let target = self.target(remote)?;
        self.bind_before_use(&socket)?;
        udp::HostUdpSocket::connect(&mut self.inner, socket, target.into()).await
    }

    async fn create(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        // See `HostTcpSocket::create`.
        let place = self.places.take().ok_or(ErrorCode::OutOfMemory)?;
        let socket = udp::HostUdpSocket::create(&mut self.inner, family).await?;
        self.places.settle(socket.rep(), place);
        Ok(socket)
    }

    fn drop(&mut self, socket: Resource<UdpSocket>) -> wasmtime::Result<()> {
        self.places.leave(socket.rep());
        udp::HostUdpSocket::drop(&mut self.inner, socket)
    }

    delegate_udp! {
        fn disconnect() -> SocketResult<()>;
        fn get_local_address() -> SocketResult<IpSocketAddress>;
        fn get_remote_address() -> SocketResult<IpSocketAddress>;
        fn get_address_family() -> wasmtime::Result<IpAddressFamily>;
        fn get_unicast_hop_limit() -> SocketResult<u8>;
        fn set_unicast_hop_limit(value: u8) -> SocketResult<()>;
        fn get_receive_buffer_size() -> SocketResult<u64>;
        fn set_receive_buffer_size(value: u64) -> SocketResult<()>;
        fn get_send_buffer_size() -> SocketResult<u64>;
        fn set_send_buffer_size(value: u64) -> SocketResult<()>;
    }
}
