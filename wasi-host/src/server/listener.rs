//! The port of a server: what comes to it, and whether it still wants something.

use std::{future::poll_fn, io, net::SocketAddr, sync::Arc, task::Poll};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::{
    descriptors::{Descriptor, DescriptorBudget},
    limits,
};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcceptError {
    /// guests hold all the descriptors they may
    #[error("guests hold all the descriptors they may")]
    Descriptors,
    /// the kernel has none to give
    #[error("cannot accept a connection: {0}")]
    Kernel(#[from] io::Error),
}

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
    /// balancer's check) costs no task. It comes with the leave to have it open, which a server that nobody asks does
    /// not hold: there may be more of those than descriptors.
    pub(super) async fn accept(
        &self,
        descriptors: &Arc<DescriptorBudget>,
    ) -> Result<(TcpStream, Descriptor), AcceptError> {
        loop {
            let (connection, leave) = poll_fn(|cx| {
                let Some(leave) = descriptors.take() else { return Poll::Ready(Err(AcceptError::Descriptors)) };
                self.socket.poll_accept(cx).map(|accepted| Ok((accepted?.0, leave)))
            })
            .await?;
            if wants_something(&connection) {
                return Ok((connection, leave));
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
    async fn who_waits_for_a_connection_holds_no_descriptor() {
        let bind = || Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (one, other, descriptors) = (bind(), bind(), DescriptorBudget::new(1, None));
        let (mut first, mut second) = (Box::pin(one.accept(&descriptors)), Box::pin(other.accept(&descriptors)));
        assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
        assert!(descriptors.has_room());
        let _client = TcpStream::connect(other.address()).await.unwrap();
        let accepted = second.await.unwrap();
        assert!(!descriptors.has_room());
        let _client = TcpStream::connect(one.address()).await.unwrap();
        assert!(matches!(first.await, Err(AcceptError::Descriptors)));
        drop(accepted);
        one.accept(&descriptors).await.unwrap();
    }

    #[tokio::test]
    async fn who_has_gone_without_a_word_is_passed_over() {
        let descriptors = DescriptorBudget::new(8, None);
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        for _ in 0..3 {
            drop(TcpStream::connect(listener.address()).await.unwrap());
        }
        let mut spoke = TcpStream::connect(listener.address()).await.unwrap();
        spoke.write_all(b"said and gone").await.unwrap();
        drop(spoke);
        let waiting = TcpStream::connect(listener.address()).await.unwrap();
        let mut heard = String::new();
        listener.accept(&descriptors).await.unwrap().0.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "said and gone");
        let (accepted, _leave) = listener.accept(&descriptors).await.unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), waiting.local_addr().unwrap(), "it may yet say something");
    }
}
