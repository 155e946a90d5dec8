//! Methods that are passed on to wasmtime's sockets as they are.

/// Writes, for each signature, the method of `HostTcpSocket` that calls wasmtime's.
macro_rules! delegate_tcp {
    ($(fn $name:ident($($arg:ident: $ty:ty)?) -> $output:ty;)*) => {
        $(fn $name(&mut self, socket: Resource<TcpSocket> $(, $arg: $ty)?) -> $output {
            tcp::HostTcpSocket::$name(&mut self.inner, socket $(, $arg)?)
        })*
    };
}

/// The same for `HostUdpSocket`.
macro_rules! delegate_udp {
    ($(fn $name:ident($($arg:ident: $ty:ty)?) -> $output:ty;)*) => {
        $(fn $name(&mut self, socket: Resource<UdpSocket> $(, $arg: $ty)?) -> $output {
            udp::HostUdpSocket::$name(&mut self.inner, socket $(, $arg)?)
        })*
    };
}

pub(super) use {delegate_tcp, delegate_udp};
