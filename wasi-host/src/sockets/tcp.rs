//! TCP sockets: where a pod's addresses become real ones.

use std::net::SocketAddr;

use futures::FutureExt;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, Network, SocketResult, TcpSocket,
    bindings::sockets::{
        network::{ErrorCode, IpAddressFamily, IpSocketAddress},
        tcp, tcp_create_socket,
    },
};

use super::{PodSockets, delegate::delegate_tcp, error_code};

impl tcp::Host for PodSockets<'_> {}

impl tcp_create_socket::Host for PodSockets<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let place = self.places.take().ok_or(ErrorCode::NewSocketLimit)?;
        let socket = self.inner.create_tcp_socket(family)?;
        self.places.settle(socket.rep(), place);
        Ok(socket)
    }
}

impl PodSockets<'_> {
    /// Gives an outgoing socket the pod's address, unless the guest has bound it already.
    ///
    /// Binding is an async function for the sake of its address check; ours is ready at once, so it never waits.
    fn bind_source(
        &mut self,
        socket: &Resource<TcpSocket>,
        network: &Resource<Network>,
        target: SocketAddr,
    ) -> SocketResult<()> {
        let again = || Resource::new_borrow(socket.rep());
        let is_bound = tcp::HostTcpSocket::local_address(&mut self.inner, again()).is_ok();
        let Some(source) = self.pod.source(target.ip()).filter(|_| !is_bound) else { return Ok(()) };
        let network = Resource::new_borrow(network.rep());
        tcp::HostTcpSocket::start_bind(&mut self.inner, again(), network, source.into())
            .now_or_never()
            .unwrap_or(Err(ErrorCode::Unknown.into()))?;
        tcp::HostTcpSocket::finish_bind(&mut self.inner, again())
    }
}

impl tcp::HostTcpSocket for PodSockets<'_> {
    async fn start_bind(
        &mut self,
        socket: Resource<TcpSocket>,
        network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        let wanted = SocketAddr::from(local);
        let real = self.pod.bindable(wanted).filter(|real| real.is_ipv4() == wanted.is_ipv4());
        let real = real.ok_or(ErrorCode::AddressNotBindable)?;
        tcp::HostTcpSocket::start_bind(&mut self.inner, socket, network, real.into()).await
    }

    fn start_connect(
        &mut self,
        socket: Resource<TcpSocket>,
        network: Resource<Network>,
        remote: IpSocketAddress,
    ) -> SocketResult<()> {
        let wanted = SocketAddr::from(remote);
        if wanted.port() == 0 || wanted.ip().is_unspecified() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let family = tcp::HostTcpSocket::address_family(&mut self.inner, Resource::new_borrow(socket.rep()));
        let is_ipv4 = matches!(family, Ok(IpAddressFamily::Ipv4));
        if wanted.is_ipv4() != is_ipv4 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let target = self.pod.route(wanted).map_err(error_code)?;
        if target.is_ipv4() != is_ipv4 {
            return Err(ErrorCode::RemoteUnreachable.into());
        }
        self.bind_source(&socket, &network, target)?;
        tcp::HostTcpSocket::start_connect(&mut self.inner, socket, network, target.into())
    }

    fn accept(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> SocketResult<(Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        if !self.places.may_accept() {
            return Err(ErrorCode::NewSocketLimit.into());
        }
        let accepted = tcp::HostTcpSocket::accept(&mut self.inner, socket)?;
        // The address check took a place for it.
        self.places.of(accepted.0.rep());
        Ok(accepted)
    }

    fn drop(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<()> {
        self.places.leave(socket.rep());
        tcp::HostTcpSocket::drop(&mut self.inner, socket)
    }

    async fn start_listen(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        tcp::HostTcpSocket::start_listen(&mut self.inner, socket).await
    }

    delegate_tcp! {
        fn finish_bind() -> SocketResult<()>;
        fn finish_connect() -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)>;
        fn finish_listen() -> SocketResult<()>;
        fn local_address() -> SocketResult<IpSocketAddress>;
        fn remote_address() -> SocketResult<IpSocketAddress>;
        fn is_listening() -> wasmtime::Result<bool>;
        fn address_family() -> wasmtime::Result<IpAddressFamily>;
        fn set_listen_backlog_size(value: u64) -> SocketResult<()>;
        fn keep_alive_enabled() -> SocketResult<bool>;
        fn set_keep_alive_enabled(value: bool) -> SocketResult<()>;
        fn keep_alive_idle_time() -> SocketResult<u64>;
        fn set_keep_alive_idle_time(value: u64) -> SocketResult<()>;
        fn keep_alive_interval() -> SocketResult<u64>;
        fn set_keep_alive_interval(value: u64) -> SocketResult<()>;
        fn keep_alive_count() -> SocketResult<u32>;
        fn set_keep_alive_count(value: u32) -> SocketResult<()>;
        fn hop_limit() -> SocketResult<u8>;
        fn set_hop_limit(value: u8) -> SocketResult<()>;
        fn receive_buffer_size() -> SocketResult<u64>;
        fn set_receive_buffer_size(value: u64) -> SocketResult<()>;
        fn send_buffer_size() -> SocketResult<u64>;
        fn set_send_buffer_size(value: u64) -> SocketResult<()>;
        fn subscribe() -> wasmtime::Result<Resource<DynPollable>>;
        fn shutdown(how: tcp::ShutdownType) -> SocketResult<()>;
    }
}
