//! TCP sockets of WASI 0.3.

use std::net::SocketAddr;

use futures::FutureExt;
use wasmtime::{
    AsContextMut,
    component::{Access, Accessor, FutureReader, Resource, StreamReader},
};
use wasmtime_wasi::{
    p3::{
        bindings::sockets::types::{
            self as tcp, Duration, ErrorCode, HostTcpSocketWithStore, IpAddressFamily, IpSocketAddress,
        },
        sockets::SocketResult,
    },
    sockets::{TcpSocket, WasiSockets, WasiSocketsCtxView},
};

use super::{
    super::{HasPodSockets, PodSockets, delegate::delegate_tcp},
    inner,
};
use crate::{holding::hold, sandbox::Sandbox};

/// How a stream of a socket ended.
type Ended = Result<(), ErrorCode>;

impl PodSockets<'_> {
    fn is_bound(&mut self, socket: &Resource<TcpSocket>) -> bool {
        tcp::HostTcpSocket::get_local_address(&mut self.inner, again(socket)).is_ok()
    }

    /// Binding is an async function for the sake of its address check; ours is ready at once, so it never waits.
    fn bind_now(&mut self, socket: &Resource<TcpSocket>, address: SocketAddr) -> SocketResult<()> {
        tcp::HostTcpSocket::bind(&mut self.inner, again(socket), address.into())
            .now_or_never()
            .unwrap_or(Err(ErrorCode::Other(None).into()))
    }

    /// Where a connection to `remote` goes. The socket has the address of the pod then, unless the guest has bound it.
    fn prepare_connect(&mut self, socket: &Resource<TcpSocket>, remote: IpSocketAddress) -> SocketResult<SocketAddr> {
        let family = tcp::HostTcpSocket::get_address_family(&mut self.inner, again(socket));
        let is_ipv4 = matches!(family, Ok(IpAddressFamily::Ipv4));
        if SocketAddr::from(remote).is_ipv4() != is_ipv4 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let target = self.target(remote)?;
        let is_bound = self.is_bound(socket);
        if let Some(source) = self.pod.source(target.ip()).filter(|_| !is_bound) {
            self.bind_now(socket, source)?;
        }
        Ok(target)
    }

    fn prepare_listen(&mut self, socket: &Resource<TcpSocket>) -> SocketResult<()> {
        if self.is_bound(socket) {
            return Ok(());
        }
        let family = tcp::HostTcpSocket::get_address_family(&mut self.inner, again(socket));
        let address = family.ok().and_then(|family| self.any_port(family)).ok_or(ErrorCode::AddressNotBindable)?;
        self.bind_now(socket, address)
    }
}

impl HostTcpSocketWithStore<Sandbox> for HasPodSockets {
    async fn connect(
        store: &Accessor<Sandbox, Self>,
        socket: Resource<TcpSocket>,
        remote: IpSocketAddress,
    ) -> SocketResult<()> {
        let target = store.with(|mut access| access.get().prepare_connect(&socket, remote))?;
        let store = store.with_getter::<WasiSockets>(inner);
        <WasiSockets as HostTcpSocketWithStore<Sandbox>>::connect(&store, socket, target.into()).await
    }

    async fn listen(
        mut store: Access<'_, Sandbox, Self>,
        socket: Resource<TcpSocket>,
    ) -> SocketResult<StreamReader<Resource<TcpSocket>>> {
        store.get().prepare_listen(&socket)?;
        let rep = socket.rep();
        let below = below(&mut store);
        let connections = <WasiSockets as HostTcpSocketWithStore<Sandbox>>::listen(below, socket).await?;
        // The stream of connections may outlive the socket, and nobody hears of its end.
        store.get().places.keep(rep);
        Ok(connections)
    }

    fn send(
        mut store: Access<'_, Sandbox, Self>,
        socket: Resource<TcpSocket>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Ended>> {
        let place = store.get().places.of(socket.rep());
        let ended = <WasiSockets as HostTcpSocketWithStore<Sandbox>>::send(below(&mut store), socket, data)?;
        hold(&mut store, place, ended)
    }

    fn receive(
        mut store: Access<'_, Sandbox, Self>,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Ended>)> {
        let place = store.get().places.of(socket.rep());
        let (data, ended) = <WasiSockets as HostTcpSocketWithStore<Sandbox>>::receive(below(&mut store), socket)?;
        Ok((data, hold(&mut store, place, ended)?))
    }
}

/// Access to wasmtime's sockets of the same store.
fn below<'a>(store: &'a mut Access<'_, Sandbox, HasPodSockets>) -> Access<'a, Sandbox, WasiSockets> {
    let getter: fn(&mut Sandbox) -> WasiSocketsCtxView<'_> = inner;
    Access::<Sandbox, WasiSockets>::new(store.as_context_mut(), getter)
}

fn again(socket: &Resource<TcpSocket>) -> Resource<TcpSocket> {
    Resource::new_borrow(socket.rep())
}

impl tcp::HostTcpSocket for PodSockets<'_> {
    async fn bind(&mut self, socket: Resource<TcpSocket>, local: IpSocketAddress) -> SocketResult<()> {
        let real = self.pod.bindable(local.into()).ok_or(ErrorCode::AddressNotBindable)?;
        tcp::HostTcpSocket::bind(&mut self.inner, socket, real.into()).await
    }

    fn create(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        // What the kernel's EMFILE would be: 0.3 has no code of its own for it.
        let place = self.places.take().ok_or(ErrorCode::OutOfMemory)?;
        let socket = tcp::HostTcpSocket::create(&mut self.inner, family)?;
        self.places.settle(socket.rep(), place);
        Ok(socket)
    }

    fn drop(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<()> {
        self.places.leave(socket.rep());
        tcp::HostTcpSocket::drop(&mut self.inner, socket)
    }

    delegate_tcp! {
        fn get_local_address() -> SocketResult<IpSocketAddress>;
        fn get_remote_address() -> SocketResult<IpSocketAddress>;
        fn get_is_listening() -> wasmtime::Result<bool>;
        fn get_address_family() -> wasmtime::Result<IpAddressFamily>;
        fn set_listen_backlog_size(value: u64) -> SocketResult<()>;
        fn get_keep_alive_enabled() -> SocketResult<bool>;
        fn set_keep_alive_enabled(value: bool) -> SocketResult<()>;
        fn get_keep_alive_idle_time() -> SocketResult<Duration>;
        fn set_keep_alive_idle_time(value: Duration) -> SocketResult<()>;
        fn get_keep_alive_interval() -> SocketResult<Duration>;
        fn set_keep_alive_interval(value: Duration) -> SocketResult<()>;
        fn get_keep_alive_count() -> SocketResult<u32>;
        fn set_keep_alive_count(value: u32) -> SocketResult<()>;
        fn get_hop_limit() -> SocketResult<u8>;
        fn set_hop_limit(value: u8) -> SocketResult<()>;
        fn get_receive_buffer_size() -> SocketResult<u64>;
        fn set_receive_buffer_size(value: u64) -> SocketResult<()>;
        fn get_send_buffer_size() -> SocketResult<u64>;
        fn set_send_buffer_size(value: u64) -> SocketResult<()>;
    }
}
