//! Connecting for a probe. What is probed is nearly always on this machine, where a connection stands before the call
//! that asks for it returns; then nothing waits, and no readiness is registered for a socket that is closed at once. What
//! is sent and read needs none either, as long as it is there when it is asked for.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
};

use rustix::{
    buffer::spare_capacity,
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, socket_with},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
};

/// A connection.
pub(super) enum Connection {
    /// It stood at once; the runtime has not heard of it yet.
    Fresh(OwnedFd),
    /// It took its time.
    Stream(TcpStream),
}

impl Connection {
    /// Sends all of `bytes`.
    pub(super) async fn send(self, bytes: &[u8]) -> io::Result<Connection> {
        let (mut stream, sent) = match self {
            Connection::Fresh(socket) => match at_once(rustix::net::send(&socket, bytes, SendFlags::NOSIGNAL))? {
                Some(sent) if sent == bytes.len() => return Ok(Connection::Fresh(socket)),
                sent => (TcpStream::from_std(socket.into())?, sent.unwrap_or_default()),
            },
            Connection::Stream(stream) => (stream, 0),
        };
        stream.write_all(&bytes[sent..]).await?;
        Ok(Connection::Stream(stream))
    }

    /// Reads what has come, or waits for more, into the free capacity of `buffer` (there must be some). It grows by
    /// nothing at the end of the stream.
    pub(super) async fn read(self, buffer: &mut Vec<u8>) -> io::Result<Connection> {
        let mut stream = match self {
            Connection::Fresh(socket) => {
                match at_once(rustix::net::recv(&socket, spare_capacity(buffer), RecvFlags::empty()))? {
                    Some(_) => return Ok(Connection::Fresh(socket)),
                    None => TcpStream::from_std(socket.into())?,
                }
            }
            Connection::Stream(stream) => stream,
        };
        stream.read_buf(buffer).await?;
        Ok(Connection::Stream(stream))
    }
}

/// What a call that does not wait has done. None: it would have had to wait.
fn at_once<T>(result: Result<T, Errno>) -> io::Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Connects to `host`, a name or an address.
pub(super) async fn dial(host: &str, port: u16) -> io::Result<Connection> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return dial_address(SocketAddr::new(address, port)).await;
    }
    let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("lookup {host}: no such host"));
    for address in lookup_host((host, port)).await? {
        match dial_address(address).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn dial_address(address: SocketAddr) -> io::Result<Connection> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) => return Ok(Connection::Fresh(socket)),
        Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    // Asked once more, the kernel tells how far it has come.
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::ISCONN) => Ok(Connection::Fresh(socket)),
        Err(Errno::ALREADY | Errno::INPROGRESS) => connected(TcpStream::from_std(socket.into())?).await,
        Err(error) => Err(error.into()),
    }
}

/// Waits until a connection under way stands or has failed.
async fn connected(stream: TcpStream) -> io::Result<Connection> {
    stream.writable().await?;
    match stream.take_error()? {
        None => Ok(Connection::Stream(stream)),
        Some(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn what_is_sent_arrives_and_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let question = vec![b'q'; 8 << 20];
        let length = question.len();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = vec![0; length];
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(b"answer").await.unwrap();
            heard
        });
        // More than a socket takes at once, so that the rest is sent later.
        let connection = dial("localhost", port).await.unwrap().send(&question).await.unwrap();
        assert_eq!(whole(connection).await, b"answer");
        assert_eq!(server.await.unwrap(), question);
    }

    /// All that a connection says until it ends.
    async fn whole(mut connection: Connection) -> Vec<u8> {
        let mut heard = Vec::new();
        loop {
            let before = heard.len();
            heard.reserve(16);
            connection = connection.read(&mut heard).await.unwrap();
            if heard.len() == before {
                return heard;
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_there_needs_no_readiness() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connection = dial("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
        let connection = connection.send(b"question").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"answer").await.unwrap();
        stream.readable().await.unwrap();
        let mut heard = Vec::with_capacity(16);
        let connection = connection.read(&mut heard).await.unwrap();
        assert!(matches!(connection, Connection::Fresh(_)) && heard == b"answer", "{heard:?}");
    }

    #[tokio::test]
    async fn who_is_not_there_refuses() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let Err(error) = dial("127.0.0.1", free.port()).await else { panic!("nobody listens") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(dial("", 1).await.is_err());
    }
}
