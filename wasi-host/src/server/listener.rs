//! The port of a server: what comes to it, and whether it still wants something.

use std::{io, net::SocketAddr};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::limits;

/// A bound port.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`, also while connections of a predecessor linger in TIME_WAIT.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        // Connections inherit it: a response is written whole; holding it back for more would only delay it.
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        let socket = socket.listen(limits::HTTP_BACKLOG)?;
        Ok(Listener { address: socket.local_addr()?, socket })
    }

    /// One that was bound elsewhere.
    pub(crate) fn adopt(socket: std::net::TcpListener) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        Ok(Listener { address: socket.local_addr()?, socket })
    }

    /// The socket, for another process.
    pub(crate) fn give_away(self) -> io::Result<std::net::TcpListener> {
        self.socket.into_std()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection whose client has not gone again: one that only looks whether somebody listens (a probe, a
    /// balancer's check) costs no task.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        loop {
            let (connection, _) = self.socket.accept().await?;
            if wants_something(&connection) {
                return Ok(connection);
            }
        }
    }
}

/// Whether a client is still there, or has said something before it went.
fn wants_something(connection: &TcpStream) -> bool {
    let mut first = [0];
    match recv(connection, &mut first, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((said, _)) => said > 0,
        Err(error) => error == Errno::AGAIN,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn who_has_gone_without_a_word_is_passed_over() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        for _ in 0..3 {
            drop(TcpStream::connect(listener.address()).await.unwrap());
        }
        let mut spoke = TcpStream::connect(listener.address()).await.unwrap();
        spoke.write_all(b"said and gone").await.unwrap();
        drop(spoke);
        let waiting = TcpStream::connect(listener.address()).await.unwrap();
        let mut heard = String::new();
        listener.accept().await.unwrap().read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "said and gone");
        let accepted = listener.accept().await.unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), waiting.local_addr().unwrap(), "it may yet say something");
    }
}
