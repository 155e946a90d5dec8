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
        sockets::{SocketError, SocketResult},
    },
    sockets::{TcpSocket, WasiSockets, WasiSocketsCtxView},
};

use super::{
    super::{
        HasPodSockets, PodSockets,
        delegate::delegate_tcp,
        faces::{Face, fits, is_unicast},
    },
    family, inner, is_ipv4,
};
use crate::{holding::hold, pod::is_localhost, sandbox::Sandbox};

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

    fn face(&mut self, socket: &Resource<TcpSocket>) -> Face {
        let inner = &mut self.inner;
        self.places.faces.of(socket.rep(), || {
            let local = tcp::HostTcpSocket::get_local_address(inner, again(socket)).ok()?;
            Some(SocketAddr::from(local).port())
        })
    }

    /// The family as the guest sees it.
    fn seen_family(&mut self, socket: &Resource<TcpSocket>) -> wasmtime::Result<IpAddressFamily> {
        let face = self.face(socket);
        let real = tcp::HostTcpSocket::get_address_family(&mut self.inner, again(socket))?;
        Ok(family(is_ipv4(real) != face.foreign))
    }

    /// Puts a socket of the pod's family in the place of one of the other, which has not been used yet.
    fn be_of_own_family(&mut self, socket: &Resource<TcpSocket>) -> SocketResult<()> {
        let own = self.own_family();
        let real = tcp::HostTcpSocket::get_address_family(&mut self.inner, again(socket)).map_err(SocketError::trap)?;
        if is_ipv4(real) == is_ipv4(own) {
            return Ok(());
        }
        if self.is_bound(socket) {
            return Err(ErrorCode::InvalidState.into());
        }
        let made = tcp::HostTcpSocket::create(&mut self.inner, own)?;
        let made = self.inner.table.delete(made).map_err(SocketError::trap)?;
        *self.inner.table.get_mut(socket).map_err(SocketError::trap)? = made;
        self.places.faces.change(socket.rep(), |face| face.foreign = true);
        Ok(())
    }

    fn prepare_bind(&mut self, socket: &Resource<TcpSocket>, wanted: SocketAddr) -> SocketResult<SocketAddr> {
        let family = self.seen_family(socket).map_err(SocketError::trap)?;
        if !fits(wanted.ip(), is_ipv4(family)) || !is_unicast(wanted.ip()) {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let real = self.bindable(wanted)?;
        self.be_of_own_family(socket)?;
        Ok(real)
    }

    /// Where a connection to `wanted` goes. The socket has the address of the pod then, unless the guest has bound it.
    fn prepare_connect(&mut self, socket: &Resource<TcpSocket>, wanted: SocketAddr) -> SocketResult<SocketAddr> {
        let family = self.seen_family(socket).map_err(SocketError::trap)?;
        if !is_unicast(wanted.ip()) {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let target = self.target(wanted, is_ipv4(family))?;
        if target.ip() == self.own_address() {
            self.be_of_own_family(socket)?;
        } else if self.face(socket).foreign {
            return Err(ErrorCode::RemoteUnreachable.into());
        }
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
        self.be_of_own_family(socket)?;
        self.bind_now(socket, SocketAddr::new(self.own_address(), 0))
    }
}

impl HostTcpSocketWithStore<Sandbox> for HasPodSockets {
    async fn connect(
        store: &Accessor<Sandbox, Self>,
        socket: Resource<TcpSocket>,
        remote: IpSocketAddress,
    ) -> SocketResult<()> {
        let wanted = SocketAddr::from(remote);
        let target = store.with(|mut access| access.get().prepare_connect(&socket, wanted))?;
        let below = store.with_getter::<WasiSockets>(inner);
        <WasiSockets as HostTcpSocketWithStore<Sandbox>>::connect(&below, again(&socket), target.into()).await?;
        let dialled = is_localhost(wanted.ip());
        store.with(|mut access| access.get().places.faces.change(socket.rep(), |face| face.dialled = dialled));
        Ok(())
    }

    async fn listen(
        mut store: Access<'_, Sandbox, Self>,
        socket: Resource<TcpSocket>,
    ) -> SocketResult<StreamReader<Resource<TcpSocket>>> {
        store.get().prepare_listen(&socket)?;
        let rep = socket.rep();
        let below = below(&mut store);
        let connections = <WasiSockets as HostTcpSocketWithStore<Sandbox>>::listen(below, again(&socket)).await?;
        let mut sockets = store.get();
        if let Ok(local) = tcp::HostTcpSocket::get_local_address(&mut sockets.inner, socket) {
            sockets.places.faces.listens(rep, SocketAddr::from(local).port());
        }
        // The stream of connections may outlive the socket, and nobody hears of its end.
        sockets.places.keep(rep);
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
        let wanted = SocketAddr::from(local);
        let real = self.prepare_bind(&socket, wanted)?;
        tcp::HostTcpSocket::bind(&mut self.inner, again(&socket), real.into()).await?;
        self.places.faces.change(socket.rep(), |face| face.bound = is_localhost(wanted.ip()));
        Ok(())
    }

    fn get_local_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let (face, own) = (self.face(&socket), self.own_address());
        let real = tcp::HostTcpSocket::get_local_address(&mut self.inner, socket)?;
        Ok(face.local(own, real.into()).into())
    }

    fn get_remote_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let (face, own) = (self.face(&socket), self.own_address());
        let real = tcp::HostTcpSocket::get_remote_address(&mut self.inner, socket)?;
        Ok(face.remote(own, real.into()).into())
    }

    fn get_address_family(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<IpAddressFamily> {
        self.seen_family(&socket)
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
        fn get_is_listening() -> wasmtime::Result<bool>;
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
