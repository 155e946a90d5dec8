//! UDP sockets: where a pod's addresses become real ones.

use std::net::SocketAddr;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{
    DynPollable, Network, SocketResult, UdpSocket,
    bindings::sockets::{
        network::{ErrorCode, IpAddressFamily, IpSocketAddress},
        udp, udp_create_socket,
    },
};

use super::{PodSockets, delegate::delegate_udp, error_code};

type Streams = (Resource<udp::IncomingDatagramStream>, Resource<udp::OutgoingDatagramStream>);

impl udp::Host for PodSockets<'_> {}

impl udp_create_socket::Host for PodSockets<'_> {
    async fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        let place = self.places.take().ok_or(ErrorCode::NewSocketLimit)?;
        let socket = self.inner.create_udp_socket(family).await?;
        self.places.settle(socket.rep(), place);
        Ok(socket)
    }
}

impl PodSockets<'_> {
    /// Where datagrams to `remote` really go.
    fn real_remote(&self, remote: IpSocketAddress) -> SocketResult<IpSocketAddress> {
        let wanted = SocketAddr::from(remote);
        if wanted.port() == 0 || wanted.ip().is_unspecified() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let target = self.pod.route(wanted).map_err(error_code)?;
        if target.is_ipv4() != wanted.is_ipv4() {
            return Err(ErrorCode::RemoteUnreachable.into());
        }
        Ok(target.into())
    }
}

impl udp::HostUdpSocket for PodSockets<'_> {
    async fn start_bind(
        &mut self,
        socket: Resource<UdpSocket>,
        network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        let wanted = SocketAddr::from(local);
        let real = self.pod.bindable(wanted).filter(|real| real.is_ipv4() == wanted.is_ipv4());
        let real = real.ok_or(ErrorCode::AddressNotBindable)?;
        udp::HostUdpSocket::start_bind(&mut self.inner, socket, network, real.into()).await
    }

    async fn stream(&mut self, socket: Resource<UdpSocket>, remote: Option<IpSocketAddress>) -> SocketResult<Streams> {
        let remote = remote.map(|remote| self.real_remote(remote)).transpose()?;
        udp::HostUdpSocket::stream(&mut self.inner, socket, remote).await
    }

    fn drop(&mut self, socket: Resource<UdpSocket>) -> wasmtime::Result<()> {
        self.places.leave(socket.rep());
        udp::HostUdpSocket::drop(&mut self.inner, socket)
    }

    delegate_udp! {
        fn finish_bind() -> SocketResult<()>;
        fn local_address() -> SocketResult<IpSocketAddress>;
        fn remote_address() -> SocketResult<IpSocketAddress>;
        fn address_family() -> wasmtime::Result<IpAddressFamily>;
        fn unicast_hop_limit() -> SocketResult<u8>;
        fn set_unicast_hop_limit(value: u8) -> SocketResult<()>;
        fn receive_buffer_size() -> SocketResult<u64>;
        fn set_receive_buffer_size(value: u64) -> SocketResult<()>;
        fn send_buffer_size() -> SocketResult<u64>;
        fn set_send_buffer_size(value: u64) -> SocketResult<()>;
        fn subscribe() -> wasmtime::Result<Resource<DynPollable>>;
    }
}

impl udp::HostIncomingDatagramStream for PodSockets<'_> {
    fn receive(
        &mut self,
        stream: Resource<udp::IncomingDatagramStream>,
        max_results: u64,
    ) -> SocketResult<Vec<udp::IncomingDatagram>> {
        self.inner.receive(stream, max_results)
    }

    fn subscribe(&mut self, stream: Resource<udp::IncomingDatagramStream>) -> wasmtime::Result<Resource<DynPollable>> {
        udp::HostIncomingDatagramStream::subscribe(&mut self.inner, stream)
    }

    fn drop(&mut self, stream: Resource<udp::IncomingDatagramStream>) -> wasmtime::Result<()> {
        udp::HostIncomingDatagramStream::drop(&mut self.inner, stream)
    }
}

impl udp::HostOutgoingDatagramStream for PodSockets<'_> {
    fn check_send(&mut self, stream: Resource<udp::OutgoingDatagramStream>) -> SocketResult<u64> {
        self.inner.check_send(stream)
    }

    fn send(
        &mut self,
        stream: Resource<udp::OutgoingDatagramStream>,
        mut datagrams: Vec<udp::OutgoingDatagram>,
    ) -> SocketResult<u64> {
        for datagram in &mut datagrams {
            let remote = datagram.remote_address.take();
            datagram.remote_address = remote.map(|remote| self.real_remote(remote)).transpose()?;
        }
        self.inner.send(stream, datagrams)
    }

    fn subscribe(&mut self, stream: Resource<udp::OutgoingDatagramStream>) -> wasmtime::Result<Resource<DynPollable>> {
        udp::HostOutgoingDatagramStream::subscribe(&mut self.inner, stream)
    }

    async fn drop(&mut self, stream: Resource<udp::OutgoingDatagramStream>) -> wasmtime::Result<()> {
        udp::HostOutgoingDatagramStream::drop(&mut self.inner, stream).await
    }
}
